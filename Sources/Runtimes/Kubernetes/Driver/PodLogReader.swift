// SPDX-License-Identifier: MIT

internal import Curl
internal import RuntimeContract
import Synchronization

/// Makes lines of the log that the API server sends: `2026-11-23T04:05:06.123456789Z text`.
final class PodLogReader: Sendable {
    private struct State {
        var lines = LineSplitter(maximumBytes: LogLine.maximumBytes + 40, excess: .cut)
        var last = Timestamp(millisecondsSinceEpoch: 0)
        var hasEnded = false
    }

    private let body: CurlBody
    private let oldest: Timestamp?
    private let workload: WorkloadID
    private let state = Mutex(State())

    init(_ body: CurlBody, since: Duration?, workload: WorkloadID) {
        self.body = body
        self.workload = workload
        oldest = since.map {
            Timestamp(millisecondsSinceEpoch: Timestamp.now.millisecondsSinceEpoch - Int64($0 / .milliseconds(1)))
        }
    }

    /// The next lines, or `nil` at the end.
    ///
    /// One reader.
    func next() async throws(RuntimeError) -> [LogLine]? {
        while !state.withLock(\.hasEnded) {
            let piece: [UInt8]?
            do throws(CurlError) {
                piece = try await body.next()
            } catch {
                throw KubernetesError(error).runtimeError(workload)
            }
            let batch = state.withLock { state -> [LogLine] in
                var raw: [[UInt8]]
                if let piece {
                    raw = state.lines.append(piece)
                } else {
                    state.hasEnded = true
                    raw = state.lines.finish().map { [$0] } ?? []
                }
                return raw.compactMap { line(from: $0, &state) }
            }
            if !batch.isEmpty { return batch }
        }
        return nil
    }

    private func line(from raw: [UInt8], _ state: inout State) -> LogLine? {
        let stamp = raw.prefix(40).firstIndex(of: 32)
        let time = stamp.flatMap { KubernetesTime.parse(String(decoding: raw[..<$0], as: UTF8.self)) }
        let text = time == nil ? raw[...] : raw[((stamp ?? 0) + 1)...]
        if let time { state.last = time }
        if let oldest, state.last < oldest { return nil }
        return LogLine(timestamp: state.last, text: Array(text.prefix(LogLine.maximumBytes)))
    }
}
