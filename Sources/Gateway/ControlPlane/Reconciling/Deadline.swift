// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// Calls of the runtime that may not take for ever.
struct Deadline: Sendable {
    let limit: Duration
    let clock: any Clock<Duration>

    /// Runs `body` and cancels it at the deadline; waits for it to end in any case.
    ///
    /// - Throws: `timedOut` when it did not end in time, `cancelled` when the task was cancelled, else what it throws.
    func run<Value: Sendable>(
        _ id: WorkloadID,
        _ body: @escaping @Sendable () async throws(RuntimeError) -> Value
    ) async throws(RuntimeError) -> Value {
        let limit = limit
        let clock = clock
        let result = await withTaskGroup(of: Result<Value, RuntimeError>?.self) {
            group -> Result<Value, RuntimeError>? in
            group.addTask {
                do throws(RuntimeError) { return .success(try await body()) } catch { return .failure(error) }
            }
            // Cancelled when the body ends first.
            group.addTask {
                try? await clock.sleep(for: limit)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // The body may have ended well at the very last moment.
            guard let last = await group.next() ?? nil, case .success = last else { return nil }
            return last
        }
        guard let result else {
            throw Task.isCancelled
                ? RuntimeError(.cancelled, "the gateway is stopping", workload: id)
                : RuntimeError(.timedOut, "the runtime did not answer within \(limit)", workload: id)
        }
        return try result.get()
    }
}
