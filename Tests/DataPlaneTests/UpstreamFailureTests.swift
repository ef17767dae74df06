// SPDX-License-Identifier: MIT

import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import DataPlane

@Suite("Failing servers")
struct UpstreamFailureTests {
    private static let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    /// A port on which nobody listens.
    private func deadPort() async throws -> Int {
        let server = try await RawServer.listen()
        try await server.close()
        return server.port
    }

    @Test("checklist 7, 59: what no connection was made for goes to another ready instance")
    func connectRefused() async throws {
        let server = TestServer("s")
        let dead = [try await deadPort(), try await deadPort()]
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([.tcp(dead[0], "a"), .tcp(dead[1], "b"), .tcp(port, "c")])
                for _ in 0..<6 {
                    let session = try await gateway.initialize()
                    #expect(try await gateway.call(session).status == 200)
                    #expect(try await gateway.post(modernRequest(), modernHeaders()).status == 200)
                    #expect(try await gateway.post(toolCall()).status == 200)
                }
                try gateway.publish([
                    .tcp(dead[0], "a"), .tcp(dead[1], "b"), .tcp(port, "c", acceptsNewSessions: false),
                ])
                let answer = try await gateway.post(initializeRequest)
                #expect(answer.status == 503)
                #expect(answer.errorID == "1")
            }
        }
    }

    @Test("checklist 7, 17: before anything is known the answer is 503, since a 404 would end sessions that live")
    func nothingKnown() async throws {
        try await withGateway { gateway in
            let answer = try await gateway.post(toolCall(), ["Mcp-Session-Id: some"])
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "1")
            #expect(answer.errorID == "7")
            try gateway.publish([TestGateway.Instance](), name: "other")
            // Every loop hears of it, one after the other.
            for _ in 0..<100 {
                if try await gateway.post(toolCall()).status == 404 { return }
            }
            Issue.record("an adapter that does not exist is 404 once that is known")
        }
    }

    @Test("checklist 17: a session of a server of others is 503 while that is not seen, and goes on when it is")
    func unseenRemote() async throws {
        try await withRawServer { gateway, server in
            let instances = [TestGateway.Instance.tcp(server.port, "remote:away")]
            try gateway.publish(instances, authorities: ["away"])
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], initializeRequest))
            let upstream = try await server.accept()
            #expect(try await upstream.request()["Host"] == "away")
            try await upstream.send("HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nContent-Length: 2\r\n\r\n{}")
            let session = try #require(try await client.answer()["Mcp-Session-Id"])
            try gateway.publish([TestGateway.Instance](), authorities: ["away"])
            try await client.send(
                gateway.request("POST", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"], toolCall()))
            #expect(try await client.answer().status == 503)
            try gateway.publish(instances, authorities: ["away"])
            try await client.send(
                gateway.request("POST", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)"], toolCall()))
            let again = try await server.accept()
            #expect(try await again.request()["Mcp-Session-Id"] == "x")
            try await again.send(Self.fine)
            #expect(try await client.answer().status == 200)
        }
    }

    @Test("checklist 58: a session whose instance takes no connection is answered 503, and goes on later")
    func boundConnectRefused() async throws {
        let server = try await RawServer.listen()
        try await withGateway { gateway in
            try gateway.publish([.tcp(server.port)])
            async let begun = gateway.initialize()
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(
                "HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            let session = try await begun
            let dead = try await deadPort()
            let other = try await RawServer.listen()
            // The same life of the instance at an address that does not answer now; another one would.
            try gateway.publish([.tcp(dead), .tcp(other.port, "other")])
            for isChunked in [false, true] {
                let client = try await gateway.connect()
                let headers = "Host: localhost\r\nMcp-Session-Id: \(session)\r\n"
                let body = toolCall(id: "\"q\"")
                try await client.send(
                    isChunked
                        ? "POST /adapters/a/mcp HTTP/1.1\r\n\(headers)Transfer-Encoding: chunked\r\n\r\n\(EventStreamTests.chunk(body))0\r\n\r\n"
                        : "POST /adapters/a/mcp HTTP/1.1\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                let answer = try await client.answer()
                #expect(answer.status == 503)
                #expect(answer["Retry-After"] == "1")
                if !isChunked { #expect(answer.errorID == "\"q\"") }
            }
            #expect(other.waitingCount == 0, "never to another instance")
            try gateway.publish([.tcp(server.port)])
            async let again = gateway.call(session)
            let next = try await server.accept()
            _ = try await next.request()
            try await next.send(Self.fine)
            #expect(try await again.status == 200)
        }
    }

    @Test("checklist 59: on a connection that was given up, reads are sent again and nothing else is")
    func staleConnections() async throws {
        let cases: [(String, [String], String, Bool)] = [
            ("GET", [], "", true), ("POST", [], toolCall(), false), ("POST", [], initializeRequest, false),
            ("POST", [], #"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#, true),
            ("POST", [], #"{"jsonrpc":"2.0","id":7,"method":"ping"}"#, true),
            ("POST", modernHeaders(), modernRequest(), false),
            ("POST", modernHeaders("tools/list", name: nil), modernRequest("tools/list", params: ""), true),
            ("POST", [], #"{"jsonrpc":"2.0","method":"notifications/x"}"#, false),
        ]
        for isSplit in [false, true] {
            for (method, headers, body, isRetried) in cases {
                try await withRawServer { gateway, server in
                    // Both requests on one connection, so that they share a loop and its pool.
                    let client = try await gateway.connect()
                    try await client.send(gateway.request("POST", "/adapters/a/mcp", [], toolCall()))
                    let upstream = try await server.accept()
                    _ = try await upstream.request()
                    try await upstream.send(Self.fine)
                    _ = try await client.answer()
                    let text = gateway.request(method, "/adapters/a/mcp", headers, body)
                    if isSplit {
                        // The head and the body in pieces, with a look at what the gateway does meanwhile.
                        let head = text.components("\r\n\r\n")[0] + "\r\n\r\n"
                        try await client.send(head)
                        _ = try await gateway.send("GET", "/health")
                        try await client.send(String(text.dropFirst(head.count).prefix(9)))
                        _ = try await gateway.send("GET", "/health")
                        try await client.send(String(text.dropFirst(head.count).dropFirst(9)))
                    } else {
                        try await client.send(text)
                    }
                    // The request is in, and the connection ends without a word.
                    _ = try await upstream.request()
                    upstream.close()
                    if isRetried {
                        let again = try await server.accept()
                        let request = try await again.request()
                        #expect(request.body == body)
                        try await again.send(Self.fine)
                        #expect(try await client.answer().status == 200)
                    } else {
                        let answer = try await client.answer()
                        #expect(answer.status == 502, "\(body)")
                        #expect(answer.errorCode == -32603)
                        #expect(
                            answer.errorID
                                == (body.contains("\"id\":7") ? "7" : body == initializeRequest ? "1" : "null"))
                        #expect(server.waitingCount == 0)
                    }
                }
            }
        }
    }

    @Test("checklist 59: what fails on a fresh connection, or twice, is not sent again")
    func noEndlessRetries() async throws {
        try await withRawServer { gateway, server in
            let list = #"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#
            let client = try await gateway.connect()
            for round in 0..<2 {
                try await client.send(gateway.request("POST", "/adapters/a/mcp", [], list))
                let upstream = try await server.accept()
                _ = try await upstream.request()
                if round == 0 {
                    try await upstream.send(Self.fine)
                    #expect(try await client.answer().status == 200)
                    try await client.send(gateway.request("POST", "/adapters/a/mcp", [], list))
                    _ = try await upstream.request()
                    upstream.close()
                    let again = try await server.accept()
                    _ = try await again.request()
                    again.close()
                } else {
                    upstream.close()
                }
                #expect(try await client.answer().status == 502)
                #expect(server.waitingCount == 0)
            }
        }
    }

    @Test("a pooled connection that ends between a request's head and its body is replaced")
    func endsBeforeBody() async throws {
        try await withRawServer { gateway, server in
            // All on one connection, so that there is one loop and one pooled connection to the server.
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], initializeRequest))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send("HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nContent-Length: 2\r\n\r\n{}")
            let session = try #require(try await client.answer()["Mcp-Session-Id"])
            let text = gateway.request(
                "POST", "/adapters/a/mcp", ["Mcp-Session-Id: \(session)", "Expect: 100-continue"], toolCall())
            let head = text.components("\r\n\r\n")[0] + "\r\n\r\n"
            try await client.send(head)
            // Says that the head was taken in, and so that the pooled connection is reserved for it.
            #expect(try await client.head().startLine == "HTTP/1.1 100 Continue")
            upstream.close()
            // A new connection before there is a body: the end of the first was noticed.
            let next = try await server.accept()
            try await client.send(String(text.dropFirst(head.count)))
            #expect(try await next.request().body == toolCall())
            try await next.send(Self.fine)
            #expect(try await client.answer().status == 200)
        }
    }

    /// What is no answer.
    static let noAnswers = [
        "", "garbage\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "HTTP/1.1 200 OK\r\nNo Colon\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 70_000) + "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le",
    ]

    @Test("an answer that is none is 502", arguments: noAnswers)
    func garbage(_ text: String) async throws {
        try await withRawServer { gateway, server in
            async let answer = gateway.post(toolCall())
            let upstream = try await server.accept()
            _ = try await upstream.request()
            upstream.post(text)
            if !text.hasSuffix("\r\n\r\n") && !text.hasSuffix("\n\n") { try await upstream.flushAndClose() }
            let failure = try await answer
            #expect(failure.status == 502)
            #expect(failure.errorCode == -32603)
            #expect(failure.errorID == "7")
            try await upstream.waitForEnd()
        }
    }

    @Test(
        "an answer that is cut off or broken in its body is broken off for the client",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalfXX",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        ])
    func truncated(_ text: String) async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(text)
            upstream.close()
            let answer = try await client.answer()
            #expect(answer.isCutOff)
        }
    }

    @Test("a server that does not begin its answer in time is 504, and its connection is not used again")
    func timeout() async throws {
        try await withRawServer(configure: Settings { $0.responseTimeout = .seconds(3) }) { gateway, server in
            for _ in 0..<2 {
                async let answer = gateway.post(toolCall())
                let upstream = try await server.accept()
                _ = try await upstream.request()
                let late = try await answer
                #expect(late.status == 504)
                #expect(late.errorCode == -32603)
                #expect(late.errorID == "7")
                try await upstream.waitForEnd()
            }
            // A stream that has begun may be silent for as long as it likes.
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(EventStreamTests.chunkedHead)
            _ = try await client.head()
            async let answer = gateway.post(toolCall())
            let other = try await server.accept()
            _ = try await other.request()
            #expect(try await answer.status == 504)
            try await upstream.send(EventStreamTests.chunk("data: 1\n\n"))
            _ = try await client.receive { $0.contains("data: 1") }
        }
    }

    @Test("a server that says too much, or speaks unasked, loses its connection and harms nobody")
    func excess() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(Self.fine + Self.fine)
            #expect(try await client.answer().body == "{}")
            try await upstream.waitForEnd()
            try await client.send(gateway.request("GET"))
            let second = try await server.accept()
            _ = try await second.request()
            try await second.send(Self.fine)
            #expect(try await client.answer().body == "{}")
            try await second.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            try await second.waitForEnd()
            try await client.send(gateway.request("GET"))
            let third = try await server.accept()
            _ = try await third.request()
            try await third.send(Self.fine)
            #expect(try await client.answer().body == "{}")
        }
    }

    @Test("a new life of an instance at the same address never gets its sessions over the connections of the old one")
    func sameAddress() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            let old = try await server.accept()
            _ = try await old.request()
            try await old.send(Self.fine)
            _ = try await client.answer()
            try gateway.publish([.tcp(server.port, "new")])
            try await old.waitForEnd()
            try await client.send(gateway.request("GET"))
            let new = try await server.accept()
            _ = try await new.request()
            try await new.send(Self.fine)
            #expect(try await client.answer().status == 200)
        }
    }
}
