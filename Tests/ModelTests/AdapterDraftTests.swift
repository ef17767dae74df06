// SPDX-License-Identifier: MIT

import JSON
import Model
import RuntimeContract
import Testing

@Suite("An adapter as a client writes it")
struct AdapterDraftTests {
    private func draft(
        _ text: String,
        name: AdapterDraft.NameRule = .required,
        limits: AdapterLimits = AdapterLimits()
    ) throws -> AdapterDraft {
        try AdapterDraft(JSONParser.parse(Array(text.utf8)), name: name, limits: limits)
    }

    private func spec(_ text: String) throws -> AdapterSpec {
        try draft(text).spec(keepingSecretsOf: nil)
    }

    private func faults(_ text: String, name: AdapterDraft.NameRule = .required) throws -> [String] {
        do {
            _ = try draft(text, name: name)
            return []
        } catch let error as ValidationError {
            return error.faults.map { "\($0.field): \($0.code.rawValue)" }
        }
    }

    @Test("name and image are enough; everything else has its default")
    func defaults() throws {
        let text = #"{"name":"mcp-example","imageName":"mcp-example","imageVersion":"1.0.0","description":"test"}"#
        #expect(try draft(text).name.rawValue == "mcp-example")
        #expect(
            try spec(text)
                == AdapterSpec(source: .image(name: "mcp-example", version: "1.0.0"), description: "test"))
        #expect(try spec(text).replicaCount == 1)
    }

    private static let everything = """
        {"name":"all","command":"/bin/server","arguments":["--port","{port}",""],"workingDirectory":"/srv",
        "environmentVariables":{"A":"1"},"secretEnvironmentVariables":{"TOKEN":"s3cret"},"replicaCount":3,
        "description":"d","useWorkloadIdentity":true,"requiredRoles":["r1","r2"],"transport":"sse","port":9000,
        "path":"/m%20cp","ssePath":"/events","resources":{"memoryBytes":1048576,"cpuMillicores":500,"tasks":10,
        "openFiles":64},"gracePeriodSeconds":3,"session":{"idleTimeoutSeconds":60,"drainTimeoutSeconds":0,"parkAfterSeconds":9},
        "labels":{"team":"a","example.com/tier":""}}
        """

    @Test("every field is read")
    func everyField() throws {
        let expected = AdapterSpec(
            source: .command(
                Command(
                    executable: "/bin/server", arguments: ["--port", "{port}", ""], workingDirectory: "/srv")),
            environmentVariables: ["A": "1"], secretEnvironmentVariables: ["TOKEN": Secret("s3cret")],
            replicaCount: 3, description: "d", useWorkloadIdentity: true, requiredRoles: ["r1", "r2"],
            transport: .sse, port: 9000, path: "/m%20cp", ssePath: "/events",
            resources: ResourceLimits(memoryBytes: 1_048_576, cpuMillicores: 500, tasks: 10, openFiles: 64),
            gracePeriodSeconds: 3, session: .init(idleTimeoutSeconds: 60, drainTimeoutSeconds: 0, parkAfterSeconds: 9),
            labels: ["team": "a", "example.com/tier": ""])
        #expect(try spec(Self.everything) == expected)
    }

    @Test("what is answered can be written back, secrets kept")
    func roundTrip() throws {
        let name = try #require(AdapterName("all"))
        let stored = try spec(Self.everything)
        let now = Timestamp(millisecondsSinceEpoch: 0)
        let adapter = Adapter(
            name: name, uid: 7, spec: stored, createdBy: "ada", createdAt: now, lastUpdatedAt: now)
        let answer = JSONValue.object(adapter.json)
        #expect(!String(decoding: answer.bytes, as: UTF8.self).contains("s3cret"))
        let again = try AdapterDraft(answer, name: .optional(name), limits: AdapterLimits())
            .spec(keepingSecretsOf: stored)
        #expect(again.isIdentical(to: stored))
        #expect(adapter.changed(to: again, at: now) == adapter)
    }

    @Test("null is the same as absent")
    func nulls() throws {
        #expect(
            try spec(
                """
                {"name":"a","imageName":"i","imageVersion":"1","url":null,"command":null,"arguments":null,"port":null,
                "replicaCount":null,"labels":null,"session":{"idleTimeoutSeconds":null},"transport":null}
                """)
                == AdapterSpec(source: .image(name: "i", version: "1")))
    }

    @Test("all faults are named at once")
    func allFaults() throws {
        let found = try faults(
            """
            {"name":"No","imageName":"/x","imageVersion":7,"environmentVariables":{"1A":"x","B":2},"replicaCount":33,
            "description":[],"useWorkloadIdentity":"yes","requiredRoles":["",3],"transport":"tcp","port":0,"path":"x",
            "ssePath":"/a b","resources":{"memoryBytes":1.5,"disk":1},"session":[],"labels":{"-":"x","ok":"-"},
            "secretEnvironmentVariables":{"B":"x","C":null},"arguments":["x"],"Port":1,"bogus":true}
            """)
        #expect(
            Set(found) == [
                "name: format", "arguments: conflict", "imageName: format", "imageVersion: type",
                "environmentVariables.1A: format", "environmentVariables.B: type",
                "secretEnvironmentVariables.C: required", "replicaCount: range", "useWorkloadIdentity: type",
                "resources.memoryBytes: type", "resources.disk: unknown", "transport: range", "port: range",
                "path: format", "ssePath: format", "description: type", "requiredRoles[0]: length",
                "requiredRoles[1]: type", "session: type", "labels.-: format", "labels.ok: format", "Port: unknown",
                "bogus: unknown",
            ])
        #expect(found.count == 23)
    }

    @Test("an image may come with a command to run in it, which is written as it was read")
    func imageWithCommand() throws {
        let text =
            #"{"name":"a","imageName":"i","imageVersion":"1","command":"c","arguments":["d"],"workingDirectory":"/e"}"#
        let draft = try AdapterDraft(JSONParser.parse(Array(text.utf8)), name: .required, limits: AdapterLimits())
        let spec = try draft.spec(keepingSecretsOf: nil)
        let command = Command(executable: "c", arguments: ["d"], workingDirectory: "/e")
        #expect(spec.source == .image(name: "i", version: "1", command: command))
        var again = spec.json
        again.set("name", "a")
        let second = try AdapterDraft(.object(again), name: .required, limits: AdapterLimits())
        #expect(try second.spec(keepingSecretsOf: nil) == spec)
    }

    @Test(
        "exactly one of image, command and url is needed",
        arguments: [
            (#"{"name":"a"}"#, ["imageName: required"]),
            (#"{"name":"a","imageName":"i"}"#, ["imageVersion: required"]),
            (#"{"name":"a","imageVersion":"1"}"#, ["imageName: required"]),
            (
                #"{"name":"a","imageName":"i","imageVersion":"1","command":"c","url":"http://h"}"#,
                ["command: conflict", "url: conflict"]
            ),
            (#"{"name":"a","imageName":"i","imageVersion":"1","command":"./c"}"#, ["command: format"]),
            (#"{"name":"a","imageName":"i","command":"c"}"#, ["imageVersion: required"]),
            (#"{"name":"a","command":"c","url":"http://h"}"#, ["url: conflict"]),
            (
                #"{"name":"a","imageName":"i","imageVersion":"1","workingDirectory":"/"}"#,
                ["workingDirectory: conflict"]
            ),
            (#"{"name":"a","url":["http://h/mcp","http://H:80/mcp"]}"#, ["url: conflict"]),
            (#"{"name":"a","url":["http://h/mcp","http://i/mcp2"]}"#, ["url: conflict"]),
            (#"{"name":"a","url":"http://h/%zz"}"#, ["url: format"]),
            (#"{"name":"a","url":"http://h/a","path":"/b"}"#, ["path: conflict"]),
            (#"{"name":"a","url":"http://h/a","transport":"sse","ssePath":"/b"}"#, ["ssePath: conflict"]),
            (#"{"name":"a","url":"http://h","transport":"stdio"}"#, ["transport: conflict"]),
            (
                #"{"name":"a","url":"http://h","port":1,"environmentVariables":{"A":"b"},"resources":{"tasks":1}}"#,
                ["environmentVariables: conflict", "resources: conflict", "port: conflict"]
            ),
            (#"{"name":"a","url":["http://h/mcp","ftp://h"]}"#, ["url[1]: format"]),
            (#"{"name":"a","url":[]}"#, ["url: length"]),
            (#"{"name":"a","url":1}"#, ["url: type"]),
            (#"{"name":"a","command":"./x"}"#, ["command: format"]),
            (#"{"name":"a","command":"x\u0000"}"#, ["command: format"]),
            (#"{"name":"a","command":"x","transport":"stdio","port":1}"#, ["port: conflict"]),
            (
                #"{"name":"a","command":"x","environmentVariables":{"A":""},"secretEnvironmentVariables":{"A":""}}"#,
                ["secretEnvironmentVariables.A: conflict"]
            ),
            ("[]", [": type"]), ("null", [": type"]), ("\"x\"", [": type"]),
        ])
    func sources(text: String, expected: [String]) throws {
        #expect(try faults(text) == expected)
    }

    @Test(
        "names are labels of at most 50 characters and not reserved",
        arguments: [
            "", "A", "1a", "a-", "-a", "a_b", "a.b", "é", "a\u{0}", "adapters", "healthz",
            String(repeating: "a", count: 51),
        ])
    func names(name: String) throws {
        let json = JSONValue.object(["name": .string(name), "imageName": "i", "imageVersion": "1"])
        #expect(throws: ValidationError.self) {
            try AdapterDraft(json, name: .required, limits: AdapterLimits())
        }
    }

    @Test("a name that may be left out is the one that is known, else the one that is written")
    func nameInPath() throws {
        let name = try #require(AdapterName("here"))
        let body = #""imageName":"i","imageVersion":"1"}"#
        #expect(try draft("{" + body, name: .optional(name)).name == name)
        #expect(try draft(#"{"name":null,"# + body, name: .optional(name)).name == name)
        #expect(try draft(#"{"name":"there","# + body, name: .optional(name)).name.rawValue == "there")
        #expect(try faults(#"{"name":"No","# + body, name: .optional(name)) == ["name: format"])
    }

    @Test("a secret that is to be kept must be stored")
    func keptSecrets() throws {
        let name = try #require(AdapterName("a"))
        let kept = try draft(
            #"{"imageName":"i","imageVersion":"1","secretEnvironmentVariables":{"A":null,"B":"new"}}"#,
            name: .optional(name))
        let stored = AdapterSpec(
            source: .image(name: "i", version: "1"),
            secretEnvironmentVariables: ["A": Secret("old"), "B": Secret("old")])
        #expect(
            try kept.spec(keepingSecretsOf: stored).secretEnvironmentVariables == [
                "A": Secret("old"), "B": Secret("new"),
            ])
        #expect(throws: ValidationError.self) {
            try kept.spec(keepingSecretsOf: AdapterSpec(source: .image(name: "i", version: "1")))
        }
    }

    @Test("credentials for servers of others are secrets, and go nowhere else")
    func secretHeaders() throws {
        let name = try #require(AdapterName("a"))
        let body = #"{"url":"https://b.example/mcp","secretHeaders":{"X-Key":null,"Authorization":"new"}}"#
        let stored = AdapterSpec(
            source: .remote([]), secretHeaders: ["X-Key": Secret("old"), "Authorization": Secret("old")])
        let spec = try draft(body, name: .optional(name)).spec(keepingSecretsOf: stored)
        #expect(spec.secrets == ["X-Key": Secret("old"), "Authorization": Secret("new")])
        #expect(spec.json["secretHeaders"] == ["Authorization": .null, "X-Key": .null])
        #expect(!spec.isIdentical(to: stored))
        let moment = Timestamp(millisecondsSinceEpoch: 0)
        let adapter = Adapter(
            name: name, uid: 1, spec: spec, createdBy: "ada", createdAt: moment, lastUpdatedAt: moment)
        #expect(adapter.route().secretHeaders == spec.secrets)
        #expect(adapter.workload().secretEnvironment.isEmpty)
        #expect(
            try faults(#"{"name":"a","imageName":"i","imageVersion":"1","secretHeaders":{"A":"x"}}"#)
                == ["secretHeaders: conflict"])
        #expect(
            try faults(#"{"name":"a","url":"https://b/mcp","secretHeaders":{"A":null,"B":"x","b":"y","Host":"z"}}"#)
                == ["secretHeaders.A: required", "secretHeaders.b: conflict", "secretHeaders.Host: conflict"])
    }

    @Test("no fault repeats the value of a secret, and their number is bounded")
    func boundedFaults() throws {
        let members = (0..<200).map { JSONObject.Member(name: "f\($0)", value: "x") }
        do {
            _ = try AdapterDraft(.object(JSONObject(members)), name: .required, limits: AdapterLimits())
            Issue.record("unknown fields were accepted")
        } catch {
            #expect(error.faults.count == ValidationError.maximumFaults)
        }
        let secret = JSONValue.object([
            "name": "a", "imageName": "i", "imageVersion": "1",
            "secretEnvironmentVariables": .object(["T": "hush\u{0}"]),
        ])
        do {
            _ = try AdapterDraft(secret, name: .required, limits: AdapterLimits())
            Issue.record("a NUL character was accepted")
        } catch {
            #expect(error.faults.allSatisfy { !$0.message.contains("hush") })
        }
    }
}
