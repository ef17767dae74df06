// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Passing through")
struct PassThroughTests {
    @Test(
        "checklist 6: statuses, bodies and content types of the server pass as they are",
        arguments: [200, 201, 202, 400, 401, 403, 404, 405, 406, 409, 415, 422, 429, 500, 501, 503])
    func statuses(_ status: Int) async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], toolCall()))
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(
                "HTTP/1.1 \(status) Its Own Words\r\nContent-Type: text/x-odd; a=b\r\nRetry-After: 9\r\nWWW-Authenticate: Bearer x\r\nContent-Length: 7\r\n\r\n{ odd }"
            )
            let answer = try await client.answer()
            #expect(answer.startLine == "HTTP/1.1 \(status) Its Own Words")
            #expect(answer.body == "{ odd }")
            #expect(answer["Content-Type"] == "text/x-odd; a=b")
            #expect(answer["Retry-After"] == "9")
            #expect(answer["WWW-Authenticate"] == "Bearer x")
        }
    }

    @Test("what belongs to a hop, to the gateway or to the browser's user does not pass to the server")
    func requestFields() async throws {
        try await withRawServer { gateway, server in
            let client = try await gateway.connect()
            try await client.send(
                gateway.request(
                    "POST", "/adapters/a/mcp?a=1&b=%2F",
                    [
                        "Connection: keep-alive, X-Hop, close-not", "X-Hop: 1", "Keep-Alive: 5", "TE: trailers",
                        "Trailer: X", "Upgrade: h2c", "Proxy-Authorization: Basic x", "Proxy-Connection: y",
                        "Cookie: session=secret", "Authorization: Bearer secret", "Origin: http://localhost:3000",
                        "Forwarded: for=6.6.6.6", "X-Forwarded-For: 6.6.6.6", "x-forwarded-host: evil",
                        "X-Real-IP: 6.6.6.6", "MCP-Gateway-Principal: 00", "mcp-gateway-other: 1", "X-Own: kept",
                        "Accept: application/json, text/event-stream", "User-Agent: t/1", "Mcp-Session-Id-Not: x",
                        "traceparent: 00-1-2-01",
                    ], toolCall()))
            let upstream = try await server.accept()
            let request = try await upstream.request()
            #expect(request.startLine == "POST /mcp?a=1&b=%2F HTTP/1.1")
            #expect(request["Host"] == "127.0.0.1:\(server.port)")
            #expect(request.body == toolCall())
            let names = Set(request.fields.map { $0.name.lowercased() })
            #expect(
                names == [
                    "host", "content-type", "content-length", "x-own", "accept", "user-agent", "mcp-session-id-not",
                    "traceparent", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                ])
            #expect(request.values(of: "Forwarded") == ["for=127.0.0.1;host=\"127.0.0.1:\(gateway.port)\";proto=http"])
            #expect(request.values(of: "X-Forwarded-For") == ["127.0.0.1"])
            #expect(request.values(of: "X-Forwarded-Host") == ["127.0.0.1:\(gateway.port)"])
            try await upstream.send(
                """
                HTTP/1.1 200 OK\r
                Connection: X-Hop2\r
                X-Hop2: 1\r
                Keep-Alive: timeout=5\r
                Set-Cookie: a=b\r
                Set-Cookie2: a=b\r
                Proxy-Authenticate: x\r
                Location: http://internal/\r
                Trailer: x\r
                Upgrade: h2c\r
                Mcp-Session-Id: leaked\r
                MCP-Gateway-Principal: leaked\r
                Access-Control-Allow-Origin: *\r
                Access-Control-Allow-Credentials: true\r
                X-Own: kept\r
                Server: s\r
                Content-Length: 2\r
                \r
                {}
                """)
            let answer = try await client.answer()
            let answerNames = Set(answer.fields.map { $0.name.lowercased() })
            #expect(
                answerNames == [
                    "x-own", "server", "content-length", "access-control-allow-origin",
                    "access-control-expose-headers", "vary",
                ])
            #expect(answer.values(of: "Access-Control-Allow-Origin") == ["http://localhost:3000"])
        }
    }

    @Test("only the bridge of a stdio server is told who asks, and only by the gateway")
    func principal() async throws {
        let server = try await RawServer.listen()
        try await withGateway(authenticator: TestAuthenticator()) { gateway in
            for transport in [Transport.stdio, .streamableHTTP] {
                try gateway.publish([.tcp(server.port, "\(transport)")], transport: transport)
                let headers = ["Authorization: Bearer ab", "MCP-Gateway-Principal: 6162"]
                async let answer = gateway.post(toolCall(), headers)
                let upstream = try await server.accept()
                let request = try await upstream.request()
                #expect(request.values(of: "MCP-Gateway-Principal") == (transport == .stdio ? ["6162"] : []))
                #expect(request["Authorization"] == nil)
                try await upstream.send("HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                #expect(try await answer.status == 202)
            }
            try gateway.publish([.tcp(server.port, "stdio")], transport: .stdio)
            for path in ["/adapters/a/sse", "/adapters/a/messages?session_id=x"] {
                let answer = try await gateway.send(
                    path.hasSuffix("sse") ? "GET" : "POST", path, ["Authorization: Bearer ab"])
                #expect(answer.status == 404)
            }
        }
    }

    @Test("a server behind a Unix socket is served the same, under the name localhost")
    func unixSocket() async throws {
        let path = "/tmp/dp-\(UInt64.random(in: 0 ... .max)).sock"
        let server = try await RawServer.listen(path: path)
        try await withGateway { gateway in
            try gateway.publish([TestGateway.Instance(endpoint: .unix(path: path), incarnation: "i")])
            async let answer = gateway.post(initializeRequest)
            let upstream = try await server.accept()
            #expect(try await upstream.request()["Host"] == "localhost")
            try await upstream.send("HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nContent-Length: 2\r\n\r\n{}")
            #expect(try await answer["Mcp-Session-Id"] != nil)
            try await server.close()
            upstream.close()
            try gateway.publish([
                TestGateway.Instance(endpoint: .unix(path: "/tmp/none-\(path.count)"), incarnation: "j")
            ])
            #expect(try await gateway.post(initializeRequest).status == 503)
            try gateway.publish([
                TestGateway.Instance(endpoint: .unix(path: "/" + String(repeating: "x", count: 200)), incarnation: "k")
            ])
            #expect(try await gateway.post(initializeRequest).status == 503)
        }
    }

    @Test("an answer in HTTP/1.0, that ends with the connection, or in chunks arrives whole in the client's version")
    func framings() async throws {
        let answers = [
            "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbody",
            "HTTP/1.0 200 OK\r\nContent-Type: a/b\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nConnection: close\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nT: v\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\r\nContent-Type: a/b\r\nContent-Length: 4\r\n\r\nbody",
        ]
        try await withRawServer { gateway, server in
            for text in answers {
                for version in ["1.1", "1.0"] {
                    let client = try await gateway.connect()
                    try await client.send(
                        gateway.request("POST", "/adapters/a/mcp", [], toolCall()).replacing(
                            "HTTP/1.1", with: "HTTP/\(version)"))
                    let upstream = try await server.accept()
                    _ = try await upstream.request()
                    try await upstream.send(text)
                    upstream.close()
                    let answer = try await client.answer()
                    #expect(answer.startLine.hasPrefix("HTTP/1.1 200"), "\(text)")
                    #expect(answer.body.hasPrefix("body"), "\(text)")
                    #expect(!answer.isCutOff)
                    if version == "1.0" {
                        #expect(answer["Transfer-Encoding"] == nil)
                        #expect(answer.body == "body")
                        try await client.waitForEnd()
                    }
                }
            }
        }
    }

    @Test("a redirect is not for the client", arguments: [300, 301, 302, 303, 307, 308])
    func redirects(_ status: Int) async throws {
        try await withRawServer { gateway, server in
            async let answer = gateway.post(toolCall())
            let upstream = try await server.accept()
            _ = try await upstream.request()
            try await upstream.send(
                "HTTP/1.1 \(status) X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
            let failure = try await answer
            #expect(failure.status == 502)
            #expect(failure["Location"] == nil)
            #expect(failure.errorID == "7")
        }
    }
}
