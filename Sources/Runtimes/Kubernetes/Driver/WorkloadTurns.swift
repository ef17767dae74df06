// SPDX-License-Identifier: MIT

internal import RuntimeContract
import Synchronization

/// Who may work on a workload: one `apply` at a time, or any number of removals.
///
/// A removal never waits for another one, so that it can shorten what that one waits for.
final class WorkloadTurns: Sendable {
    enum Kind: Sendable {
        case apply
        case remove
    }

    private struct Waiter {
        let number: UInt64
        let kind: Kind
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct Turn {
        var isApplying = false
        var removals = 0
        var waiters: [Waiter] = []

        func admits(_ kind: Kind) -> Bool {
            switch kind {
            case .apply: !isApplying && removals == 0
            case .remove: !isApplying
            }
        }

        mutating func begin(_ kind: Kind) {
            switch kind {
            case .apply: isApplying = true
            case .remove: removals += 1
            }
        }
    }

    private struct State {
        var turns: [WorkloadID: Turn] = [:]
        var next: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Runs `body` when it is its turn.
    ///
    /// - Throws: what `body` throws; `cancelled` if the caller is cancelled before its turn.
    func run<T>(
        _ kind: Kind, _ id: WorkloadID, _ body: () async throws(RuntimeError) -> T
    ) async throws(RuntimeError) -> T {
        guard await enter(kind, id) else { throw RuntimeError(.cancelled, "cancelled before its turn", workload: id) }
        defer { leave(kind, id) }
        return try await body()
    }

    private func enter(_ kind: Kind, _ id: WorkloadID) async -> Bool {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    var turn = state.turns[id] ?? Turn()
                    defer { state.turns[id] = turn }
                    // A removal goes before those that wait, or it would wait for them.
                    guard turn.admits(kind), kind == .remove || turn.waiters.isEmpty else {
                        turn.waiters.append(Waiter(number: number, kind: kind, continuation: continuation))
                        return nil
                    }
                    turn.begin(kind)
                    return true
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.turns[id]?.waiters.firstIndex(where: { $0.number == number }) else {
                    return nil
                }
                return state.turns[id]?.waiters.remove(at: index)
            }
            waiter?.continuation.resume(returning: false)
        }
    }

    private func leave(_ kind: Kind, _ id: WorkloadID) {
        let admitted: [Waiter] = state.withLock { state in
            guard var turn = state.turns[id] else { return [] }
            switch kind {
            case .apply: turn.isApplying = false
            case .remove: turn.removals -= 1
            }
            var admitted: [Waiter] = []
            while let index = turn.waiters.firstIndex(where: { turn.admits($0.kind) }) {
                let waiter = turn.waiters.remove(at: index)
                turn.begin(waiter.kind)
                admitted.append(waiter)
            }
            state.turns[id] = turn.isApplying || turn.removals > 0 || !turn.waiters.isEmpty ? turn : nil
            return admitted
        }
        for waiter in admitted { waiter.continuation.resume(returning: true) }
    }
}
