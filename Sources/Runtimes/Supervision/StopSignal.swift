// SPDX-License-Identifier: MIT

import Synchronization

/// Asks one life to end; may be asked again with a shorter grace period.
public final class StopSignal: Sendable {
    private struct State {
        var grace: Duration?
        var handler: (@Sendable (Duration) -> Void)?
        var isLetGo = false
        var letGoHandler: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    init() {}

    /// Whether the life was asked to end.
    public var isRequested: Bool { state.withLock { $0.grace != nil } }

    /// Sets what is called with the grace period, each time a stop is requested; at once, if that was before.
    ///
    /// Called on any thread, which it must not block.
    public func onRequest(_ handler: @escaping @Sendable (Duration) -> Void) {
        let grace = state.withLock { state in
            state.handler = handler
            return state.grace
        }
        if let grace { handler(grace) }
    }

    /// Whether the life is to go on without its supervisor.
    public var isLetGo: Bool { state.withLock(\.isLetGo) }

    /// Sets what is called when the life is let go; at once, if that was before.
    ///
    /// Called on any thread, which it must not block.
    public func onLetGo(_ handler: @escaping @Sendable () -> Void) {
        let isLetGo = state.withLock { state in
            state.letGoHandler = handler
            return state.isLetGo
        }
        if isLetGo { handler() }
    }

    /// Has the life go on without its supervisor.
    func letGo() {
        let handler = state.withLock { state in
            state.isLetGo = true
            return state.letGoHandler
        }
        handler?()
    }

    /// Asks the life to end within `grace`.
    func request(grace: Duration) {
        let handler = state.withLock { state in
            state.grace = grace
            return state.handler
        }
        handler?(grace)
    }
}
