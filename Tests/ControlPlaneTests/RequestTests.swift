// SPDX-License-Identifier: MIT

import HTTP
import JSON
import Model
import NIOCore
import Testing

@testable import ControlPlane

@Suite("Requests")
struct RequestTests {
    @Test(
        "paths lead to resources",
        arguments: [
            ("/adapters", .adapters), ("/adapters?limit=1", .adapters), ("/adapters#x", .adapters),
            ("http://host:80/adapters", .adapters), ("/adapters/a", .adapter("a")),
            ("/%61dapters/%61", .adapter("a")), ("/adapters/a%2Fstatus", .adapter("a/status")),
            ("/adapters/a%00b", .adapter("a\u{0}b")), ("/adapters/%C3%A9", .adapter("é")),
            ("/adapters/a/status", .status("a")), ("/adapters/a/logs?follow=true", .logs("a")),
            ("/adapters/a/sessions", .sessions("a")),
            ("/healthz", .health),
            ("/readyz", .readiness), ("/openapi.json", .contract), ("/metrics", .metrics),
        ] as [(String, ControlRoute)])
    func paths(target: String, route: ControlRoute) {
        #expect(ControlRoute(target: target) == route)
    }

    @Test(
        "other paths lead nowhere",
        arguments: [
            "", "*", "/", "//", "/adapters/", "//adapters", "/adapters//", "/adapters/a/", "/adapters/a/b",
            "/adapters/a/status/", "/Adapters", "/adapters/%zz", "/adapters/%4", "/adapters/%FF",
            "adapters",
            "http:/adapters", "http://host", "/adapters/é%",
        ])
    func nowhere(target: String) {
        #expect(ControlRoute(target: target) == nil)
    }

    private func faults(_ query: [(String, String)], _ read: (inout QueryReader) -> Void) -> [String] {
        var reader = QueryReader(query.map { (name: $0.0, value: $0.1) })
        read(&reader)
        do throws(Problem) {
            try reader.finish()
            return []
        } catch {
            #expect(error.code == .invalidParameter)
            return error.faults.map { "\($0.field): \($0.code.rawValue)" }
        }
    }

    @Test(
        "a number is written in digits and within its range",
        arguments: ["", "x", "-1", "+1", "1.0", "1e1", " 1", "0x1", "11", "99999999999999999999", "１"])
    func numbers(text: String) {
        let found = faults([("n", text)]) { _ = $0.integer("n", in: 0...10) }
        #expect(found == ["n: format"])
    }

    @Test("parameters are read, and every fault is named: unknown ones, repeated ones, wrong ones")
    func parameters() throws {
        var reader = QueryReader([(name: "n", value: "007"), (name: "b", value: "true")])
        let (number, flag, absent) = (reader.integer("n", in: 0...10), reader.boolean("b"), reader.boolean("c"))
        #expect(number == 7)
        #expect(flag)
        #expect(!absent)
        try reader.finish()
        let found = faults([("n", "1"), ("n", "2"), ("b", "yes"), ("N", "1"), ("\u{0}", "")]) { reader in
            _ = reader.integer("n", in: 0...10)
            _ = reader.boolean("b")
        }
        #expect(found == ["n: conflict", "b: format", "\u{0}: unknown", "N: unknown"])
    }

    private func condition(_ values: String...) throws -> EntityTagCondition {
        var headers = HTTPHeaders()
        for value in values { headers.append("if-match", value) }
        return try EntityTagCondition("If-Match", of: headers)
    }

    @Test("entity tags are compared strongly for changes and weakly for reads")
    func tags() throws {
        #expect(try condition().allowsChange(of: "\"1\""))
        #expect(try !condition().matchesWeakly("\"1\""))
        #expect(try condition("*").allowsChange(of: "\"1\""))
        #expect(try condition("\"0\", \"1\"").allowsChange(of: "\"1\""))
        #expect(try condition("\"0\"", "\"1\"").allowsChange(of: "\"1\""))
        #expect(try condition(", \"a,b\" ,\t\"1\",").allowsChange(of: "\"1\""))
        #expect(try !condition("\"2\"").allowsChange(of: "\"1\""))
        #expect(try !condition("W/\"1\"").allowsChange(of: "\"1\""))
        #expect(try condition("W/\"1\"").matchesWeakly("\"1\""))
        #expect(try !condition("\"\"").allowsChange(of: "\"1\""))
    }

    @Test(
        "what is no list of entity tags is refused",
        arguments: ["", ",", "1", "\"1", "1\"", "\"1\" \"2\"", "w/\"1\"", "*, *", "\"\u{7F}\""])
    func malformedTags(value: String) {
        #expect(throws: Problem.self) { try condition(value) }
    }

    @Test("bodies are JSON in UTF-8 and say so")
    func bodies() throws {
        let read = { (types: [String]) in
            var headers = HTTPHeaders()
            for type in types { headers.append("Content-Type", type) }
            return try HTTPRequest(
                method: "POST", path: "/", target: "/", headers: headers, body: ByteBuffer(string: "{}")
            ).json(maximumBytes: 2)
        }
        for type in ["application/json", "Application/JSON ; charset=UTF-8", "application/json;charset=\"utf-8\";x=y"] {
            #expect(try read([type]) == .object([:]))
        }
        for types in [
            [], [""], ["text/plain"], ["application/jsonx"], ["application/json; charset=latin1"],
            ["application/json, text/plain"],
            ["application/json", "application/json"], ["application/problem+json"],
        ] {
            let problem = #expect(throws: Problem.self) { try read(types) }
            #expect(problem?.code == .unsupportedMediaType, "\(types)")
        }
        let large = HTTPRequest(
            method: "POST", path: "/", target: "/", headers: ["Content-Type": "application/json"],
            body: ByteBuffer(string: "[1]"))
        #expect(throws: Problem.self) { try large.json(maximumBytes: 2) }
    }
}
