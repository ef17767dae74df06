// SPDX-License-Identifier: MIT

/// One event of an event stream (WHATWG HTML §9.2).
public struct SSEEvent: Hashable, Sendable {
    /// The value of the last `id` line; empty resets the client's last id.
    public var id: String?
    /// The value of the last `event` line; `nil` stands for `message`.
    public var name: String?
    /// The values of the `data` lines, joined by line feeds; `nil` where there is no such line.
    public var data: [UInt8]?
    /// How many milliseconds to wait before reconnecting.
    public var retryMilliseconds: Int?

    /// An event with the fields given.
    ///
    /// `id` and `name` must not contain a line break, and `id` no NUL.
    public init(id: String? = nil, name: String? = nil, data: [UInt8]? = nil, retryMilliseconds: Int? = nil) {
        self.id = id
        self.name = name
        self.data = data
        self.retryMilliseconds = retryMilliseconds
    }

    /// The bytes of the event, the empty line at its end included.
    ///
    /// Fields come in the order `id`, `event`, `retry`, `data`; line breaks of any kind in the data begin a new `data`
    /// line, so a client reads them all as line feeds.
    public var encoded: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity((data?.count ?? 0) + (id?.utf8.count ?? 0) + 48)
        encode(into: &output)
        return output
    }

    /// Appends ``encoded`` to `output`.
    public func encode(into output: inout [UInt8]) {
        if let id {
            precondition(id.utf8.allSatisfy { $0 != 0x0A && $0 != 0x0D && $0 != 0 }, "an event id is one line")
            output += "id: ".utf8
            output += id.utf8
            output.append(0x0A)
        }
        if let name {
            precondition(name.utf8.allSatisfy { $0 != 0x0A && $0 != 0x0D }, "an event name is one line")
            output += "event: ".utf8
            output += name.utf8
            output.append(0x0A)
        }
        if let retryMilliseconds {
            output += "retry: \(retryMilliseconds)\n".utf8
        }
        if let data {
            var previous: UInt8 = 0
            output += "data: ".utf8
            for byte in data {
                switch byte {
                case 0x0A where previous == 0x0D: break
                case 0x0A, 0x0D: output += "\ndata: ".utf8
                default: output.append(byte)
                }
                previous = byte
            }
            output.append(0x0A)
        }
        output.append(0x0A)
    }

    /// The bytes of a comment, which clients ignore: a sign of life on a quiet stream.
    public static func comment(_ text: String = "") -> [UInt8] {
        precondition(text.utf8.allSatisfy { $0 != 0x0A && $0 != 0x0D }, "a comment is one line")
        return Array((text.isEmpty ? ":\n\n" : ": \(text)\n\n").utf8)
    }
}

/// Why an event stream can't be read on.
public enum SSEError: Error, Hashable, Sendable {
    /// An event is longer than the limit.
    case eventTooLong
    /// The first `endpoint` event names nothing that messages can be posted to.
    case invalidEndpoint
}
