// SPDX-License-Identifier: MIT

import MCPProtocol
import Testing

@Suite("Request classifier")
struct RequestClassifierTests {
    /// Header lines of one request; a name that is given twice is repeated.
    struct Head: Sendable {
        var version: [String] = []
        var method: [String] = []
        var name: [String] = []
        var session: [String] = []
    }

    static let modern = "2026-07-28"
    static let meta = metadata(modern)

    static func metadata(_ version: String) -> String {
        #""_meta":{"io.modelcontextprotocol/protocolVersion":"\#(version)","io.modelcontextprotocol/clientCapabilities":{}}"#
    }

    static func request(_ method: String, _ params: String = "") -> String {
        #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":{\#(params)}}"#
    }

    private func withHeaders<Value>(_ head: Head, _ body: (RoutingHeaders) throws -> Value) rethrows -> Value {
        let lines = [head.version, head.method, head.name, head.session].map { $0.map { Array($0.utf8) } }
        func with(_ index: Int, _ done: [RoutingHeader]) throws -> Value {
            guard index < lines.count else {
                return try body(
                    RoutingHeaders(protocolVersion: done[0], method: done[1], name: done[2], session: done[3]))
            }
            guard let line = lines[index].first else { return try with(index + 1, done + [.absent]) }
            guard lines[index].count == 1 else { return try with(index + 1, done + [.repeated]) }
            return try line.withUnsafeBytes { try with(index + 1, done + [.value($0)]) }
        }
        return try with(0, [])
    }

    private func post(_ body: String, _ head: Head = Head(), _ policy: RoutePolicy = RoutePolicy()) throws
        -> RouteVerdict
    {
        let envelope = try scan(body)
        return withHeaders(head) { RequestClassifier($0, policy: policy).classify(envelope) }
    }

    private func get(_ head: Head = Head(), _ policy: RoutePolicy = RoutePolicy()) -> RouteVerdict {
        withHeaders(head) { RequestClassifier($0, policy: policy).classify(.get) }
    }

    private func code(_ verdict: RouteVerdict) -> Int? {
        if case .reject(let fault) = verdict { fault.code } else { nil }
    }

    private func isModern(_ verdict: RouteVerdict) -> Bool {
        if case .modern = verdict { true } else { false }
    }

    private static let call = request("tools/call", #""name":"add","# + meta)
    private static let callHead = Head(version: [modern], method: ["tools/call"], name: ["add"])

    @Test("checklist 1: the era follows from metadata and version header")
    func era() throws {
        #expect(try post(Self.request("tools/list")) == .legacyStateless)
        #expect(try post(Self.request("tools/list"), Head(session: ["s"])) == .legacySession)
        #expect(try post(Self.request("tools/list"), Head(version: ["2025-06-18"], session: ["s"])) == .legacySession)
        #expect(isModern(try post(Self.call, Self.callHead)))
        #expect(get() == .legacyStateless)
        #expect(get(Head(session: ["s"])) == .legacySession)
    }

    @Test("checklist 2: initialize without a version header and a modern request are each what they are")
    func bothEras() throws {
        #expect(try post(Self.request("initialize", #""protocolVersion":"2025-11-25""#)) == .legacyInitialize)
        let verdict = try post(Self.call, Self.callHead)
        guard case .modern(let call) = verdict else {
            Issue.record("\(verdict)")
            return
        }
        #expect(call.method.elementsEqual("tools/call".utf8))
        #expect(call.name?.elementsEqual("add".utf8) == true)
        #expect(call.knownMethod == .callTool)
    }

    @Test(
        "checklist 2: initialize with a legacy version header begins a session; with a session id it belongs to that one"
    )
    func initialize() throws {
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "1.0", ""] {
            #expect(try post(Self.request("initialize"), Head(version: [version])) == .legacyInitialize)
        }
        #expect(try post(Self.request("initialize"), Head(session: ["s"])) == .legacySession)
        #expect(code(try post(#"{"jsonrpc":"2.0","method":"initialize"}"#)) == -32600)
    }

    @Test("checklist 3: a missing version header is legacy, but on a modern-only route it is -32020")
    func missingVersion() throws {
        let policy = RoutePolicy(isModernOnly: true)
        #expect(try post(Self.request("ping")) == .legacyStateless)
        #expect(code(try post(Self.request("ping"), Head(), policy)) == -32020)
        #expect(code(try post(Self.request("initialize"), Head(), policy)) == -32020)
        #expect(code(try post(Self.request("ping"), Head(version: ["2025-06-18"]), policy)) == -32022)
        #expect(
            try post(Self.request("initialize", #""protocolVersion":"2025-11-25""#), Head(), policy)
                == .reject(.unsupportedVersion(requested: "2025-11-25", supported: [Self.modern])))
        #expect(isModern(try post(Self.call, Self.callHead, policy)))
    }

    @Test("checklist 4: initialize with a modern version header is refused with -32020")
    func modernInitialize() throws {
        for version in [Self.modern, "2027-01-01"] {
            #expect(code(try post(Self.request("initialize"), Head(version: [version]))) == -32020)
        }
    }

    @Test("checklist 4: a modern version header without metadata is refused with -32602")
    func missingMetadata() throws {
        for params in [
            "", #""_meta":{}"#, #""_meta":{"io.modelcontextprotocol/clientCapabilities":{}}"#, #""_meta":[]"#,
        ] {
            let verdict = try post(
                Self.request("tools/list", params), Head(version: [Self.modern], method: ["tools/list"]))
            #expect(code(verdict) == -32602)
        }
    }

    @Test("checklist 4: metadata with a wrong or missing part is refused with -32602 before headers are compared")
    func incompleteMetadata() throws {
        for meta in [
            #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
            #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":[]}"#,
            #""_meta":{"io.modelcontextprotocol/protocolVersion":1,"io.modelcontextprotocol/clientCapabilities":{}}"#,
            #""_meta":{"io.modelcontextprotocol/protocolVersion":null,"io.modelcontextprotocol/clientCapabilities":{}}"#,
        ] {
            #expect(code(try post(Self.request("tools/list", meta))) == -32602)
        }
    }

    @Test("checklist 5: a revision that nobody claims is refused with -32022, what is supported and what was requested")
    func unknownRevision() throws {
        for version in ["2027-01-01", "1999-01-01", "DRAFT-2027", "2025-11-25"] {
            let body = Self.request("tools/list", Self.metadata(version))
            #expect(
                try post(body, Head(version: [version], method: ["tools/list"]))
                    == .reject(.unsupportedVersion(requested: version, supported: [Self.modern])))
        }
        #expect(code(try post(Self.request("tools/list"), Head(version: ["2027-01-01"]))) == -32022)
    }

    @Test("checklist 5: a revision that a server claims is forwarded")
    func claimedRevision() throws {
        let policy = RoutePolicy(claimedRevisions: ["2027-01-01", "DRAFT-2027"])
        for version in ["2027-01-01", "DRAFT-2027"] {
            let body = Self.request("tools/list", Self.metadata(version))
            #expect(isModern(try post(body, Head(version: [version], method: ["tools/list"]), policy)))
        }
        #expect(
            try post(Self.request("x", Self.metadata("2028-01-01")), Head(version: ["2028-01-01"]), policy)
                == .reject(
                    .unsupportedVersion(requested: "2028-01-01", supported: ["DRAFT-2027", "2027-01-01", Self.modern])))
    }

    @Test("checklist 20: a session header means nothing to a modern request")
    func modernWithSession() throws {
        var head = Self.callHead
        head.session = ["s"]
        #expect(isModern(try post(Self.call, head)))
        head.session = ["s", "t"]
        #expect(isModern(try post(Self.call, head)))
    }

    @Test("checklist 21: GET and DELETE are refused with 405 and Allow: POST where only the modern era can be meant")
    func modernGet() {
        let refused = RouteVerdict.reject(.methodNotAllowed(allow: "POST"))
        #expect(get(Head(version: [Self.modern])) == refused)
        #expect(get(Head(version: ["2027-01-01"])) == refused)
        #expect(get(Head(), RoutePolicy(isModernOnly: true)) == refused)
        #expect(withHeaders(Head(version: [Self.modern])) { RequestClassifier($0).classify(.delete) } == refused)
        #expect(get(Head(version: ["2025-11-25"], session: ["s"])) == .legacySession)
    }

    @Test(
        "checklist 25: each routing header that is missing or says something else is -32020",
        arguments: [
            Head(method: ["tools/call"], name: ["add"]),
            Head(version: ["2025-11-25"], method: ["tools/call"], name: ["add"]),
            Head(version: ["2027-01-01"], method: ["tools/call"], name: ["add"]),
            Head(version: [modern], name: ["add"]),
            Head(version: [modern], method: [""], name: ["add"]),
            Head(version: [modern], method: ["tools/list"], name: ["add"]),
            Head(version: [modern], method: ["tools/call"]),
            Head(version: [modern], method: ["tools/call"], name: [""]),
            Head(version: [modern], method: ["tools/call"], name: ["sub"]),
            Head(version: [modern], method: ["tools/call"], name: ["ad"]),
        ])
    func mismatch(_ head: Head) throws {
        #expect(code(try post(Self.call, head)) == -32020)
    }

    @Test("checklist 25: the header names the tool, the prompt, the URI or the task, as the method says")
    func nameSources() throws {
        for (method, member) in [
            ("tools/call", "name"), ("prompts/get", "name"), ("resources/read", "uri"), ("tasks/get", "taskId"),
            ("tasks/update", "taskId"), ("tasks/cancel", "taskId"),
        ] {
            let body = Self.request(method, #""\#(member)":"x:/y","# + Self.meta)
            #expect(isModern(try post(body, Head(version: [Self.modern], method: [method], name: ["x:/y"]))))
            #expect(code(try post(body, Head(version: [Self.modern], method: [method], name: ["x"]))) == -32020)
            #expect(code(try post(body, Head(version: [Self.modern], method: [method]))) == -32020)
            let bare = Self.request(method, Self.meta)
            #expect(code(try post(bare, Head(version: [Self.modern], method: [method], name: ["x"]))) == -32020)
        }
        #expect(
            isModern(
                try post(
                    Self.request("tools/list", Self.meta),
                    Head(version: [Self.modern], method: ["tools/list"], name: ["x"]))))
    }

    @Test("checklist 25: a request that names nothing needs no Mcp-Name, and the server says what is wrong with it")
    func nameless() throws {
        let head = Head(version: [Self.modern], method: ["tools/call"])
        for params in [Self.meta, #""name":5,"# + Self.meta] {
            #expect(isModern(try post(Self.request("tools/call", params), head)))
        }
        let long = #""name":"\#(String(repeating: "n", count: 5000))","# + Self.meta
        #expect(code(try post(Self.request("tools/call", long), head)) == -32020)
    }

    @Test(
        "checklist 25: requests as the official Python client 2.3.0 sends them are modern",
        arguments: [
            ("server/discover", "", nil), ("tools/list", "", nil),
            ("tools/call", #""name":"a é","arguments":{"x":1},"#, "=?base64?YSDDqQ==?="),
            ("resources/read", #""uri":"file:///a b","#, "file:///a b"),
        ] as [(String, String, String?)])
    func pythonClient(_ method: String, _ params: String, _ name: String?) throws {
        let info = #""io.modelcontextprotocol/clientInfo":{"name":"mcp","version":"0.1.0"},"#
        let body = Self.request(
            method,
            params + #""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","# + info
                + #""io.modelcontextprotocol/clientCapabilities":{}}"#)
        let head = Head(version: [Self.modern], method: [method], name: name.map { [$0] } ?? [])
        #expect(isModern(try post(body, head)))
    }

    @Test(
        "checklist 26: white space around values and base64 don't count, letter case does",
        arguments: [
            ("add", "add", true), ("add", "  add\t", true), ("add", "ADD", false), ("add", "=?base64?YWRk?=", true),
            ("add", " =?base64?YWRk?= ", true), ("add", "=?BASE64?YWRk?=", false), ("é", "=?base64?w6k=?=", true),
            ("é", "=?base64?w6k?=", false), ("a b", "a b", true), ("a b", "a  b", false),
            ("=?base64?YWRk?=", "=?base64?YWRk?=", false),
            ("=?base64?x?=", "=?base64?PT9iYXNlNjQ/eD89?=", true), (" ", "=?base64?IA==?=", true),
            ("", "=?base64??=", true),
        ])
    func comparison(_ name: String, _ header: String, _ isEqual: Bool) throws {
        let body = Self.request("tools/call", #""name":"\#(name)","# + Self.meta)
        let verdict = try post(body, Head(version: [" \(Self.modern) "], method: ["\ttools/call "], name: [header]))
        #expect(isModern(verdict) == isEqual)
        #expect(code(verdict) == (isEqual ? nil : -32020))
    }

    @Test("checklist 26: the method and the version are compared with letter case and without base64")
    func methodCase() throws {
        for method in ["TOOLS/CALL", "Tools/call", "=?base64?dG9vbHMvY2FsbA==?="] {
            #expect(code(try post(Self.call, Head(version: [Self.modern], method: [method], name: ["add"]))) == -32020)
        }
    }

    @Test("checklist 27: repeated routing headers are refused", arguments: [0, 1, 2, 3])
    func repeated(_ field: Int) throws {
        var head = Self.callHead
        switch field {
        case 0: head.version += head.version
        case 1: head.method += head.method
        case 2: head.name += head.name
        default: head = Head(session: ["a", "a"])
        }
        let body = field == 3 ? Self.request("ping") : Self.call
        #expect(code(try post(body, head)) == (field == 3 ? -32600 : -32020))
    }

    @Test("checklist 27: a repeated version header is refused on every kind of request")
    func repeatedVersion() throws {
        let head = Head(version: ["2025-06-18", Self.modern], session: ["s"])
        #expect(code(try post(Self.request("ping"), head)) == -32020)
        #expect(code(try post(Self.request("initialize"), head)) == -32020)
        #expect(code(get(head)) == -32020)
    }

    @Test(
        "checklist 27: malformed sentinels and bytes that should have been encoded are refused",
        arguments: [
            "=?base64?YW Rk?=", "=?base64?YWRk=?=", "=?base64?YWR?=", "=?base64?YW-_?=", "=?base64?YWRl\u{0}?=", "é",
            "a\u{7F}", "=?base64?YQ=?=",
            "=?base64?YR==?=",
        ])
    func malformedSentinels(_ header: String) throws {
        let verdict = try post(Self.call, Head(version: [Self.modern], method: ["tools/call"], name: [header]))
        #expect(verdict == .reject(.headerMismatch("Mcp-Name is malformed")))
    }

    @Test("checklist 29: mirrored headers of a legacy request decide nothing")
    func legacyMirrors() throws {
        let head = Head(version: ["2025-11-25"], method: ["tools/list", "x"], name: ["a", "b"], session: ["s"])
        #expect(try post(Self.request("tools/call", #""name":"add""#), head) == .legacySession)
    }

    @Test("checklist 40: a batch passes on 2025-03-26 and where no version is given")
    func batches() throws {
        let batch = "[\(Self.request("ping")),\(Self.request("tools/list"))]"
        #expect(try post(batch) == .legacyStateless)
        #expect(try post(batch, Head(session: ["s"])) == .legacySession)
        #expect(try post(batch, Head(version: ["2025-03-26"], session: ["s"])) == .legacySession)
    }

    @Test(
        "checklist 40: a batch is refused with -32600 everywhere else, and so is one with initialize or modern messages"
    )
    func refusedBatches() throws {
        let batch = "[\(Self.request("ping"))]"
        for version in ["2024-11-05", "2025-06-18", "2025-11-25", Self.modern, "2027-01-01", "x"] {
            #expect(code(try post(batch, Head(version: [version], session: ["s"]))) == -32600)
        }
        #expect(code(try post(batch, Head(), RoutePolicy(isModernOnly: true))) == -32600)
        for body in ["[]", "[1]", "[\(Self.request("initialize"))]", "[\(Self.request("ping")),\(Self.call)]"] {
            #expect(code(try post(body)) == -32600)
        }
    }

    @Test("a response is a legacy message; in the modern era clients send none")
    func responses() throws {
        let response = #"{"jsonrpc":"2.0","id":1,"result":{}}"#
        #expect(try post(response, Head(session: ["s"])) == .legacySession)
        #expect(try post(response) == .legacyStateless)
        #expect(code(try post(response, Head(version: [Self.modern]))) == -32600)
        #expect(code(try post(response, Head(), RoutePolicy(isModernOnly: true))) == -32600)
    }

    @Test("a modern notification needs neither metadata nor mirrored headers, but those that are there must be right")
    func notifications() throws {
        let bare = #"{"jsonrpc":"2.0","method":"notifications/x"}"#
        #expect(isModern(try post(bare, Head(version: [Self.modern]))))
        #expect(isModern(try post(bare, Head(version: [Self.modern], method: ["notifications/x"]))))
        #expect(code(try post(bare, Head(version: [Self.modern], method: ["notifications/y"]))) == -32020)
        #expect(code(try post(bare, Head(version: ["2027-01-01"]))) == -32022)
        #expect(try post(bare) == .legacyStateless)
    }

    @Test("a body that is no message is refused with -32600")
    func invalid() throws {
        for body in ["{}", "1", "null", #"{"jsonrpc":"2.0","id":null,"method":"m"}"#] {
            #expect(code(try post(body)) == -32600)
            #expect(code(try post(body, Head(version: [Self.modern]))) == -32600)
        }
    }
}

@Suite("Mirrored values")
struct MirroredValueTests {
    @Test(
        "what is encoded compares equal",
        arguments: ["add", "é", " a", "a ", "", "=?base64?YWRk?=", "a b", "\n", "😀", "=?base64?"])
    func roundTrip(_ text: String) {
        let header = MirroredValue.encode(text.utf8)
        #expect(header.allSatisfy { (0x20...0x7E).contains($0) })
        #expect(header.first != 0x20 && header.last != 0x20 && !header.isEmpty)
        #expect(header.withUnsafeBytes { MirroredValue.compare(header: $0, body: text.utf8) } == .equal)
    }
}

@Suite("Protocol revisions")
struct ProtocolRevisionTests {
    @Test("revisions are ordered, and the newest alone is modern")
    func order() {
        #expect(ProtocolRevision.allCases.sorted() == ProtocolRevision.allCases)
        #expect(ProtocolRevision.modern == [.july2026])
        for revision in ProtocolRevision.allCases {
            #expect(Array(revision.rawValue.utf8).withUnsafeBytes { ProtocolRevision(bytes: $0) } == revision)
        }
        for text in ["2025-06-19", "2025-06-1", "2025-06-180", ""] {
            #expect(Array(text.utf8).withUnsafeBytes { ProtocolRevision(bytes: $0) } == nil)
        }
    }
}
