// SPDX-License-Identifier: MIT

import HTTP
import JSON
import Model
import RuntimeContract
import Store
import Testing

@testable import ControlPlane

@Suite("API: adapters")
struct AdapterAPITests {
    @Test("the example body works as written")
    func example() async throws {
        try await withGateway { gateway in
            let body = #"{"name":"mcp-example","imageName":"mcp-example","imageVersion":"1.0.0","description":"test"}"#
            let created = try await gateway.send("POST", "/adapters", body: Array(body.utf8))
            #expect(created.status == 201)
            #expect(created.headers["Location"] == "/adapters/mcp-example")
            #expect(created.json["createdBy"] == "development")
            #expect(created.json["replicaCount"] == 1)
            #expect(created.json["generation"] == 1)
            let shown = try await gateway.send("GET", "/adapters/mcp-example")
            #expect(shown.json == created.json)
            #expect(shown.headers["ETag"] == created.headers["ETag"])
            let listed = try await gateway.send("GET", "/adapters")
            #expect(listed.json == .array([created.json]))
        }
    }

    @Test("a name that is taken is a conflict; one that is absent is not found")
    func presence() async throws {
        try await withGateway { gateway in
            try await gateway.create("a")
            let again = try await gateway.send(
                "POST", "/adapters", json: ["name": "a", "imageName": "other", "imageVersion": "2"])
            #expect((again.status, again.code ?? "") == (409, "adapterExists"))
            #expect(try await gateway.send("GET", "/adapters/a").json["imageName"] == "i")
            for name in ["b", "A", "%20", "a%00", "a%2Fb", "%C3%A9", "adapters", String(repeating: "a", count: 5000)] {
                for (method, suffix) in [("GET", ""), ("DELETE", ""), ("GET", "/status"), ("GET", "/logs")] {
                    let answer = try await gateway.send(method, "/adapters/\(name)\(suffix)")
                    #expect((answer.status, answer.code ?? "") == (404, "adapterNotFound"), "\(method) \(name)")
                }
                let put = try await gateway.send(
                    "PUT", "/adapters/\(name)", json: ["imageName": "i", "imageVersion": "1"])
                #expect(put.status == 404)
            }
        }
    }

    @Test("a replacement takes defaults for what is not given; one that changes nothing keeps the generation")
    func replacing() async throws {
        try await withGateway { gateway in
            let first = try await gateway.create(
                "a", ["description": "x", "replicaCount": 2, "labels": .object(["a": "b"])])
            let same = try await gateway.send("PUT", "/adapters/a", body: first.bytes)
            #expect(same.status == 200)
            #expect(same.json == first.json)
            #expect(same.headers["ETag"] == first.headers["ETag"])
            let second = try await gateway.send("PUT", "/adapters/a", json: ["imageName": "i", "imageVersion": "2"])
            #expect(second.json["generation"] == 2)
            #expect(second.json["description"] == "")
            #expect(second.json["replicaCount"] == 1)
            #expect(second.json["labels"] == nil)
            #expect(second.json["id"] == first.json["id"])
            #expect(second.json["createdAt"] == first.json["createdAt"])
            #expect(second.headers["ETag"] != first.headers["ETag"])
            let renamed = try await gateway.send(
                "PUT", "/adapters/a", json: ["name": "b", "imageName": "i", "imageVersion": "2"])
            #expect((renamed.status, renamed.code ?? "") == (409, "conflict"))
            #expect(renamed.faults == ["name: conflict"])
        }
    }

    @Test("secrets are kept by null, and never shown")
    func secrets() async throws {
        try await withGateway { gateway in
            let fields: JSONObject = ["secretEnvironmentVariables": .object(["TOKEN": "hush-hush"])]
            let created = try await gateway.create("a", fields)
            #expect(created.json["secretEnvironmentVariables"] == .object(["TOKEN": .null]))
            let kept = try await gateway.send("PUT", "/adapters/a", body: created.bytes)
            #expect(kept.json["generation"] == 1)
            for target in ["/adapters", "/adapters/a", "/adapters/a/status"] {
                #expect(!(try await gateway.send("GET", target).text.contains("hush-hush")))
            }
            let name = try #require(AdapterName("a"))
            #expect(
                try await gateway.store.adapter(named: name)?.adapter.spec.secretEnvironmentVariables["TOKEN"]?.exposed
                    == "hush-hush")
            let unknown = try await gateway.send(
                "PUT", "/adapters/a",
                json: ["imageName": "i", "imageVersion": "1", "secretEnvironmentVariables": .object(["OTHER": .null])])
            #expect(unknown.status == 409)
            #expect(unknown.faults == ["secretEnvironmentVariables.OTHER: required"])
        }
    }

    @Test("entity tags guard against lost updates")
    func conditions() async throws {
        try await withGateway { gateway in
            let tag = try #require(try await gateway.create("a").headers["ETag"])
            let body: JSONObject = ["imageName": "i", "imageVersion": "2"]
            let mine = try await gateway.send("PUT", "/adapters/a", headers: ["If-Match": tag], json: body)
            #expect(mine.status == 200)
            let late = try await gateway.send("PUT", "/adapters/a", headers: ["If-Match": tag], json: body)
            #expect((late.status, late.code ?? "") == (412, "preconditionFailed"))
            #expect(try await gateway.send("DELETE", "/adapters/a", headers: ["If-Match": tag]).status == 412)
            #expect(try await gateway.send("DELETE", "/adapters/a", headers: ["If-Match": "nonsense"]).status == 400)
            let newer = try #require(mine.headers["ETag"])
            let unchanged = try await gateway.send("GET", "/adapters/a", headers: ["If-None-Match": "W/" + newer])
            #expect((unchanged.status, unchanged.bytes.count) == (304, 0))
            #expect(try await gateway.send("GET", "/adapters/a", headers: ["If-None-Match": tag]).status == 200)
            #expect(
                try await gateway.send("DELETE", "/adapters/a", headers: ["If-Match": "\"x\", \(newer)"]).status == 204)
        }
    }

    @Test("pages hold every adapter once, in order, while others come and go")
    func paging() async throws {
        try await withGateway { gateway in
            let names = ["a1", "a2", "a3", "b", "c", "d"]
            for name in names.shuffled() { try await gateway.create(name, ["replicaCount": 0]) }
            var target: String? = "/adapters?limit=2"
            var seen: [String] = []
            var pages = 0
            while let next = target {
                let page = try await gateway.send("GET", next)
                seen += (page.json.elements ?? []).compactMap { $0["name"]?.text }
                pages += 1
                target = page.headers["Link"].map { link in
                    #expect(link.hasSuffix(">; rel=\"next\""))
                    return String(link.dropFirst().prefix { $0 != ">" })
                }
                if pages == 1 {
                    // Neither of these moves what is on a later page.
                    #expect(try await gateway.send("DELETE", "/adapters/a2").status == 204)
                    try await gateway.create("a0", ["replicaCount": 0])
                }
            }
            #expect(seen == names)
            #expect(pages == 3)
            #expect(try await gateway.send("GET", "/adapters?after=zzz").json == .array([]))
            #expect(try await gateway.send("GET", "/adapters?limit=6").headers["Link"] == nil)
        }
    }

    @Test("HEAD is answered as GET is")
    func head() async throws {
        try await withGateway { gateway in
            try await gateway.create("a")
            for target in ["/adapters", "/adapters/a", "/healthz", "/readyz", "/openapi.json"] {
                let (get, head) = (
                    try await gateway.send("GET", target), try await gateway.send("HEAD", target)
                )
                #expect((head.status, head.headers) == (get.status, get.headers), "\(target)")
            }
        }
    }

    @Test("rules of access: users need a role, changes take the creator or an administrator")
    func access() async throws {
        try await withGateway { gateway in
            try await gateway.create("open", as: "ada")
            try await gateway.create("closed", as: "ada", ["requiredRoles": .array(["team"])])
            let answer = { (method: String, target: String, principal: String) in
                let body: JSONObject = ["imageName": "i", "imageVersion": "1", "requiredRoles": .array(["team"])]
                return try await method == "PUT"
                    ? gateway.send(method, target, as: principal, json: body)
                    : gateway.send(method, target, as: principal)
            }
            for suffix in ["", "/status"] {
                #expect(try await answer("GET", "/adapters/open\(suffix)", "bob").status == 200)
                #expect(try await answer("GET", "/adapters/closed\(suffix)", "bob").code == "forbidden")
                #expect(try await answer("GET", "/adapters/closed\(suffix)", "bob team").status == 200)
                #expect(try await answer("GET", "/adapters/closed\(suffix)", "ada").status == 200)
                #expect(try await answer("GET", "/adapters/closed\(suffix)", "eve mcp.admin").status == 200)
            }
            #expect(try await answer("GET", "/adapters/closed/logs", "bob").code == "forbidden")
            #expect(try await answer("GET", "/adapters", "bob").json.elements?.count == 1)
            #expect(try await answer("GET", "/adapters", "bob team").json.elements?.count == 2)
            #expect(try await answer("PUT", "/adapters/closed", "bob team").code == "forbidden")
            #expect(try await answer("DELETE", "/adapters/open", "bob team").code == "forbidden")
            #expect(try await answer("PUT", "/adapters/closed", "ada").status == 200)
            #expect(try await answer("DELETE", "/adapters/closed", "eve mcp.admin").status == 204)
            let nobody = try await answer("GET", "/adapters", "-")
            #expect((nobody.status, nobody.headers["WWW-Authenticate"] ?? "") == (401, "Bearer"))
            #expect(try await answer("GET", "/healthz", "-").status == 200)
        }
    }
}
