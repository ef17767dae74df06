// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@testable import ControlPlane

@Suite("What the gateway's budget allows")
struct BudgetLedgerTests {
    private typealias Share = BudgetLedger.Share

    private static func id(_ name: String) throws -> WorkloadID { try #require(WorkloadID(name)) }

    /// A ledger of 300 MiB with what is measured, in MiB, all of it ready.
    private func ledger(_ used: [String: Int64], processes: Int? = nil) throws -> BudgetLedger {
        var ledger = BudgetLedger(Budget(memoryBytes: 300 << 20, processes: processes))
        var shares: [WorkloadID: [Share]] = [:]
        for (name, size) in used { shares[try Self.id(name)] = [Share(bytes: size << 20, processes: 1)] }
        ledger.measured(shares, starting: [])
        return ledger
    }

    @Test("who fits starts, and what was promised counts until it is ready")
    func promises() throws {
        let (a, b, c) = try (Self.id("a"), Self.id("b"), Self.id("c"))
        var ledger = BudgetLedger(Budget(processes: 2))
        #expect(ledger.admit(a, instances: 1) == .admitted(parking: []))
        #expect(ledger.admit(a, instances: 1) == .admitted(parking: []))
        #expect(ledger.admit(b, instances: 1) == .admitted(parking: []))
        #expect(ledger.admit(c, instances: 1) == .refused)
        // Nothing of them is there yet.
        ledger.measured([:], starting: [a, b])
        #expect(ledger.admit(c, instances: 1) == .refused)
        ledger.measured([a: [Share(bytes: 1, processes: 1)], b: []], starting: [])
        #expect(ledger.admit(c, instances: 1) == .admitted(parking: []))
    }

    @Test("a promise that is taken back makes room")
    func withdraws() throws {
        let (a, b) = try (Self.id("a"), Self.id("b"))
        var ledger = BudgetLedger(Budget(processes: 1))
        #expect(ledger.admit(a, instances: 1) == .admitted(parking: []))
        #expect(ledger.admit(b, instances: 1) == .refused)
        ledger.withdraw(a)
        #expect(ledger.admit(b, instances: 1) == .admitted(parking: []))
    }

    @Test("as many are parked as it takes, the least recently used first, and none in vain")
    func parks() throws {
        let (a, b, c, d) = try (Self.id("a"), Self.id("b"), Self.id("c"), Self.id("d"))
        let used = try ledger(["a": 100, "b": 100, "c": 90])
        var enough = used
        #expect(enough.admit(d, instances: 1, idle: [b, a]) == .admitted(parking: [b]))
        var two = used
        #expect(two.admit(d, instances: 2, idle: [b, a]) == .admitted(parking: [b, a]))
        var tooFew = used
        #expect(tooFew.admit(d, instances: 4, idle: [b, a]) == .refused)
        // What frees nothing, as a server of somebody else, is left alone.
        var remote = used
        #expect(try remote.admit(d, instances: 1, idle: [Self.id("remote"), b]) == .admitted(parking: [b]))
        // What was parked no longer counts.
        #expect(enough.admit(c, instances: 1) == .admitted(parking: []))
    }

    @Test("the next life is taken to need what the last one did")
    func remembers() throws {
        let (a, b) = try (Self.id("a"), Self.id("b"))
        var ledger = try ledger(["a": 250])
        ledger.measured([a: [], b: [Share(bytes: 100 << 20, processes: 1)]], starting: [])
        #expect(ledger.admit(a, instances: 1) == .refused)
        ledger.forget { $0 == a }
        #expect(ledger.admit(a, instances: 1) == .admitted(parking: []))
    }

    @Test("where nothing else runs everything starts, however small the budget")
    func alone() throws {
        let (a, b) = try (Self.id("a"), Self.id("b"))
        var ledger = BudgetLedger(Budget(memoryBytes: 1 << 20))
        #expect(ledger.admit(a, instances: 3) == .admitted(parking: []))
        ledger.measured([a: [Share(bytes: 2 << 20, processes: 1)]], starting: [])
        #expect(ledger.isExceeded)
        #expect(ledger.admit(b, instances: 1) == .refused)
        #expect(ledger.admit(b, instances: 1, idle: [a]) == .admitted(parking: [a]))
    }

    @Test("what is too much is parked where nobody uses it, no more of it than need be")
    func excess() throws {
        let (a, b, c) = try (Self.id("a"), Self.id("b"), Self.id("c"))
        var ledger = try ledger(["a": 150, "b": 150, "c": 150])
        #expect(ledger.isExceeded && ledger.total == Share(bytes: 450 << 20, processes: 3))
        #expect(ledger.excess(idle: []) == [])
        #expect(ledger.excess(idle: [c, a, b]) == [c])
        #expect(!ledger.isExceeded && ledger.excess(idle: [a, b]) == [])
        var processes = try self.ledger(["a": 1, "b": 1, "c": 1], processes: 1)
        #expect(processes.excess(idle: [a, b, c]) == [a, b])
    }

    @Test("a server's bridge and children count as its processes")
    func processes() throws {
        let (a, b) = try (Self.id("a"), Self.id("b"))
        var ledger = BudgetLedger(Budget(processes: 4))
        ledger.measured([a: [Share(bytes: 1, processes: 3)]], starting: [])
        #expect(ledger.admit(b, instances: 2) == .refused)
        #expect(ledger.admit(b, instances: 1) == .admitted(parking: []))
    }
}
