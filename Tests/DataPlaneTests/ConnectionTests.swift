// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import DataPlane

@Suite("Client connections")
struct ConnectionTests {
    @Test("one connection carries requests of every kind, one after the other")
    func everyKind() async throws {
        try await withServers(
            extra: ExtraAnswers { request in
                switch request.headers["X-Kind"] {
                case "events":
                    HTTPResponse(
                        status: 200, headers: ["Content-Type": "text/event-stream"],
                        body: .bytes(ByteBuffer(string: "data: 1\n\n")))
                case "empty": HTTPResponse(status: 204)
                case "large": .json(String(repeating: "x", count: 1 << 20))
                default: nil
                }
            }
        ) { gateway, _ in
            let session = try await gateway.initialize()
            let inSession = ["Mcp-Session-Id: \(session)"]
            let mcp = "/adapters/a/mcp"
            let requests: [(String, Int)] = [
                (gateway.request("POST", mcp, inSession, toolCall()), 200),
                (gateway.request("POST", mcp, modernHeaders(), modernRequest()), 200),
                (gateway.request("GET", "/health"), 200),
                (gateway.request("POST", mcp, inSession + ["X-Kind: events"], toolCall()), 200),
                (gateway.request("POST", mcp, modernHeaders(name: "other"), modernRequest()), 400),
                (gateway.request("POST", mcp, [], "not json"), 400),
                (gateway.request("GET", mcp, ["Mcp-Session-Id: nonsense"]), 404),
                (gateway.request("POST", mcp, [], initializeRequest), 200),
                (gateway.request("POST", mcp, ["X-Kind: empty"], toolCall()), 204),
                (gateway.request("PUT", mcp), 405),
                (gateway.request("POST", mcp, ["X-Kind: large"], toolCall()), 200),
                (gateway.request("POST", "/adapters/none/mcp", [], toolCall()), 404),
                (gateway.request("POST", "/adapters", [], "{}"), 200),
                (
                    gateway.request(
                        "OPTIONS", mcp, ["Origin: http://localhost", "Access-Control-Request-Method: POST"]), 204
                ),
                (gateway.request("POST", mcp, ["Origin: http://evil.example"], toolCall()), 403),
                (
                    "POST \(mcp) HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + EventStreamTests.chunk(toolCall()) + "0\r\n\r\n", 200
                ),
                ("\r\n" + gateway.request("DELETE", mcp, inSession), 200),
                (gateway.request("POST", mcp, inSession, toolCall()), 404),
            ]
            let client = try await gateway.connect()
            for (index, request) in requests.enumerated() {
                try await client.send(request.0)
                let answer = try await client.answer()
                #expect(answer.status == request.1, "request \(index): \(answer.startLine) \(answer.body.prefix(300))")
            }
            // The same, all at once.
            let second = try await gateway.initialize()
            let pipelined = requests.map { ($0.0.replacing(session, with: second), $0.1) }
            async let sent: Void = client.send(pipelined.map(\.0).joined())
            for (index, request) in pipelined.enumerated() {
                #expect(try await client.answer().status == request.1, "pipelined request \(index)")
            }
            try await sent
            #expect(!client.hasEnded)
        }
    }

    @Test(
        "methods that a route does not take are 405 and say which it takes",
        arguments: ["HEAD", "PUT", "PATCH", "OPTIONS", "TRACE", "ODD"])
    func methods(_ method: String) async throws {
        try await withServers { gateway, servers in
            let answer = try await gateway.send(method)
            #expect(answer.status == 405)
            #expect(answer["Allow"] == "GET, POST, DELETE")
            let client = try await gateway.connect()
            try await client.send(gateway.request(method) + gateway.request("GET", "/health"))
            let text = try await client.receive { $0.contains("control GET /health") }
            // A HEAD has no body, so that the next answer follows at once.
            #expect(text.components("HTTP/1.1 ").count == 3)
            if method == "HEAD" { #expect(text.contains("\r\n\r\nHTTP/1.1 200")) }
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test(
        "paths that are not exactly those of the data plane go to the control plane",
        arguments: [
            "/adapters", "/adapters/a", "/adapters/a/", "/adapters/a/mcp/", "/adapters/a/mcpx", "/adapters//mcp",
            "/adapters/a/status", "/x",
        ])
    func otherPaths(_ path: String) async throws {
        try await withServers { gateway, servers in
            let answer = try await gateway.send("GET", path)
            #expect(answer.body == "control GET \(path)")
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test("what is not HTTP is refused and nothing of it reaches a server")
    func malformed() async throws {
        try await withServers { gateway, servers in
            for (text, status) in [
                ("GET /adapters/a/mcp HTTP/1.1\r\n\r\n", 400),
                ("GET /adapters/a/mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                (
                    "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                    400
                ),
                ("POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1, 2\r\n\r\n", 400),
                ("GET /adapters/a/mcp HTTP/2.0\r\nHost: localhost\r\n\r\n", 505), ("garbage\r\n\r\n", 400),
                (
                    "GET /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "x", count: 40_000))\r\n\r\n",
                    431
                ),
            ] {
                let client = try await gateway.connect()
                try await client.send(text)
                #expect(try await client.answer().status == status, "\(text.prefix(80))")
                try await client.waitForEnd()
            }
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test("a client that waits to be told gets 100 Continue, also for an answer that needs no server")
    func expectation() async throws {
        try await withServers { gateway, _ in
            let session = try await gateway.initialize()
            for (headers, status) in [(["Mcp-Session-Id: \(session)"], 200), ([], 200), (["Mcp-Session-Id: no"], 404)] {
                for _ in 0..<2 {
                    let client = try await gateway.connect()
                    let body = toolCall()
                    try await client.send(
                        "POST /adapters/a/mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: \(body.utf8.count)\r\n\(headers.map { $0 + "\r\n" }.joined())\r\n"
                    )
                    #expect(try await client.head().startLine == "HTTP/1.1 100 Continue")
                    try await client.send(body)
                    #expect(try await client.answer().status == status)
                }
            }
        }
    }
}

@Suite("Origins and hosts")
struct OriginTests {
    @Test(
        "checklist 55: foreign origins are 403 and foreign hosts 421, before anything else",
        arguments: ["GET", "POST", "DELETE", "OPTIONS"])
    func refused(_ method: String) async throws {
        try await withServers { gateway, servers in
            for path in ["/adapters/a/mcp", "/adapters/a/sse", "/adapters/none/mcp", "/adapters"] {
                for origin in [
                    "http://evil.example", "null", "https://localhost.evil.example", "http://127.0.0.1.evil.example",
                    "file://", "",
                ] {
                    let answer = try await gateway.send(
                        method, path, ["Origin: \(origin)", "Access-Control-Request-Method: POST"], toolCall())
                    #expect(answer.status == 403, "\(path) \(origin)")
                    #expect(answer["Access-Control-Allow-Origin"] == nil)
                    #expect(answer["Access-Control-Allow-Methods"] == nil)
                }
                for host in [
                    "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "0.0.0.0", "localhost.evil.example",
                ] {
                    let client = try await gateway.connect()
                    try await client.send("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                    #expect(try await client.answer().status == 421, "\(host)")
                }
            }
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test("checklist 55: origins of this machine and those that are named are served, and see what they need")
    func allowed() async throws {
        try await withServers(
            configure: Settings {
                $0.origins.allowedOrigins = ["https://app.example"]
                $0.origins.allowedHosts = ["gateway.example"]
            }
        ) { gateway, servers in
            for origin in [
                "http://localhost:6274", "https://127.0.0.1", "http://[::1]:1", "https://app.example",
                "HTTPS://App.Example",
            ] {
                let answer = try await gateway.post(initializeRequest, ["Origin: \(origin)"])
                #expect(answer.status == 200)
                #expect(answer["Access-Control-Allow-Origin"] == origin)
                #expect(answer["Access-Control-Expose-Headers"]?.hasPrefix("Mcp-Session-Id, WWW-Authenticate") ?? false)
                #expect(answer["Vary"] == "Origin")
                let fault = try await gateway.post("[]", ["Origin: \(origin)"])
                #expect(fault["Access-Control-Allow-Origin"] == origin)
                let preflight = try await gateway.send(
                    "OPTIONS", "/adapters/a/mcp",
                    [
                        "Origin: \(origin)", "Access-Control-Request-Method: POST",
                        "Access-Control-Request-Headers: mcp-method,mcp-param-x",
                    ])
                #expect(preflight.status == 204)
                #expect(preflight["Access-Control-Allow-Origin"] == origin)
                #expect(preflight["Access-Control-Allow-Headers"] == "mcp-method,mcp-param-x")
                #expect(preflight["Access-Control-Allow-Methods"]?.contains("DELETE") ?? false)
            }
            let page = try await gateway.send("GET", "/adapters", ["Origin: https://app.example"])
            #expect(page["Access-Control-Allow-Origin"] == "https://app.example")
            #expect(page["Access-Control-Expose-Headers"]?.contains("ETag") ?? false)
            #expect(page["Vary"] == "Origin")
            #expect(try await gateway.send("GET", "/adapters")["Access-Control-Allow-Origin"] == nil)
            #expect(servers[0].requests.allSatisfy { $0.headers["Origin"] == nil && $0.method == "POST" })
            for host in ["gateway.example", "Gateway.Example:80", "localhost", "[::1]:8000", "a.localhost"] {
                let client = try await gateway.connect()
                try await client.send("GET /adapters/a/mcp HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                #expect(try await client.answer().status == 200, "\(host)")
            }
        }
    }
}
