// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Systemd

/// What the gateway tells the manager that runs it: that it stops, and, where it asks for that, that it is alive.
struct UnitPresence: Service {
    let group: MultiThreadedEventLoopGroup

    /// Until graceful shutdown or cancellation.
    ///
    /// Alive means that every event loop answers: a loop that hangs is a gateway that hangs.
    func run() async throws {
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown {
                guard let interval = ServiceNotifier.watchdogInterval else {
                    try? await gracefulShutdown()
                    return
                }
                while !Task.isCancelled {
                    for loop in group.makeIterator() { _ = try? await loop.submit {}.get() }
                    ServiceNotifier.alive()
                    try? await Task.sleep(for: interval / 3)
                }
            }
        } onGracefulShutdown: {
            ServiceNotifier.stopping("requests under way may finish")
        }
    }
}
