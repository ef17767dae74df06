// SPDX-License-Identifier: MIT

import CSpawn
import Glibc
import Spawn
import Synchronization

/// The one thread that reads what instances write.
///
/// Apart from all event loops, because it writes files: a slow disk holds up logs, and nothing else. A child blocks in
/// `write` only when its pipe is full and this thread has not come round yet. Lives as long as the process.
final class LogPump: Sendable {
    static let shared = LogPump()

    private struct Stream {
        let writer: LogWriter
        let source: LogWriter.Source
    }

    private struct Finish {
        let descriptors: [Int32]
        let writer: LogWriter
        let done: @Sendable () -> Void
    }

    private struct State {
        var streams: [Int32: Stream] = [:]
        var finishes: [Finish] = []
    }

    private let epoll: Int32
    private let bell: Int32
    private let state = Mutex(State())

    private init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(epoll >= 0 && bell >= 0, "no descriptor is left for the logs of instances")
        watch(bell)
        LongLivedThread.start(named: "logs") { LogPump.shared.run() }
    }

    /// Begins to read a pipe's end, which is this object's from now on.
    func read(_ descriptor: Int32, as source: LogWriter.Source, into writer: LogWriter) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        state.withLock { $0.streams[descriptor] = Stream(writer: writer, source: source) }
        watch(descriptor)
    }

    /// Reads what is left in the pipes of a life that is over, closes them and ends its log.
    ///
    /// Does not wait for the pipes' end: a process that escaped from its group may hold them.
    func finish(_ descriptors: [Int32], of writer: LogWriter) async {
        await withCheckedContinuation { continuation in
            state.withLock {
                $0.finishes.append(Finish(descriptors: descriptors, writer: writer) { continuation.resume() })
            }
            var one: UInt64 = 1
            write(bell, &one, 8)
        }
    }

    private func watch(_ descriptor: Int32) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.fd = descriptor
        epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)
    }

    // MARK: - The thread

    private func run() -> Never {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = epoll_wait(epoll, &events, Int32(events.count), -1)
            guard count > 0 else { continue }
            for event in events[..<Int(count)] {
                if event.data.fd == bell {
                    var value: UInt64 = 0
                    Glibc.read(bell, &value, 8)
                } else {
                    _ = readOnce(event.data.fd, &buffer)
                }
            }
            let finishes = state.withLock { state in
                let finishes = state.finishes
                state.finishes = []
                return finishes
            }
            for finish in finishes { complete(finish, &buffer) }
        }
    }

    /// Reads what fits into the buffer; `false` when there is nothing more for now.
    private func readOnce(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Bool {
        guard let stream = state.withLock({ $0.streams[descriptor] }) else { return false }
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count > 0 {
            stream.writer.receive(buffer[..<count], from: stream.source)
            return true
        }
        if count == 0 || (errno != EAGAIN && errno != EINTR) { closeStream(descriptor) }
        return false
    }

    private func complete(_ finish: Finish, _ buffer: inout [UInt8]) {
        for descriptor in finish.descriptors {
            // A pipe whose end was read before is closed already, and its number may be that of another life's pipe.
            guard state.withLock({ $0.streams[descriptor]?.writer === finish.writer }) else { continue }
            // A pipe holds 64 KiB; who goes on writing to it after the end of the life is not listened to for ever.
            for _ in 0..<16 where !readOnce(descriptor, &buffer) { break }
            closeStream(descriptor)
        }
        finish.writer.finish()
        finish.done()
    }

    /// Only this thread closes: a number that it works with can't be used again meanwhile.
    private func closeStream(_ descriptor: Int32) {
        guard state.withLock({ $0.streams.removeValue(forKey: descriptor) }) != nil else { return }
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
        close(descriptor)
    }
}
