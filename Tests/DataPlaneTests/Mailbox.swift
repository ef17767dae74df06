// SPDX-License-Identifier: MIT

import NIOConcurrencyHelpers

/// What one side puts and the other waits for, with a deadline.
final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())

    func put(_ element: Element) {
        update { $0.elements.append(element) }
    }

    func close() {
        update { $0.isClosed = true }
    }

    /// The next element, `nil` after the last one.
    func take(within limit: Duration = .seconds(20)) async throws -> Element? {
        try await wait(within: limit) { state in
            if !state.elements.isEmpty { return .some(state.elements.removeFirst()) }
            return state.isClosed ? .some(nil) : nil
        }
    }

    var count: Int { state.withLockedValue { $0.elements.count } }

    private func update(_ change: (inout State) -> Void) {
        let waiter = state.withLockedValue { state in
            change(&state)
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    private func wait<Value: Sendable>(
        within limit: Duration, _ value: @escaping @Sendable (inout State) -> Value?
    ) async throws -> Value {
        let timeout = Task {
            try await Task.sleep(for: limit)
            self.update { _ in }
        }
        defer { timeout.cancel() }
        let end = ContinuousClock.now + limit
        while true {
            if let found = state.withLockedValue({ value(&$0) }) { return found }
            guard ContinuousClock.now < end else { throw TestFailure("nothing came within the deadline") }
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    if !state.elements.isEmpty || state.isClosed || ContinuousClock.now >= end { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Waits until `condition` holds.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: @Sendable () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw TestFailure("not within the deadline: \(what)") }
        try await Task.sleep(for: .milliseconds(2))
    }
}
