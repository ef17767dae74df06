// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Wire

extension RoutingHeaders {
    /// The routing fields of a head.
    init(_ request: RequestView) {
        self.init()
        for line in request.lines {
            switch line.name {
            case .mcpProtocolVersion: Self.note(&protocolVersion, request.slice(line.value))
            case .mcpMethod: Self.note(&method, request.slice(line.value))
            case .mcpName: Self.note(&name, request.slice(line.value))
            case .mcpSessionID: Self.note(&session, request.slice(line.value))
            default: break
            }
        }
    }

    private static func note(_ header: inout RoutingHeader, _ value: UnsafeRawBufferPointer) {
        if case .absent = header { header = .value(value) } else { header = .repeated }
    }

    /// Whether the version header leaves no doubt that the body needs not be read: absent, or of the years in which every
    /// revision had the handshake.
    var isSurelyLegacy: Bool {
        switch protocolVersion {
        case .absent: true
        case .repeated: false
        case .value(let text):
            text.count == 10 && (ByteComparison.hasPrefix(text, "2025-") || ByteComparison.hasPrefix(text, "2024-"))
        }
    }

    /// Whether the version header names a revision without sessions.
    var isModern: Bool {
        guard case .value(let text) = protocolVersion else { return false }
        return ProtocolRevision(bytes: text)?.era == .modern
    }

    /// Whether the revision in the version header has no batches: all but 2025-03-26, which is also what is meant where
    /// there is no header.
    var forbidsBatches: Bool {
        guard case .value(let text) = protocolVersion else { return false }
        return ProtocolRevision(bytes: text) != .march2025
    }
}
