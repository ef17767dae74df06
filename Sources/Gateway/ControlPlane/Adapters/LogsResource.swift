// SPDX-License-Identifier: MIT

internal import HTTP
internal import Logging
internal import Model
internal import NIOCore
internal import Observability
internal import RuntimeContract

/// `GET /adapters/{name}/logs`: what a server wrote, as text.
struct LogsResource: Sendable {
    let driver: any RuntimeDriver
    let logger: Logger

    /// The log of the instance that the query names, as it is read: no more than a batch of lines is held.
    func show(_ adapter: Adapter, _ request: HTTPRequest) async throws(Problem) -> HTTPResponse {
        let (instance, options) = try Self.options(request, adapter)
        let stream: LogStream
        do { stream = try await driver.logs(of: instance, options: options) } catch { throw Problem(error) }
        let headers: HTTPHeaders = [
            "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store",
            // What a server writes is not ours: no browser is to take it for a page.
            "X-Content-Type-Options": "nosniff",
        ]
        if request.method == "HEAD" { return HTTPResponse(status: 200, headers: headers) }
        return HTTPResponse(
            status: 200, headers: headers, body: .stream(body(stream, of: instance, isEndless: options.follow)))
    }

    private static func options(
        _ request: HTTPRequest,
        _ adapter: Adapter
    ) throws(Problem) -> (InstanceID, LogOptions) {
        var query = QueryReader(request.query)
        let ordinal = query.integer("instance", in: 0...9999) ?? 0
        let options = LogOptions(
            tailLines: query.integer("tailLines", in: 0...1_000_000),
            since: query.integer("sinceSeconds", in: 1...31_536_000).map { .seconds($0) },
            previous: query.boolean("previous"),
            follow: query.boolean("follow"))
        try query.finish()
        return (InstanceID(workload: adapter.name.workload, ordinal: ordinal), options)
    }

    private func body(_ stream: LogStream, of instance: InstanceID, isEndless: Bool) -> HTTPBodyStream {
        let logger = logger
        let hasFailed = OneWaySwitch()
        return HTTPBodyStream(isEndless: isEndless) {
            guard !hasFailed.isOn else { return nil }
            do throws(RuntimeError) {
                // The stream keeps its place itself; an iterator is only the way to ask it.
                var iterator = stream.makeAsyncIterator()
                guard let lines = try await iterator.next() else { return nil }
                var buffer = ByteBuffer()
                for line in lines {
                    buffer.writeBytes(line.text)
                    buffer.writeInteger(UInt8(ascii: "\n"))
                }
                return buffer
            } catch  where error.code == .cancelled {
                return nil
            } catch {
                // The status has been sent; without a word the reader would take the log for complete.
                hasFailed.turnOn()
                logger.warning(
                    "reading a log failed",
                    metadata: [LogKey.instance: "\(instance)", LogKey.error: .untrusted(error.description)])
                return ByteBuffer(string: "mcp-gateway: reading the log failed: \(error.message)\n")
            }
        }
    }
}
