// SPDX-License-Identifier: MIT

import Testing

@testable import Wire

@Suite("Field names")
struct FieldNameTests {
    private static let names: [String: FieldName] = [
        "accept": .accept, "accept-encoding": .acceptEncoding, "content-encoding": .contentEncoding,
        "access-control-allow-origin": .accessControl, "access-control-request-method": .accessControlRequestMethod,
        "authorization": .authorization, "cache-control": .cacheControl, "connection": .connection,
        "content-length": .contentLength, "content-type": .contentType, "cookie": .cookie, "expect": .expect,
        "forwarded": .forwarded, "host": .host, "keep-alive": .keepAlive, "location": .location,
        "mcp-method": .mcpMethod, "mcp-name": .mcpName, "mcp-protocol-version": .mcpProtocolVersion,
        "mcp-session-id": .mcpSessionID, "mcp-gateway-principal": .mcpGateway, "mcp-gateway-x": .mcpGateway,
        "origin": .origin, "proxy-authenticate": .proxy, "proxy-authorization": .proxy, "proxy-connection": .proxy,
        "proxy-authentication-info": .proxy, "set-cookie": .setCookie, "set-cookie2": .setCookie, "te": .te,
        "trailer": .trailer, "transfer-encoding": .transferEncoding, "upgrade": .upgrade,
        "x-accel-buffering": .xAccelBuffering, "x-forwarded-for": .xForwarded, "x-forwarded-host": .xForwarded,
        "x-forwarded-proto": .xForwarded, "x-forwarded-port": .xForwarded, "x-forwarded-prefix": .xForwarded,
        "x-forwarded-server": .xForwarded, "x-forwarded-x": .xForwarded, "x-real-ip": .xForwarded,
        // As long as names of the table, so that every length meets the prefixes.
        "x-forwarded-ab": .xForwarded, "x-forwarded-abcde": .xForwarded, "x-forwarded-abcdefg": .xForwarded,
        "x-forwarded-abcdefgh": .xForwarded, "mcp-gateway-abcdefghijklm": .mcpGateway,
        "mcp-gateway-abcdefghijklmnopq": .mcpGateway,
    ]

    /// What a name is, from the table and the three prefixes.
    private static func expected(_ name: [UInt8]) -> FieldName {
        let text = String(decoding: name, as: UTF8.self).lowercased()
        if let known = names[text] { return known }
        if text.hasPrefix("x-forwarded-"), name.count > 12 { return .xForwarded }
        if text.hasPrefix("access-control-"), name.count > 15 { return .accessControl }
        return text.hasPrefix("mcp-gateway-") && name.count > 12 ? .mcpGateway : .other
    }

    private static func found(_ name: [UInt8]) -> FieldName {
        name.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map { FieldName.of($0, count: bytes.count) } ?? .other
        }
    }

    @Test("every name is known in every case")
    func cases() {
        for (name, field) in Self.names {
            let bytes = Array(name.utf8)
            #expect(Self.found(bytes) == field, "\(name)")
            #expect(Self.found(Array(name.uppercased().utf8)) == field, "\(name.uppercased())")
            for index in bytes.indices where (0x61...0x7A).contains(bytes[index]) {
                var mixed = bytes
                mixed[index] ^= 0x20
                #expect(Self.found(mixed) == field)
            }
        }
    }

    @Test("no other token is taken for a name that is known")
    func lookAlikes() {
        for name in Self.names.keys {
            let bytes = Array(name.utf8)
            for index in bytes.indices {
                for byte in Grammar.token {
                    var changed = bytes
                    changed[index] = byte
                    #expect(
                        Self.found(changed) == Self.expected(changed), "\(String(decoding: changed, as: UTF8.self))")
                }
                var shorter = bytes
                shorter.remove(at: index)
                #expect(Self.found(shorter) == Self.expected(shorter), "\(String(decoding: shorter, as: UTF8.self))")
                var longer = bytes
                longer.insert(bytes[index], at: index)
                #expect(Self.found(longer) == Self.expected(longer), "\(String(decoding: longer, as: UTF8.self))")
            }
        }
    }
}
