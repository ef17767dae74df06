// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import DataPlane

@Suite("Large bodies")
struct LargeBodyTests {
    /// A tool call with an argument of `size` bytes, and what stands behind it.
    static func call(_ size: Int, isModern: Bool, tail: String = "") -> String {
        let filler = String(repeating: "abcdefghijklmnopqrstuvwxyz012345", count: size / 32)
        let params = #""arguments":{"text":"\#(filler)"},"name":"count""#
        return isModern
            ? modernRequest(params: params + ",") + tail
            : #"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{\#(params)}}"# + tail
    }

    /// `body` as a POST, in chunks of many sizes or with its length.
    static func post(_ gateway: TestGateway, _ body: String, _ headers: [String], isChunked: Bool) -> [UInt8] {
        guard isChunked else { return Array(gateway.request("POST", "/adapters/a/mcp", headers, body).utf8) }
        var bytes = Array(
            "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\(headers.map { $0 + "\r\n" }.joined())\r\n"
                .utf8)
        var rest = Array(body.utf8)[...]
        var size = 1
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            bytes += "\(String(piece.count, radix: 16));ext=1\r\n".utf8
            bytes += piece
            bytes += [13, 10]
            rest = rest.dropFirst(size)
            size = size * 3 % 100_003
        }
        return bytes + Array("0\r\nTrailer: x\r\n\r\n".utf8)
    }

    @Test(
        "checklist 32: large bodies arrive whole, with a length and in chunks, in both eras and in sessions",
        arguments: [100 << 10, 1 << 20, 3 << 20])
    func large(_ size: Int) async throws {
        try await withServers(configure: Settings { $0.maximumBodyBytes = 11 << 20 }) { gateway, servers in
            let session = try await gateway.initialize()
            for isChunked in [false, true] {
                for (headers, isModern) in [
                    (modernHeaders(), true), ([], false),
                    (["Mcp-Session-Id: \(session)", "MCP-Protocol-Version: 2025-11-25"], false),
                    (["Mcp-Session-Id: \(session)", "MCP-Protocol-Version: odd"], false),
                ] {
                    let body = Self.call(size, isModern: isModern)
                    let client = try await gateway.connect()
                    try await client.send(Self.post(gateway, body, headers, isChunked: isChunked))
                    let answer = try await client.answer()
                    #expect(answer.status == 200, "\(headers.count) \(isChunked) \(answer.body)")
                    #expect(answer.body.contains("call ") == (headers.count == 2), "sessions go to their place")
                    let seen = try #require(servers[0].requests.last)
                    let isSame = seen.body.readableBytesView.elementsEqual(body.utf8)
                    #expect(isSame)
                    #expect(!client.hasEnded)
                }
            }
        }
    }

    @Test("checklist 32: a body over the limit is 413 as soon as that is known, and the server sees no whole request")
    func tooLarge() async throws {
        try await withServers(configure: Settings { $0.maximumBodyBytes = 1 << 20 }) { gateway, servers in
            let session = try await gateway.initialize()
            let before = servers[0].requests.count
            for headers in [[], modernHeaders(), ["Mcp-Session-Id: \(session)"]] {
                for isChunked in [false, true] {
                    let client = try await gateway.connect()
                    let bytes = Self.post(
                        gateway, Self.call(2 << 20, isModern: headers.count == 3), headers, isChunked: isChunked)
                    async let sent: Void = client.send(bytes)
                    let answer = try await client.answer()
                    #expect(answer.status == 413)
                    #expect(answer.errorCode == -32600)
                    #expect(answer["Connection"] == "close")
                    try? await sent
                }
            }
            // One that is announced is refused before it is sent.
            let client = try await gateway.connect()
            try await client.send(
                "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
            )
            #expect(try await client.answer().status == 413)
            #expect(servers[0].requests.count == before)
        }
    }

    /// What is found to be wrong at the end of a large body.
    static let lateFaults: [(headers: [String], isModern: Bool, tail: String, code: Int)] = [
        (modernHeaders(name: "other"), true, "", -32020), (modernHeaders("tools/list"), true, "", -32020),
        (modernHeaders(), false, "", -32602), ([], true, "", -32020), ([], false, "}", -32700),
        ([], false, ",1", -32700),
    ]

    @Test("checklist 25, 58: a mismatch at the end of a body that flows: 400, and the server never sees the end")
    func lateFaults() async throws {
        try await withServers { gateway, servers in
            for fault in Self.lateFaults {
                for isChunked in [false, true] {
                    let client = try await gateway.connect()
                    let body = Self.call(1 << 20, isModern: fault.isModern, tail: fault.tail)
                    try await client.send(Self.post(gateway, body, fault.headers, isChunked: isChunked))
                    let answer = try await client.answer()
                    #expect(answer.status == 400, "\(fault.headers) \(answer.body)")
                    #expect(answer.errorCode == fault.code, "\(answer.body)")
                    if fault.tail.isEmpty { #expect(answer.errorID == "7") }
                    // A fault that is found before the last byte ends the connection, and says so.
                    guard answer["Connection"] != "close" else {
                        try await client.waitForEnd()
                        continue
                    }
                    try await client.send(gateway.request("GET", "/health"))
                    #expect(try await client.answer().status == 200, "the connection goes on")
                }
            }
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test(
        "a POST without a body is no JSON", arguments: ["", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"])
    func empty(framing: String) async throws {
        try await withServers { gateway, servers in
            for headers in [[], modernHeaders()] {
                let client = try await gateway.connect()
                let lines = headers.map { $0 + "\r\n" }.joined()
                try await client.send(
                    "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\n\(framing)\(lines)\r\n"
                        + (framing.hasPrefix("Transfer") ? "0\r\n\r\n" : ""))
                let answer = try await client.answer()
                #expect(answer.status == 400)
                #expect(answer.errorCode == -32700)
                #expect(answer.errorID == "null")
            }
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test("an initialize of a size that no client sends is refused, because it could not be bound")
    func largeInitialize() async throws {
        try await withServers { gateway, servers in
            let body = initializeRequest.dropLast(2) + #","x":"\#(String(repeating: "x", count: 1 << 20))"}}"#
            let answer = try await gateway.post(String(body))
            #expect(answer.status == 413)
            #expect(answer.errorID == "1")
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test("a body that comes in small pieces is one message", arguments: [false, true])
    func pieces(isChunked: Bool) async throws {
        try await withServers { gateway, servers in
            let session = try await gateway.initialize()
            for (headers, body) in [(modernHeaders(), modernRequest()), (["Mcp-Session-Id: \(session)"], toolCall())] {
                let client = try await gateway.connect()
                var rest = Self.post(gateway, body, headers, isChunked: isChunked)[...]
                while !rest.isEmpty {
                    try await client.send(Array(rest.prefix(29)))
                    rest = rest.dropFirst(29)
                    _ = try await gateway.send("GET", "/health")
                }
                #expect(try await client.answer().status == 200)
                let seen = try #require(servers[0].requests.last)
                #expect(String(buffer: seen.body) == body)
            }
        }
    }

    @Test("a client that does not finish its request leaves nothing behind, and the server sees no whole one")
    func abandoned() async throws {
        try await withServers { gateway, servers in
            let session = try await gateway.initialize()
            for headers in [[], modernHeaders(), ["Mcp-Session-Id: \(session)"]] {
                for isChunked in [false, true] {
                    for size in [1000, 1 << 20] {
                        let body = Self.call(size, isModern: headers.count == 3)
                        let client = try await gateway.connect()
                        try await client.send(
                            Array(Self.post(gateway, body, headers, isChunked: isChunked).dropLast(20)))
                        client.close()
                    }
                }
            }
            let broken = try await gateway.connect()
            try await broken.send(
                "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: \(session)\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcdeXX"
            )
            #expect(try await broken.answer().status == 400)
            #expect(servers[0].requests.count == 1)
        }
    }
}
