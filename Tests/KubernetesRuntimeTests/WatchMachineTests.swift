// SPDX-License-Identifier: MIT

import JSON
import Testing

@testable import KubernetesRuntime

/// An object that is told from others by its name and what it says.
private struct Thing: WatchedObject {
    let name: String
    let says: String

    init?(_ object: JSONValue) {
        guard let name = object["metadata", "name"]?.text, let says = object["says"]?.text else { return nil }
        self.name = name
        self.says = says
    }
}

@Suite("The watch machine")
struct WatchMachineTests {
    private var machine = WatchMachine<Thing>()

    private func thing(_ name: String, _ says: String, version: String = "1") -> JSONValue {
        ["metadata": ["name": .string(name), "resourceVersion": .string(version)], "says": .string(says)]
    }

    private func chunk(_ things: [JSONValue], version: String = "10", next: String? = nil) -> JSONValue {
        var metadata: JSONObject = ["resourceVersion": .string(version)]
        if let next { metadata.set("continue", .string(next)) }
        return ["metadata": .object(metadata), "items": .array(things)]
    }

    private func event(_ type: String, _ object: JSONValue) -> JSONValue {
        ["type": .string(type), "object": object]
    }

    private var known: [String: String] { machine.objects.mapValues(\.says) }

    private let expired = KubernetesError(status: 410, head: nil, body: [])
    private let broken = KubernetesError(.unavailable, "the connection broke")

    @Test("a list comes in chunks, and shows when it is whole")
    mutating func chunks() {
        #expect(machine.next == .list(continuation: nil))
        machine.listed(chunk([thing("a", "1")], next: "token"))
        #expect(machine.next == .list(continuation: "token"))
        #expect(known == [:] && !machine.hasSynced)
        machine.listed(chunk([thing("b", "2")], version: "12", next: ""))
        #expect(known == ["a": "1", "b": "2"] && machine.hasSynced)
        #expect(machine.next == .watch(resourceVersion: "12"))
    }

    @Test("events change what is known, and where the watch goes on")
    mutating func events() {
        machine.listed(chunk([thing("a", "1"), thing("b", "1")]))
        let goesOn = [
            machine.received(event("MODIFIED", thing("a", "2", version: "11"))),
            machine.received(event("ADDED", thing("c", "1", version: "12"))),
            machine.received(event("DELETED", thing("b", "1", version: "13"))),
        ]
        #expect(goesOn == [true, true, true])
        #expect(known == ["a": "2", "c": "1"])
        machine.ended()
        #expect(machine.next == .watch(resourceVersion: "13"))
        #expect(machine.pause == .milliseconds(100) && machine.isInContact)
    }

    @Test("a bookmark only moves the place to go on from")
    mutating func bookmarks() {
        machine.listed(chunk([thing("a", "1")]))
        let goesOn = machine.received(event("BOOKMARK", ["metadata": ["resourceVersion": "99"]]))
        #expect(goesOn)
        #expect(known == ["a": "1"] && machine.next == .watch(resourceVersion: "99"))
    }

    @Test("what makes no sense is passed over")
    mutating func nonsense() {
        machine.listed(chunk([thing("a", "1"), ["metadata": ["name": "b"]], "text"]))
        #expect(known == ["a": "1"])
        for event: JSONValue in [
            "text", ["type": "ADDED"], ["object": [:]], event("RENAMED", thing("a", "2")), event("ADDED", [:]),
        ] {
            let goesOn = machine.received(event)
            #expect(goesOn)
        }
        #expect(known == ["a": "1"])
    }

    @Test("a version that is too old has all listed again, and the gap never shows")
    mutating func expiredVersion() {
        machine.listed(chunk([thing("a", "1"), thing("b", "1")]))
        machine.failed(expired, random: 0)
        #expect(machine.next == .list(continuation: nil))
        #expect(known == ["a": "1", "b": "1"] && machine.hasSynced && machine.isInContact)
        machine.listed(chunk([thing("a", "2")], next: "token"))
        #expect(known == ["a": "1", "b": "1"])
        machine.listed(chunk([thing("c", "1")], version: "50"))
        // What was deleted unseen is gone as well.
        #expect(known == ["a": "2", "c": "1"] && machine.next == .watch(resourceVersion: "50"))
    }

    @Test("the same as an event of a watch that has begun")
    mutating func expiredEvent() {
        machine.listed(chunk([thing("a", "1")]))
        machine.watching()
        let status: JSONValue = ["kind": "Status", "code": 410, "reason": "Expired"]
        let goesOn = machine.received(event("ERROR", status))
        #expect(!goesOn)
        #expect(machine.next == .list(continuation: nil) && known == ["a": "1"])
    }

    @Test("an error in a watch that is none of its version's keeps the place")
    mutating func errorEvent() {
        machine.listed(chunk([thing("a", "1")], version: "20"))
        let goesOn = machine.received(event("ERROR", ["kind": "Status", "code": 500]))
        #expect(!goesOn)
        #expect(machine.next == .watch(resourceVersion: "20") && machine.lastError?.code == .unavailable)
    }

    @Test("a list whose continuation is too old begins anew, without its first part")
    mutating func expiredContinuation() {
        machine.listed(chunk([thing("a", "1")], next: "token"))
        machine.failed(expired, random: 0)
        #expect(machine.next == .list(continuation: nil))
        machine.listed(chunk([thing("b", "1")]))
        #expect(known == ["b": "1"])
    }

    @Test("a list that breaks goes on where it was")
    mutating func brokenList() {
        machine.listed(chunk([thing("a", "1")], next: "token"))
        machine.failed(broken, random: 0)
        #expect(machine.next == .list(continuation: "token"))
        machine.listed(chunk([thing("b", "1")]))
        #expect(known == ["a": "1", "b": "1"])
    }

    @Test("one break is nothing unusual, two in a row are a loss of contact, and one success ends it")
    mutating func contact() {
        machine.listed(chunk([thing("a", "1")], version: "20"))
        machine.failed(broken, random: 0)
        #expect(machine.isInContact)
        machine.failed(broken, random: 0)
        #expect(!machine.isInContact && machine.lastError?.message == "the connection broke")
        #expect(known == ["a": "1"] && machine.next == .watch(resourceVersion: "20"))
        machine.watching()
        #expect(machine.isInContact && machine.lastError == nil && machine.pause == .zero)
        machine.failed(broken, random: 0)
        #expect(machine.isInContact)
    }

    @Test("not to be allowed is a loss of contact at once", arguments: [401, 403, 404])
    func refused(status: Int) {
        var machine = machine
        machine.failed(KubernetesError(status: status, head: nil, body: []), random: 0)
        #expect(!machine.isInContact)
    }

    @Test("pauses double up to the longest; what the server asks for is waited for")
    mutating func pauses() {
        var pauses: [Duration] = []
        for _ in 0..<9 {
            machine.failed(broken, random: 1)
            pauses.append(machine.pause)
        }
        #expect(pauses == [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000].map { .milliseconds($0) })
        machine.failed(KubernetesError(.unavailable, "busy", retryAfter: .seconds(20)), random: 0)
        #expect(machine.pause == .seconds(20))
    }

    @Test("whatever order lists, breaks and events come in, what is known is what the server has", arguments: 0..<50)
    func anyOrder(seed: UInt64) {
        var random = Seeded(state: seed &* 0x9E37_79B9_7F4A_7C15 | 1)
        var machine = WatchMachine<Thing>()
        // The server: what is there at each version, and the events between.
        var truth: [String: String] = [:]
        var history: [(version: Int, event: JSONValue)] = []
        var version = 1
        var oldest = 1
        for _ in 0..<300 {
            switch random.next(8) {
            case 0...2:
                version += 1
                let name = "n\(random.next(5))"
                let isThere = truth[name] != nil
                if isThere, random.next(3) == 0 {
                    history.append((version, event("DELETED", thing(name, truth[name] ?? "", version: "\(version)"))))
                    truth[name] = nil
                } else {
                    truth[name] = "\(version)"
                    let type = isThere ? "MODIFIED" : "ADDED"
                    history.append((version, event(type, thing(name, "\(version)", version: "\(version)"))))
                }
            case 3: machine.failed(broken, random: 0)
            case 4 where random.next(4) == 0: oldest = version
            default: step(&machine, truth, history, version, oldest, &random)
            }
        }
        // Left alone, it comes to the truth.
        for _ in 0..<20 { step(&machine, truth, history, version, oldest, &random, isWhole: true) }
        #expect(machine.objects.mapValues(\.says) == truth)
    }

    /// What a server does when it is asked for what the machine wants.
    private func step(
        _ machine: inout WatchMachine<Thing>, _ truth: [String: String], _ history: [(version: Int, event: JSONValue)],
        _ version: Int, _ oldest: Int, _ random: inout Seeded, isWhole: Bool = false
    ) {
        switch machine.next {
        case .list(let continuation):
            let things = truth.sorted { $0.key < $1.key }.map { thing($0.key, $0.value) }
            // The rest of a list is of the version that it began with; here, of the same or none.
            let parts = continuation?.split(separator: "/").compactMap { Int($0) } ?? [version, 0]
            if parts[0] != version { return machine.failed(expired, random: 0) }
            let end = min(parts[1] + 2, things.count)
            machine.listed(
                chunk(
                    Array(things[parts[1]..<end]), version: "\(version)",
                    next: end < things.count ? "\(version)/\(end)" : nil))
        case .watch(let from):
            let from = Int(from) ?? 0
            if from < oldest { return machine.failed(expired, random: 0) }
            machine.watching()
            for (_, event) in history
            where event["object", "metadata", "resourceVersion"]?.text.flatMap({ Int($0) }) ?? 0 > from {
                if !isWhole, random.next(4) == 0 { return machine.failed(broken, random: 0) }
                guard machine.received(event) else { return }
            }
            machine.ended()
        }
    }
}

/// A small generator (xorshift), so that what fails can be seen again.
private struct Seeded {
    var state: UInt64

    mutating func next(_ bound: UInt64) -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state % bound
    }
}

@Suite("Lines of a stream")
struct LineSplitterTests {
    @Test("lines are the same however the bytes are split", arguments: 1...12)
    func splits(size: Int) {
        let bytes = Array("one\n\ntwo\nthree".utf8)
        var splitter = LineSplitter(maximumBytes: 100, excess: .fail)
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            lines += splitter.append(Array(bytes[start..<min(start + size, bytes.count)])).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        #expect(lines == ["one", "", "two"])
        #expect(splitter.finish() == Array("three".utf8))
        #expect(splitter.finish() == nil && !splitter.hasOverflowed)
    }

    @Test("a line that is too long is cut, or fails the stream, and never grows beyond its limit")
    func excess() {
        var cut = LineSplitter(maximumBytes: 3, excess: .cut)
        #expect(cut.append(Array("abcdef\ngh\n".utf8)) == [Array("abc".utf8), Array("gh".utf8)])
        #expect(!cut.hasOverflowed)
        var failing = LineSplitter(maximumBytes: 3, excess: .fail)
        _ = failing.append(Array("abc".utf8))
        #expect(!failing.hasOverflowed)
        _ = failing.append(Array("d".utf8))
        #expect(failing.hasOverflowed)
    }
}
