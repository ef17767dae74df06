// SPDX-License-Identifier: MIT

import HTTP
import JSON
import MemoryRuntime
import Model
import Testing

@testable import ControlPlane
@testable import Store

@Suite("API: faults")
struct FaultAPITests {
    @Test("all faults of a body are named, and nothing is stored")
    func validation() async throws {
        try await withGateway { gateway in
            let answer = try await gateway.send(
                "POST", "/adapters",
                json: ["name": "Not_A_Label", "imageName": "", "replicaCount": -1, "transport": "pigeon", "x\u{0}": 1])
            #expect((answer.status, answer.code ?? "") == (422, "invalidAdapter"))
            #expect(
                Set(answer.faults) == [
                    "name: format", "imageName: length", "imageVersion: required", "replicaCount: range",
                    "transport: range", "x\u{0}: unknown",
                ])
            #expect(try await gateway.store.all().isEmpty)
        }
    }

    @Test(
        "what is not JSON is refused as such",
        arguments: [
            "", "{", "nul", "{\"name\":\"a\",}", "{\"name\":\"\\ud800\"}", "{\"a\":1,\"a\":2}", "\u{0}", "{} x",
        ])
    func malformed(body: String) async throws {
        try await withGateway { gateway in
            let answer = try await gateway.send("POST", "/adapters", body: Array(body.utf8))
            #expect((answer.status, answer.code ?? "") == (400, "malformedBody"))
        }
    }

    @Test("JSON that is no object is refused with its kind", arguments: ["null", "1", "\"a\"", "[]", "true"])
    func noObject(body: String) async throws {
        try await withGateway { gateway in
            let answer = try await gateway.send("POST", "/adapters", body: Array(body.utf8))
            #expect((answer.status, answer.faults) == (422, [": type"]))
        }
    }

    @Test("a body that is too large, of another type or not UTF-8 is refused")
    func bodies() async throws {
        try await withGateway { gateway in
            let large = [UInt8](repeating: 0x20, count: (1 << 20) + 1)
            #expect(try await gateway.send("POST", "/adapters", body: large).code == "bodyTooLarge")
            let form = try await gateway.send(
                "POST", "/adapters", headers: ["Content-Type": "application/x-www-form-urlencoded"],
                body: Array("a=b".utf8))
            #expect((form.status, form.code ?? "") == (415, "unsupportedMediaType"))
            #expect(try await gateway.send("POST", "/adapters").status == 415)
            #expect(try await gateway.send("POST", "/adapters", body: [0x22, 0xFF, 0x22]).code == "malformedBody")
            #expect(
                try await gateway.send(
                    "POST", "/adapters", headers: ["Content-Encoding": "gzip"], body: Array("{}".utf8)
                ).status == 415)
        }
    }

    @Test("methods that a resource does not have are refused, and those that it has are listed")
    func methods() async throws {
        try await withGateway { gateway in
            for (target, allowed) in [
                ("/adapters", "GET, HEAD, POST"), ("/adapters/a", "GET, HEAD, PUT, DELETE"),
                ("/adapters/a/status", "GET, HEAD"), ("/adapters/a/logs", "GET, HEAD"), ("/healthz", "GET, HEAD"),
                ("/readyz", "GET, HEAD"), ("/openapi.json", "GET, HEAD"),
            ] {
                for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "X"]
                where !allowed.split(separator: ", ").contains(Substring(method)) {
                    let answer = try await gateway.send(method, target)
                    #expect((answer.status, answer.headers["Allow"] ?? "") == (405, allowed), "\(method) \(target)")
                }
            }
        }
    }

    @Test("paths that lead nowhere are not found", arguments: ["/", "/adapters/", "/nothing", "/adapters/a/b", "/%zz"])
    func nowhere(target: String) async throws {
        try await withGateway { gateway in
            let answer = try await gateway.send("GET", target)
            #expect((answer.status, answer.code ?? "") == (404, "routeNotFound"))
        }
    }

    @Test(
        "wrong parameters are refused by name",
        arguments: [
            ("/adapters?limit=abc", "limit"), ("/adapters?limit=0", "limit"), ("/adapters?limit=1001", "limit"),
            ("/adapters?limit=", "limit"), ("/adapters?limit=1&limit=2", "limit"), ("/adapters?after=A", "after"),
            ("/adapters?after=%00", "after"), ("/adapters?foo=1", "foo"), ("/adapters/a?x", "x"),
            ("/adapters/a/status?x=1", "x"), ("/adapters/a/logs?instance=-1", "instance"),
            ("/adapters/a/logs?instance=10000", "instance"), ("/adapters/a/logs?tailLines=x", "tailLines"),
            ("/adapters/a/logs?sinceSeconds=0", "sinceSeconds"), ("/adapters/a/logs?follow=maybe", "follow"),
            ("/adapters/a/logs?previous=", "previous"), ("/adapters/a/logs?tail=1", "tail"),
        ])
    func parameters(target: String, parameter: String) async throws {
        try await withGateway { gateway in
            try await gateway.create("a", ["replicaCount": 0])
            let answer = try await gateway.send("GET", target)
            #expect((answer.status, answer.code ?? "") == (400, "invalidParameter"))
            #expect(answer.faults.first?.hasPrefix(parameter + ": ") == true)
        }
    }

    @Test("what the driver can't run is refused before it is stored")
    func unsupported() async throws {
        try await withGateway(driver: MemoryRuntime(maximumReplicas: 8)) { gateway in
            let answer = try await gateway.send(
                "POST", "/adapters",
                json: ["name": "a", "imageName": "i", "imageVersion": "1", "replicaCount": 9])
            #expect((answer.status, answer.code ?? "") == (422, "invalidAdapter"))
            #expect(answer.text.contains("replicas"))
            #expect(try await gateway.store.all().isEmpty)
        }
    }

    @Test("a full disk refuses changes with 507, shows what is stored, and goes on when there is room")
    func diskFull() async throws {
        try await withGateway { gateway in
            let kept = try await gateway.create("kept", ["replicaCount": 0])
            try await gateway.store.limit(pages: gateway.store.pages())
            let large = JSONValue.string(String(repeating: "x", count: 4096))
            var refused: Answer?
            for index in 0..<50 where refused == nil {
                let answer = try await gateway.send(
                    "POST", "/adapters",
                    json: [
                        "name": .string("a\(index)"), "imageName": "i", "imageVersion": "1", "description": large,
                        "replicaCount": 0,
                    ])
                if answer.status != 201 { refused = answer }
            }
            #expect(refused?.status == 507)
            #expect(refused?.code == "storageFull")
            #expect(try await gateway.send("GET", "/adapters/kept").json == kept.json)
            try await gateway.store.limit(pages: 1_000_000)
            #expect(try await gateway.send("DELETE", "/adapters/kept").status == 204)
        }
    }

    @Test("a store that fails is a 500 that says nothing of files")
    func storeFailure() async throws {
        try await withTemporaryFolder { folder in
            let gateway = try TestGateway(folder: folder)
            await gateway.store.close()
            for method in ["GET", "POST"] {
                let answer = try await gateway.send(
                    method, "/adapters",
                    body: method == "POST" ? Array(#"{"name":"a","imageName":"i","imageVersion":"1"}"#.utf8) : nil)
                #expect((answer.status, answer.code ?? "") == (500, "internalError"))
                #expect(!answer.text.contains(folder))
            }
        }
    }

    @Test("bodies that the contract allows are accepted, and others are not")
    func contractAndCodeAgree() async throws {
        try await withGateway { gateway in
            let image: JSONObject = ["name": "x", "imageName": "i", "imageVersion": "1", "replicaCount": 0]
            let variants: [(String, JSONValue)] = [
                ("imageName", "a/b:c"), ("imageName", "/a"), ("imageName", ""), ("imageName", .null),
                ("imageVersion", "sha256:00"),
                ("imageVersion", "-"), ("command", "x"), ("command", .null), ("arguments", .array([])),
                ("arguments", .null),
                ("url", "http://h"), ("url", .null), ("replicaCount", 32), ("replicaCount", 33), ("replicaCount", -1),
                ("replicaCount", .number(1.5)), ("replicaCount", "1"), ("replicaCount", .bool(true)),
                ("description", ""),
                ("description", .string(String(repeating: "é", count: 4096))),
                ("description", .string(String(repeating: "é", count: 4097))), ("description", 1), ("transport", "sse"),
                ("transport", "SSE"), ("transport", .null), ("port", 1), ("port", 65_536), ("path", "/"), ("path", "x"),
                ("path", "/a b"), ("path", "/%2"), ("path", "/%2F"), ("path", ""), ("ssePath", "/é"),
                ("labels", .array([])),
                ("labels", .object(["a": "b", "x.y/z": ""])), ("labels", .object(["/a": "b"])),
                ("labels", .object(["X.y/z": "b"])), ("labels", .object(["a": "b c"])),
                ("labels", .object(["a": .null])),
                ("environmentVariables", .object(["A": "\n"])), ("environmentVariables", .object(["A": "\u{0}"])),
                ("environmentVariables", .object(["A-B": ""])), ("environmentVariables", .object(["A": .null])),
                ("secretEnvironmentVariables", .object(["A": "x"])),
                ("secretEnvironmentVariables", .object(["A": .null])),
                ("requiredRoles", .array(["a", "a"])), ("requiredRoles", .array([""])), ("requiredRoles", "a"),
                ("resources", .object(["memoryBytes": 1_048_576])), ("resources", .object(["memoryBytes": 1])),
                ("resources", .object(["x": 1])), ("session", .object(["idleTimeoutSeconds": 0])),
                ("session", .object([:])),
                ("session", .null), ("id", 5), ("createdAt", .array([])), ("unknown", .null), ("name", "y-1"),
                ("name", "y-"),
                ("name", "metrics"), ("name", .null), ("useWorkloadIdentity", .bool(false)), ("useWorkloadIdentity", 0),
            ]
            for (index, (field, value)) in variants.enumerated() {
                var body = image
                if field != "name" { body.set("name", .string("n\(index)")) }
                body.set(field, value)
                let answer = try await gateway.send("POST", "/adapters", json: body)
                let isAllowed = Contract.shared.allows(.object(body), "NewAdapter")
                #expect((answer.status == 201) == isAllowed, "\(field): \(value): \(answer.text)")
            }
        }
    }
}
