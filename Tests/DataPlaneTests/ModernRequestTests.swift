// SPDX-License-Identifier: MIT

import HTTP
import NIOConcurrencyHelpers
import NIOCore
import Testing

@Suite("Modern requests")
struct ModernRequestTests {
    @Test("checklist 1, 2: both eras are served on one route, one after the other")
    func bothEras() async throws {
        try await withServers { gateway, servers in
            for round in 1...3 {
                let session = try await gateway.initialize()
                #expect(try await gateway.call(session).status == 200)
                let answer = try await gateway.post(modernRequest(id: "\(round)"), modernHeaders())
                #expect(answer.status == 200)
                #expect(answer.body == #"{"jsonrpc":"2.0","id":\#(round),"result":"stateless on s0"}"#)
                #expect(answer["Mcp-Session-Id"] == nil)
            }
            #expect(
                servers[0].requests.filter { $0.headers["Mcp-Method"] == "tools/call" }.count == 3)
        }
    }

    /// What is wrong with a request, its headers and its body, and the code of the error.
    static let mismatches: [(String, [String], String, Int)] = [
        ("no version header", ["Mcp-Method: tools/call", "Mcp-Name: count"], modernRequest(), -32020),
        (
            "a legacy version header",
            ["MCP-Protocol-Version: 2025-11-25", "Mcp-Method: tools/call", "Mcp-Name: count"], modernRequest(), -32020
        ),
        ("no method header", ["MCP-Protocol-Version: 2026-07-28", "Mcp-Name: count"], modernRequest(), -32020),
        ("no name header", modernHeaders(name: nil), modernRequest(), -32020),
        ("another method", modernHeaders("tools/list"), modernRequest(), -32020),
        ("the method in another case", modernHeaders("Tools/call"), modernRequest(), -32020),
        ("another name", modernHeaders(name: "other"), modernRequest(), -32020),
        ("the name in another case", modernHeaders(name: "Count"), modernRequest(), -32020),
        ("a bad sentinel", modernHeaders(name: "=?base64?!!!?="), modernRequest(), -32020),
        ("a sentinel in capitals", modernHeaders(name: "=?BASE64?Y291bnQ=?="), modernRequest(), -32020),
        ("two versions", modernHeaders() + ["MCP-Protocol-Version: 2026-07-28"], modernRequest(), -32020),
        ("two methods", modernHeaders() + ["mcp-method: tools/call"], modernRequest(), -32020),
        ("two names", modernHeaders() + ["MCP-NAME: count"], modernRequest(), -32020),
        (
            "a task of another name", modernHeaders("tasks/get", name: "t1"),
            modernRequest("tasks/get", params: #""taskId":"t2","#), -32020
        ),
        (
            "a resource of another URI", modernHeaders("resources/read", name: "a://b"),
            modernRequest("resources/read", params: #""uri":"a://c","#), -32020
        ),
        ("initialize with a modern header", modernHeaders("initialize", name: nil), initializeRequest, -32020),
        ("no metadata", modernHeaders(), toolCall(), -32602),
        (
            "no capabilities", modernHeaders(),
            #"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"count","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
            -32602
        ),
        (
            "a version that is no text", modernHeaders(),
            #"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"count","_meta":{"io.modelcontextprotocol/protocolVersion":1,"io.modelcontextprotocol/clientCapabilities":{}}}}"#,
            -32602
        ),
        (
            "a future revision", ["MCP-Protocol-Version: 2099-01-01", "Mcp-Method: tools/call", "Mcp-Name: count"],
            modernRequest().replacing("2026-07-28", with: "2099-01-01"), -32022
        ),
    ]

    @Test("checklist 4, 5, 25-27, 29, 58: what headers and body don't agree on never reaches a server")
    func mismatches() async throws {
        try await withServers { gateway, servers in
            for (what, headers, body, code) in Self.mismatches {
                for id in ["7", "\"seven\""] {
                    let isInitialize = body == initializeRequest
                    let body =
                        isInitialize
                        ? body.replacing("\"id\":1", with: "\"id\":\(id)")
                        : body.replacing("\"id\":7", with: "\"id\":\(id)")
                    let answer = try await gateway.post(body, headers)
                    #expect(answer.status == 400, "\(what)")
                    #expect(answer.errorCode == code, "\(what): \(answer.body)")
                    #expect(answer.errorID == id, "\(what): \(answer.body)")
                    #expect(answer["Content-Type"] == "application/json")
                    #expect(servers[0].requests.isEmpty, "\(what)")
                }
            }
            let future = try #require(Self.mismatches.last)
            let answer = try await gateway.post(future.2, future.1)
            #expect(answer.body.contains(#""data":{"supported":["2026-07-28"],"requested":"2099-01-01"}"#))
        }
    }

    /// Names that headers and bodies agree on.
    static let agreements: [(header: String, body: String)] = [
        ("count", "count"), ("  count  ", "count"), ("two words", "two words"), ("=?base64?Y291bnQ=?=", "count"),
        ("=?base64?w7xiZXI=?=", "über"), ("=?base64?w7xiZXI=?=", #"\u00fcber"#),
    ]

    @Test("checklist 26: names are compared as they are meant", arguments: agreements)
    func agreement(_ header: String, _ body: String) async throws {
        try await withServers { gateway, servers in
            let headers = ["mCp-PrOtOcOl-VeRsIoN:2026-07-28", "MCP-METHOD:\ttools/call\t", "mcp-name: \(header)"]
            let answer = try await gateway.post(modernRequest(params: #""name":"\#(body)","#), headers)
            #expect(answer.status == 200, "\(answer.body)")
            #expect(servers[0].requests.first?.headers["Mcp-Method"] == "tools/call")
        }
    }

    @Test("checklist 20: a session id and an event id mean nothing to a modern request")
    func sessionIsIgnored() async throws {
        try await withServers(3) { gateway, servers in
            let session = try await gateway.initialize()
            let owner = try #require(servers.first { !$0.requests.isEmpty })
            for id in [session, "nonsense"] {
                for _ in 0..<6 {
                    let answer = try await gateway.post(
                        modernRequest(), modernHeaders() + ["Mcp-Session-Id: \(id)", "Last-Event-ID: 4"])
                    #expect(answer.status == 200)
                    #expect(answer["Mcp-Session-Id"] == nil)
                }
            }
            for server in servers {
                #expect(server.requests.allSatisfy { $0.headers["Mcp-Session-Id"] == nil })
            }
            #expect(owner.requests.count < 13, "any instance takes them")
        }
    }

    @Test("checklist 21: GET and DELETE of the modern era are answered 405 with Allow: POST")
    func otherMethods() async throws {
        try await withServers { gateway, servers in
            for method in ["GET", "DELETE"] {
                let answer = try await gateway.send(method, "/adapters/a/mcp", ["MCP-Protocol-Version: 2026-07-28"])
                #expect(answer.status == 405)
                #expect(answer["Allow"] == "POST")
            }
            #expect(servers[0].requests.isEmpty)
        }
    }

    @Test("checklist 28: parameter headers pass, known or not")
    func parameters() async throws {
        try await withServers { gateway, servers in
            let headers = ["Mcp-Param-Region: eu-1", "mcp-param-unknown: =?base64?w7w=?=", "Mcp-Param-: odd"]
            #expect(try await gateway.post(modernRequest(), modernHeaders() + headers).status == 200)
            let seen = try #require(servers[0].requests.first)
            #expect(seen.headers["Mcp-Param-Region"] == "eu-1")
            #expect(seen.headers["mcp-param-unknown"] == "=?base64?w7w=?=")
            #expect(seen.headers["Mcp-Param-"] == "odd")
        }
    }

    @Test("checklist 24: what the body holds passes byte for byte")
    func bodies() async throws {
        try await withServers { gateway, servers in
            let body = modernRequest(
                params: #" "name" : "count", "requestState":"\u0041\/é ","inputResponses":{"a":[1.0e2,-0]},"#)
            #expect(try await gateway.post(body, modernHeaders()).status == 200)
            let seen = try #require(servers[0].requests.first)
            #expect(String(buffer: seen.body) == body)
        }
    }

    @Test("checklist 39: an accepted notification is answered with the server's empty 202")
    func notification() async throws {
        try await withServers(
            extra: ExtraAnswers { request in
                String(buffer: request.body).contains("notifications/") ? HTTPResponse(status: 202) : nil
            }
        ) { gateway, _ in
            let note = #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#
            let legacy = try await gateway.post(note)
            #expect(legacy.status == 202 && legacy.payload.isEmpty && legacy["Content-Length"] == "0")
            let modern = try await gateway.post(note, modernHeaders("notifications/initialized", name: nil))
            #expect(modern.status == 202 && modern.payload.isEmpty)
        }
    }
}
