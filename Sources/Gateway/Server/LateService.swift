// SPDX-License-Identifier: MIT

internal import ServiceLifecycle

/// A service that begins only when something else is done.
struct LateService<S: Service>: Service {
    let service: S
    /// Returns when the service may begin; soon, when its task is cancelled.
    let ready: @Sendable () async -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown { await ready() }
        try await service.run()
    }
}
