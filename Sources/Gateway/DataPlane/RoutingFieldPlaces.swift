// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Wire

/// Where the fields that routing reads stand in a head that is kept until the body is known, so that it is scanned once.
struct RoutingFieldPlaces {
    private enum Place {
        case absent
        /// Heads are far smaller than 4 GiB.
        case at(start: UInt32, end: UInt32)
        case repeated

        init() { self = .absent }

        mutating func note(_ range: Range<Int>) {
            if case .absent = self {
                self = .at(start: UInt32(range.lowerBound), end: UInt32(range.upperBound))
            } else {
                self = .repeated
            }
        }

        func header(in bytes: UnsafeRawBufferPointer) -> RoutingHeader {
            switch self {
            case .absent: .absent
            case .at(let start, let end): .value(UnsafeRawBufferPointer(rebasing: bytes[Int(start)..<Int(end)]))
            case .repeated: .repeated
            }
        }
    }

    private var protocolVersion = Place()
    private var method = Place()
    private var name = Place()
    private var session = Place()

    /// No fields.
    init() {}

    /// The places in the head of `request`.
    init(_ request: RequestView) {
        for line in request.lines {
            switch line.name {
            case .mcpProtocolVersion: protocolVersion.note(line.value)
            case .mcpMethod: method.note(line.value)
            case .mcpName: name.note(line.value)
            case .mcpSessionID: session.note(line.value)
            default: break
            }
        }
    }

    /// The fields in `bytes`, which are the same head.
    func headers(in bytes: UnsafeRawBufferPointer) -> RoutingHeaders {
        RoutingHeaders(
            protocolVersion: protocolVersion.header(in: bytes), method: method.header(in: bytes),
            name: name.header(in: bytes), session: session.header(in: bytes))
    }
}
