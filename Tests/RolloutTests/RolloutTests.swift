// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@testable import Rollout

/// A platform that does at once what it is told, and what the test says beyond that.
private struct Platform {
    var rollout: Rollout
    var members: [RolloutMember] = []
    var rules: RolloutRules
    var now = Duration.zero
    private var ids: UInt64 = 0
    /// All actions so far.
    var log: [Rollout.Action] = []

    init(replicas: Int, drainTime: Duration = .seconds(60), surges: Bool = true) {
        rollout = Rollout(serving: 1)
        rules = RolloutRules(replicas: [1: replicas], drainTime: drainTime, surges: surges)
        settle()
    }

    /// Does all there is to do, and checks that it comes to an end.
    mutating func settle() {
        for _ in 0..<50 {
            let actions = rollout.step(members, rules, now: now)
            guard !actions.isEmpty else { return }
            log += actions
            for action in actions { take(action) }
        }
        Issue.record("it never settles: \(log.suffix(10))")
    }

    private mutating func take(_ action: Rollout.Action) {
        switch action {
        case .start(let ordinal, let revision):
            ids += 1
            members.append(RolloutMember(id: ids, ordinal: ordinal, revision: revision, state: .starting))
        case .drain(let id):
            let since = now
            change(id) { $0.departure = .draining(since: since, isReleased: false) }
        case .stop(let id): change(id) { $0.departure = .stopping }
        }
    }

    mutating func change(_ id: UInt64, _ change: (inout RolloutMember) -> Void) {
        guard let index = members.firstIndex(where: { $0.id == id }) else { return }
        change(&members[index])
    }

    mutating func all(
        of revision: UInt64, _ state: RolloutMember.State, failures: Int = 0, ordinals: Set<Int>? = nil
    ) {
        for member in members where member.revision == revision && member.departure == nil {
            guard ordinals?.contains(member.ordinal) ?? true else { continue }
            change(member.id) { member in
                member.state = state
                member.failures = failures
            }
        }
        settle()
    }

    /// What was asked to stop has stopped.
    mutating func endStopped() {
        members.removeAll { $0.departure == .stopping }
        settle()
    }

    mutating func releaseAll() {
        for member in members {
            if case .draining(let since, _) = member.departure {
                change(member.id) { $0.departure = .draining(since: since, isReleased: true) }
            }
        }
        settle()
    }

    mutating func roll(to revision: UInt64, replicas: Int? = nil) {
        rules.replicas[revision] = replicas ?? rules.replicas[rollout.serving] ?? 0
        rollout.roll(to: revision)
        settle()
    }

    func staying(_ revision: UInt64) -> [Int] {
        members.filter { $0.revision == revision && $0.departure == nil }.map(\.ordinal).sorted()
    }

    var draining: [Int] {
        members.filter { if case .draining = $0.departure { true } else { false } }.map(\.ordinal).sorted()
    }

    var stopping: [Int] { members.filter { $0.departure == .stopping }.map(\.ordinal).sorted() }
}

@Suite("A roll-out")
struct RolloutTests {
    private func running(_ replicas: Int, drainTime: Duration = .seconds(60), surges: Bool = true) -> Platform {
        var platform = Platform(replicas: replicas, drainTime: drainTime, surges: surges)
        platform.all(of: 1, .ready)
        return platform
    }

    @Test("the new lives start beside the old ones, which serve until every new one is ready, and then drain at once")
    func surge() {
        var platform = running(3)
        platform.roll(to: 2)
        #expect(platform.staying(1) == [0, 1, 2] && platform.staying(2) == [0, 1, 2])
        platform.all(of: 2, .ready, ordinals: [0, 2])
        #expect(platform.rollout.serving == 1 && platform.draining.isEmpty)
        platform.all(of: 2, .ready)
        #expect(platform.rollout.serving == 2 && !platform.rollout.isUnderWay)
        #expect(platform.draining == [0, 1, 2] && platform.stopping.isEmpty)
        platform.releaseAll()
        #expect(platform.stopping == [0, 1, 2] && platform.staying(2) == [0, 1, 2])
    }

    @Test("what drains is stopped when its time is over")
    func drainTime() {
        var platform = running(1)
        platform.roll(to: 2)
        platform.all(of: 2, .ready)
        #expect(platform.rollout.nextDeadline(platform.members, platform.rules) == .seconds(60))
        platform.now = .seconds(59)
        platform.settle()
        #expect(platform.draining == [0])
        platform.now = .seconds(60)
        platform.settle()
        #expect(platform.stopping == [0])
    }

    @Test("what drains and does not answer any more is stopped")
    func lostWhileDraining() {
        var platform = running(1)
        platform.roll(to: 2)
        platform.all(of: 2, .ready)
        platform.change(1) { $0.state = .failing }
        platform.settle()
        #expect(platform.stopping == [0])
    }

    @Test("a revision that fails is withdrawn, and the serving one never stopped", arguments: [0, 1, 2])
    func withdrawal(_ way: Int) {
        var platform = running(3)
        platform.roll(to: 2)
        platform.all(of: 2, .ready, ordinals: [0, 2])
        let before = platform.log
        let failing = platform.members.first { $0.revision == 2 && $0.ordinal == 1 }?.id ?? 0
        let failures = way == 0 ? 1 : 2
        platform.change(failing) { member in
            member.state = .failing
            member.failures = failures
            member.failure = PhaseReason(.exited, "exit code 3")
        }
        platform.settle()
        #expect(platform.rollout.isUnderWay, "once or twice may be bad luck")
        switch way {
        case 0: platform.change(failing) { $0.failure = PhaseReason(.startupTimedOut, "no answer") }
        case 1: platform.change(failing) { $0.failures = 3 }
        default: platform.change(failing) { $0.state = .unready }
        }
        platform.settle()
        #expect(!platform.rollout.isUnderWay && platform.rollout.serving == 1)
        #expect(platform.rollout.withdrawal?.revision == 2 && platform.rollout.withdrawal?.ordinal == 1)
        // The new ones are stopped at once: they never had a session.
        #expect(platform.stopping == [0, 1, 2] && platform.staying(1) == [0, 1, 2] && platform.draining.isEmpty)
        platform.endStopped()
        #expect(!platform.log.dropFirst(before.count).contains { if case .start = $0 { true } else { false } })
        // Wanted once more, it is tried once more.
        platform.roll(to: 3)
        #expect(platform.rollout.withdrawal == nil && platform.staying(3) == [0, 1, 2])
    }

    @Test("going back before the new revision serves stops the new lives, and nothing else")
    func undone() {
        var platform = running(2)
        platform.roll(to: 2)
        platform.roll(to: 1)
        #expect(platform.stopping == [0, 1] && platform.staying(1) == [0, 1] && platform.draining.isEmpty)
    }

    @Test("a third revision takes the place of one that does not serve yet")
    func superseded() {
        var platform = running(2)
        platform.roll(to: 2)
        platform.roll(to: 3)
        #expect(platform.staying(1) == [0, 1] && platform.staying(3) == [0, 1] && platform.staying(2).isEmpty)
        #expect(platform.stopping == [0, 1])
    }

    @Test("an ordinal never has more than four lives; a newer revision waits for one to end")
    func manyRevisions() {
        var platform = running(1)
        for revision in UInt64(2)...4 {
            platform.roll(to: revision)
            platform.all(of: revision, .ready)
        }
        #expect(platform.draining.count == 3)
        platform.roll(to: 5)
        #expect(platform.staying(5).isEmpty && platform.staying(4) == [0])
        platform.releaseAll()
        platform.endStopped()
        #expect(platform.staying(5) == [0])
    }

    @Test("a revision that was never ready is replaced at once")
    func unproven() {
        var platform = Platform(replicas: 2)
        platform.all(of: 1, .failing, failures: 5)
        platform.roll(to: 2)
        #expect(platform.rollout.serving == 2 && platform.staying(2) == [0, 1] && platform.stopping == [0, 1])
        platform.all(of: 2, .failing, failures: 5)
        #expect(platform.rollout.withdrawal == nil, "there is nothing to go back to")
    }

    @Test("a revision that was ready is worth going back to although it fails now")
    func provenAndFailing() {
        var platform = running(1)
        platform.all(of: 1, .failing, failures: 1)
        platform.roll(to: 2)
        #expect(platform.rollout.isUnderWay && platform.staying(1) == [0])
    }

    @Test("too many instances drain, and ordinals that come back get new lives")
    func scaling() {
        var platform = running(5)
        platform.log = []
        platform.rules.replicas[1] = 2
        platform.settle()
        #expect(platform.log == [.drain(5), .drain(4), .drain(3)], "the highest ordinals first")
        platform.rules.replicas[1] = 4
        platform.settle()
        #expect(platform.staying(1) == [0, 1, 2, 3] && platform.draining == [2, 3, 4])
    }

    @Test("a new revision with fewer or more replicas", arguments: [0, 1, 5])
    func scalingAtOnce(_ replicas: Int) {
        var platform = running(3)
        platform.roll(to: 2, replicas: replicas)
        platform.all(of: 2, .ready)
        #expect(platform.staying(2) == Array(0..<replicas) && platform.draining == [0, 1, 2])
    }

    @Test("where both can't run, the old ones are stopped first, and started again when the new ones fail")
    func inPlace() {
        var platform = running(1, surges: false)
        platform.roll(to: 2)
        #expect(platform.stopping == [0] && platform.staying(2).isEmpty)
        platform.endStopped()
        #expect(platform.staying(2) == [0] && platform.staying(1).isEmpty)
        platform.all(of: 2, .failing, failures: 3)
        #expect(platform.rollout.withdrawal?.revision == 2 && platform.staying(1).isEmpty)
        platform.endStopped()
        #expect(platform.staying(1) == [0])
    }

    @Test("parked instances count as served, and a new revision starts in their place")
    func parked() {
        var platform = running(2)
        platform.all(of: 1, .parked)
        #expect(platform.staying(1) == [0, 1], "nothing is started for them")
        platform.roll(to: 2)
        #expect(platform.rollout.isUnderWay && platform.staying(2) == [0, 1])
        platform.all(of: 2, .ready)
        #expect(platform.stopping == [0, 1], "nobody can be bound to what is parked")
    }

    @Test("what was inherited is kept as it is until the wanted revision is ready")
    func inherited() {
        var platform = Platform(replicas: 0)
        platform.rollout = Rollout(serving: 0, isProven: true)
        platform.rules = RolloutRules(replicas: [:], drainTime: .seconds(9), surges: true)
        platform.members = (0..<3).map { RolloutMember(id: 100 + UInt64($0), ordinal: $0, revision: 0, state: .ready) }
        platform.settle()
        #expect(platform.members.count == 3 && platform.log.isEmpty)
        platform.roll(to: 1, replicas: 2)
        #expect(platform.staying(0) == [0, 1, 2] && platform.staying(1) == [0, 1])
        platform.all(of: 1, .ready)
        #expect(platform.draining == [0, 1, 2])
    }

    @Test("whatever happens in whatever order: what serves is never stopped before its successor is ready, or its time")
    func random() {
        var generator = SplitMix(state: 7)
        for _ in 0..<2000 {
            var platform = running(Int.random(in: 1...3, using: &generator))
            var revision: UInt64 = 1
            for _ in 0..<30 {
                let serving = platform.rollout.serving
                let ready = Set(
                    platform.members.filter { $0.revision == serving && $0.state == .ready && $0.departure == nil }.map(
                        \.id))
                switch Int.random(in: 0..<6, using: &generator) {
                case 0:
                    revision += 1
                    platform.roll(to: revision)
                case 1: platform.roll(to: serving)
                case 2:
                    platform.all(
                        of: platform.rollout.target, .ready, ordinals: [Int.random(in: 0..<3, using: &generator)])
                case 3:
                    let target = platform.rollout.target
                    if target != serving { platform.all(of: target, .failing, failures: 3) }
                case 4: platform.endStopped()
                default:
                    platform.now += .seconds(20)
                    platform.settle()
                }
                for ordinal in 0..<3 {
                    #expect(platform.members.count { $0.ordinal == ordinal } <= RolloutRules.maximumLives)
                }
                for member in platform.members where ready.contains(member.id) {
                    // It stays, or drains since its successors are ready.
                    if platform.rollout.serving == serving {
                        #expect(member.departure == nil)
                    } else {
                        #expect(member.departure != .stopping)
                        #expect(
                            platform.staying(platform.rollout.serving).count
                                == platform.rules.replicas[platform.rollout.serving])
                    }
                }
            }
        }
    }
}

/// The same numbers every time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
