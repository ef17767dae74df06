// SPDX-License-Identifier: MIT

import Wire

/// A request target that belongs to the data plane: `/adapters/{name}/mcp`, `/sse` or `/messages`.
struct AdapterPath {
    /// What is asked for.
    enum Route {
        /// The one endpoint of streamable HTTP.
        case mcp
        /// The stream of HTTP+SSE.
        case sse
        /// Where messages of HTTP+SSE are posted to.
        case messages
    }

    /// The adapter's name.
    let name: String
    /// What is asked for.
    let route: Route
    /// Where the query stands in the target, the question mark included; empty without one.
    let query: Range<Int>

    /// Reads `target`, or `nil` when it belongs to somebody else.
    init?(_ target: UnsafeRawBufferPointer) {
        let prefix: StaticString = "/adapters/"
        let start = prefix.utf8CodeUnitCount
        guard target.count > start + 4, ByteComparison.hasPrefix(target, prefix) else { return nil }
        var slash = start
        while slash < target.count, target[slash] != UInt8(ascii: "/") {
            if target[slash] == UInt8(ascii: "?") { return nil }
            slash += 1
        }
        guard slash > start, slash < target.count else { return nil }
        var end = slash + 1
        while end < target.count, target[end] != UInt8(ascii: "?") { end += 1 }
        let last = UnsafeRawBufferPointer(rebasing: target[(slash + 1)..<end])
        if ByteComparison.isEqual(last, "mcp") {
            route = .mcp
        } else if ByteComparison.isEqual(last, "sse") {
            route = .sse
        } else if ByteComparison.isEqual(last, "messages") {
            route = .messages
        } else {
            return nil
        }
        name = String(decoding: target[start..<slash], as: UTF8.self)
        query = end..<target.count
    }

    /// The value of `session_id` in the query of `target`; session ids need no percent-encoding.
    func sessionID(in target: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let key: StaticString = "session_id="
        var index = query.lowerBound
        while index < query.upperBound {
            // At a `?` or `&`.
            let start = index + 1
            var end = start
            while end < query.upperBound, target[end] != UInt8(ascii: "&") { end += 1 }
            let length = key.utf8CodeUnitCount
            if end - start >= length, (0..<length).allSatisfy({ target[start + $0] == key.utf8Start[$0] }) {
                return UnsafeRawBufferPointer(rebasing: target[(start + length)..<end])
            }
            index = end
        }
        return nil
    }
}
