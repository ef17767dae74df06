// SPDX-License-Identifier: MIT

public import Logging
internal import ServiceLifecycle

/// The whole gateway, put together.
public struct Gateway: Sendable {
    /// What it was made from.
    public let configuration: GatewayConfiguration

    private let logger: Logger

    /// Puts a gateway together; nothing is opened or started yet.
    public init(configuration: GatewayConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until SIGTERM, SIGINT or cancellation; returns when every server it started has ended.
    ///
    /// - Throws: ``StartupError`` when it can't start.
    public func run() async throws {
        let services: [any Service] = []
        let group = ServiceGroup(configuration: .init(services: services, logger: logger))
        let signals = ShutdownSignals(logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await signals.watch(group) }
            tasks.addTask { try await group.run() }
            defer { tasks.cancelAll() }
            try await tasks.next()
        }
    }
}
