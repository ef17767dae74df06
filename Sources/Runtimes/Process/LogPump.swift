// SPDX-License-Identifier: MIT

internal import Glibc
internal import RuntimeContract
internal import Spawn
internal import Synchronization

/// Reads what all servers write and puts it into their logs: one thread for all, so that a server never waits because
/// somebody else is busy.
///
/// The thread lives as long as the process, and holds no pump that nobody else holds.
final class LogPump: Sendable {
    /// One server's pipe.
    private struct Source {
        let descriptor: Int32
        let log: InstanceLog
        /// A line that has begun, cut at ``LogLine/maximumBytes``.
        var partial: [UInt8] = []
    }

    /// The pump of this process.
    static let shared = LogPump()

    private let arrivals = Mutex<[Source]>([])
    private let wakeRead: Int32
    private let wakeWrite: Int32

    private init() {
        guard let pipe = try? DescriptorPair.pipe() else {
            preconditionFailure("the pump needs a pipe to be woken by")
        }
        (wakeRead, wakeWrite) = (pipe.readEnd, pipe.writeEnd)
        _ = fcntl(wakeRead, F_SETFL, O_NONBLOCK)
        _ = fcntl(wakeWrite, F_SETFL, O_NONBLOCK)
        var thread = pthread_t()
        let failure = pthread_create(&thread, nil, { _ in LogPump.shared.run() }, nil)
        precondition(failure == 0, "the pump needs a thread")
        pthread_detach(thread)
    }

    /// Reads from `descriptor`, which is taken over, until everybody has closed the other end.
    func add(_ descriptor: Int32, log: InstanceLog) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        arrivals.withLock { $0.append(Source(descriptor: descriptor, log: log)) }
        var byte: UInt8 = 1
        _ = write(wakeWrite, &byte, 1)
    }

    private func run() -> Never {
        var sources: [Source] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var polled = [pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0)]
            polled += sources.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
            var ended: [Int] = []
            for index in sources.indices where polled[index + 1].revents != 0 {
                if !Self.read(&sources[index], &buffer) { ended.append(index) }
            }
            for index in ended.reversed() {
                close(sources[index].descriptor)
                sources.remove(at: index)
            }
            if polled[0].revents != 0 {
                _ = Glibc.read(wakeRead, &buffer, buffer.count)
                sources += arrivals.withLock { arrivals in
                    defer { arrivals = [] }
                    return arrivals
                }
            }
        }
    }

    /// Reads once; `false` at the end.
    private static func read(_ source: inout Source, _ buffer: inout [UInt8]) -> Bool {
        let count = Glibc.read(source.descriptor, &buffer, buffer.count)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        let now = Timestamp.now
        var lines: [LogLine] = []
        if count == 0 {
            if !source.partial.isEmpty { lines.append(LogLine(timestamp: now, text: source.partial)) }
        } else {
            for byte in buffer[..<count] {
                if byte == UInt8(ascii: "\n") {
                    lines.append(LogLine(timestamp: now, text: source.partial))
                    source.partial.removeAll(keepingCapacity: true)
                } else if source.partial.count < LogLine.maximumBytes {
                    source.partial.append(byte)
                }
            }
        }
        if !lines.isEmpty { source.log.append(lines) }
        return count > 0
    }
}

extension Timestamp {
    /// Now, by the wall clock.
    static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(millisecondsSinceEpoch: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}
