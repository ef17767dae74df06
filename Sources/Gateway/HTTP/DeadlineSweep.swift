// SPDX-License-Identifier: MIT

public import NIOCore

/// Something that is ended when it takes too long.
///
/// A class, for half the room in the sweep: thousands of streams are members.
open class Expiring {
    /// The place in the sweep; -1 for none.
    fileprivate final var place: Int32 = -1

    /// Nothing watches over it yet.
    public init() {}

    /// Whether a sweep watches over it.
    public final var isWatched: Bool { place >= 0 }

    /// When it is ended, on the clock of ``DeadlineSweep/now``; `.distantFuture`, as by default, for never.
    open var deadline: NIODeadline { .distantFuture }

    /// Called on the loop, once each time the deadline is found to have passed.
    open func deadlinePassed() {}
}

/// Looks at all deadlines of an event loop at a steady pace.
///
/// One timer a loop instead of one a connection, and moving a deadline is a store. Confined to its loop.
public final class DeadlineSweep {
    /// The loop.
    public let eventLoop: any EventLoop
    /// The time of the last sweep: behind the clock by at most the interval, and free to read.
    public private(set) var now: NIODeadline

    private let interval: TimeAmount
    /// All that is watched over, in no order.
    private(set) var members: [Expiring] = []
    /// How many are watched over.
    public var count: Int { members.count }
    private var highest = 0
    private var timer: RepeatedTask?

    /// Begins to sweep `eventLoop`, on which this must be called.
    public init(eventLoop: any EventLoop, interval: TimeAmount) {
        eventLoop.preconditionInEventLoop()
        self.eventLoop = eventLoop
        self.interval = interval
        now = eventLoop.now
        let this = NIOLoopBound(WeakReference(self), eventLoop: eventLoop)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            this.value.object?.sweep()
        }
    }

    deinit {
        timer?.cancel()
    }

    /// The moment `amount` from now, late enough that at least `amount` passes before it.
    public func deadline(after amount: TimeAmount) -> NIODeadline {
        now + amount + interval
    }

    /// Watches over `member`, which is kept alive, until it is removed.
    public func insert(_ member: Expiring) {
        precondition(!member.isWatched, "a member is inserted once")
        member.place = Int32(members.count)
        members.append(member)
        highest = max(highest, members.count)
    }

    /// The most that were watched over at a time since the last call, or the beginning.
    public func takeHighestCount() -> Int {
        defer { highest = members.count }
        return highest
    }

    /// Stops to watch over `member`.
    ///
    /// Idempotent.
    public func remove(_ member: Expiring) {
        let index = Int(member.place)
        guard index >= 0 else { return }
        member.place = -1
        let last = members.removeLast()
        if last !== member {
            members[index] = last
            last.place = Int32(index)
        }
    }

    private func sweep() {
        now = eventLoop.now
        // Backwards, because what passes its deadline may leave: the last member then takes its place.
        var index = members.count - 1
        while index >= 0 {
            if index < members.count, members[index].deadline <= now { members[index].deadlinePassed() }
            index -= 1
        }
    }
}

/// A reference that does not keep its object alive.
struct WeakReference<Object: AnyObject> {
    weak var object: Object?

    init(_ object: Object) {
        self.object = object
    }
}
