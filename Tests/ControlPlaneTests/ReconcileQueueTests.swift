// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@testable import ControlPlane

@Suite("What is brought up to date when")
struct ReconcileQueueTests {
    private let a: WorkloadID
    private let b: WorkloadID

    init() throws {
        a = try #require(WorkloadID("a"))
        b = try #require(WorkloadID("b"))
    }

    @Test("what is asked for many times is done once")
    func coalescing() {
        var queue = ReconcileQueue(limit: 4)
        queue.ask(a)
        queue.ask(a)
        queue.nudge(a)
        #expect(queue.next(at: .zero) == .start(a))
        #expect(queue.next(at: .zero) == .wait(until: nil))
        queue.finish(a, .succeeded, at: .zero)
        #expect(queue.next(at: .zero) == .wait(until: nil))
    }

    @Test("a workload never runs twice at once; what is asked for meanwhile runs afterwards")
    func serial() {
        var queue = ReconcileQueue(limit: 4)
        queue.ask(a)
        #expect(queue.next(at: .zero) == .start(a))
        queue.ask(a)
        queue.ask(a)
        #expect(queue.next(at: .zero) == .wait(until: nil))
        queue.finish(a, .succeeded, at: .zero)
        #expect(queue.next(at: .zero) == .start(a))
        queue.finish(a, .succeeded, at: .zero)
        #expect(queue.next(at: .zero) == .wait(until: nil))
    }

    @Test("no more than the limit run at once, first come, first served")
    func bounded() {
        var queue = ReconcileQueue(limit: 1)
        queue.ask(b)
        queue.ask(a)
        #expect(queue.next(at: .zero) == .start(b))
        #expect(queue.next(at: .zero) == .wait(until: nil))
        queue.finish(b, .succeeded, at: .zero)
        #expect(queue.next(at: .zero) == .start(a))
    }

    @Test("what failed is tried again when its wait is over, and failures are counted")
    func retries() {
        var queue = ReconcileQueue(limit: 4)
        queue.ask(a)
        _ = queue.next(at: .zero)
        queue.finish(a, .failed(retryIn: .seconds(2)), at: .seconds(10))
        #expect(queue.failedAttempts(of: a) == 1)
        #expect(queue.next(at: .seconds(11)) == .wait(until: .seconds(12)))
        #expect(queue.next(at: .seconds(12)) == .start(a))
        queue.finish(a, .failed(retryIn: .seconds(4)), at: .seconds(12))
        #expect(queue.failedAttempts(of: a) == 2)
        #expect(queue.next(at: .seconds(12)) == .wait(until: .seconds(16)))
        #expect(queue.next(at: .seconds(99)) == .start(a))
        queue.finish(a, .succeeded, at: .seconds(99))
        #expect(queue.failedAttempts(of: a) == 0)
    }

    @Test("a change ends the wait; what the runtime shows does not")
    func waiting() {
        var queue = ReconcileQueue(limit: 4)
        queue.ask(a)
        _ = queue.next(at: .zero)
        queue.finish(a, .failed(retryIn: .seconds(60)), at: .zero)
        queue.nudge(a)
        #expect(queue.next(at: .zero) == .wait(until: .seconds(60)))
        queue.ask(a)
        #expect(queue.failedAttempts(of: a) == 0)
        #expect(queue.next(at: .zero) == .start(a))
        queue.finish(a, .succeeded, at: .zero)
        #expect(queue.next(at: .seconds(60)) == .wait(until: nil), "the old wait means nothing any more")
    }

    @Test("what failed while it was asked for again runs at once")
    func askedWhileFailing() {
        var queue = ReconcileQueue(limit: 4)
        queue.ask(a)
        _ = queue.next(at: .zero)
        queue.ask(a)
        queue.finish(a, .failed(retryIn: .seconds(60)), at: .zero)
        #expect(queue.next(at: .zero) == .start(a))
    }
}

@Suite("Wake signal")
struct WakeSignalTests {
    @Test("a ring before the wait is not lost, and many are one")
    func early() async {
        let signal = WakeSignal()
        signal.ring()
        signal.ring()
        await signal.wait(atMost: nil, clock: ContinuousClock())
        let start = ContinuousClock.now
        await signal.wait(atMost: .milliseconds(20), clock: ContinuousClock())
        #expect(ContinuousClock.now - start >= .milliseconds(20), "nothing was left of the second ring")
    }

    @Test("a ring, a deadline and cancellation each end the wait")
    func endings() async {
        let signal = WakeSignal()
        for _ in 0..<200 {
            async let waiting: Void = signal.wait(atMost: .seconds(60), clock: ContinuousClock())
            signal.ring()
            await waiting
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await signal.wait(atMost: nil, clock: ContinuousClock()) }
            group.cancelAll()
        }
        signal.ring()
        await signal.wait(atMost: nil, clock: ContinuousClock())
    }
}
