// SPDX-License-Identifier: MIT

import Synchronization

/// All that a driver knows at one moment.
public struct RuntimeSnapshot: Hashable, Sendable {
    /// Whether the platform answers.
    ///
    /// While it does not, the workloads are the last ones known.
    public var isReachable: Bool
    /// Every workload that the driver holds.
    public var workloads: [WorkloadID: WorkloadStatus]

    /// Describes a moment.
    public init(isReachable: Bool = true, workloads: [WorkloadID: WorkloadStatus] = [:]) {
        self.isReachable = isReachable
        self.workloads = workloads
    }
}

/// The states of a runtime: the present one first, then each newer one.
///
/// Coalescing: a reader that is slow misses states in between and always gets the newest, so a lost event costs
/// latency, never correctness, and nothing is queued beyond one state. One reader per value. Ends when the driver
/// has shut down.
public struct RuntimeEvents: AsyncSequence, Sendable {
    /// What is iterated over.
    public typealias Element = RuntimeSnapshot
    /// What iterating throws.
    public typealias Failure = Never

    private let stream: AsyncStream<RuntimeSnapshot>

    fileprivate init(_ stream: AsyncStream<RuntimeSnapshot>) {
        self.stream = stream
    }

    /// Begins to iterate.
    public func makeAsyncIterator() -> AsyncStream<RuntimeSnapshot>.Iterator {
        stream.makeAsyncIterator()
    }
}

/// Where a driver publishes its states.
///
/// Any number of readers; each holds at most one unread state. All members may be called from any thread.
public final class RuntimeStatePublisher: Sendable {
    private struct State {
        var snapshot: RuntimeSnapshot
        var readers: [UInt64: AsyncStream<RuntimeSnapshot>.Continuation] = [:]
        var nextReader: UInt64 = 0
        var isFinished = false
    }

    private let state: Mutex<State>

    /// Begins with `snapshot`.
    public init(_ snapshot: RuntimeSnapshot = RuntimeSnapshot()) {
        state = Mutex(State(snapshot: snapshot))
    }

    /// The newest state.
    public var snapshot: RuntimeSnapshot { state.withLock(\.snapshot) }

    /// Changes the state; readers hear of it if it is different.
    ///
    /// Without effect after ``finish()``.
    public func update(_ change: (inout RuntimeSnapshot) -> Void) {
        // The readers are told under the lock: yielding to a buffer of one neither blocks nor runs a reader's code,
        // and two updates can't reach a reader in the wrong order.
        state.withLock { state in
            guard !state.isFinished else { return }
            let before = state.snapshot
            change(&state.snapshot)
            guard state.snapshot != before else { return }
            for reader in state.readers.values { reader.yield(state.snapshot) }
        }
    }

    /// A new reader, whose first element is the present state.
    public func events() -> RuntimeEvents {
        let (stream, continuation) = AsyncStream.makeStream(
            of: RuntimeSnapshot.self, bufferingPolicy: .bufferingNewest(1))
        let reader: UInt64? = state.withLock { state in
            continuation.yield(state.snapshot)
            guard !state.isFinished else { return nil }
            state.nextReader += 1
            state.readers[state.nextReader] = continuation
            return state.nextReader
        }
        guard let reader else {
            continuation.finish()
            return RuntimeEvents(stream)
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in _ = state.readers.removeValue(forKey: reader) }
        }
        return RuntimeEvents(stream)
    }

    /// Ends every reader after the newest state.
    ///
    /// Idempotent.
    public func finish() {
        let readers = state.withLock { state in
            state.isFinished = true
            let readers = state.readers
            state.readers = [:]
            return readers
        }
        for reader in readers.values { reader.finish() }
    }
}
