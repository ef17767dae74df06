// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import NIOPosix

/// Passes on what children write to their standard error, whole lines at a time, to the bridge's own.
///
/// Lives on the event loop; the writing is done by a thread, since whoever reads the bridge's standard error may be
/// slow and a blocked loop would block everybody. Children are always read: what does not fit in the queue is dropped,
/// and the number of dropped bytes is written instead.
final class StandardErrorRelay {
    private let loop: any EventLoop
    private let descriptor: Int32
    private let maximumQueuedBytes: Int
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private var queuedBytes = 0
    private var droppedBytes = 0

    /// A relay to the open file `descriptor`, which it does not close.
    init(loop: any EventLoop, descriptor: Int32 = STDERR_FILENO, maximumQueuedBytes: Int = 1024 * 1024) {
        self.loop = loop
        self.descriptor = descriptor
        self.maximumQueuedBytes = maximumQueuedBytes
        pool.start()
    }

    /// Writes `lines` as soon as the reader takes them, or counts them as dropped.
    func write(_ lines: ByteBuffer) {
        guard queuedBytes + lines.readableBytes <= maximumQueuedBytes else {
            droppedBytes += lines.readableBytes
            return
        }
        var bytes = lines
        if droppedBytes > 0 {
            bytes = ByteBuffer(string: "[\(droppedBytes) bytes of standard error were dropped]\n")
            bytes.writeImmutableBuffer(lines)
            droppedBytes = 0
        }
        let count = bytes.readableBytes
        queuedBytes += count
        pool.runIfActive(eventLoop: loop) { [descriptor, bytes] in Self.writeAll(bytes, to: descriptor) }
            .assumeIsolated()
            .whenComplete { [weak self] _ in self?.queuedBytes -= count }
    }

    /// Ends the thread when everything that is queued is written; it is a daemon of the process if that never happens.
    func stop() {
        pool.shutdownGracefully { _ in }
    }

    private static func writeAll(_ bytes: ByteBuffer, to descriptor: Int32) {
        bytes.withUnsafeReadableBytes { pointer in
            var rest = pointer[...]
            while let base = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
                let count = Glibc.write(descriptor, base, rest.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    guard errno == EAGAIN else { return }
                    // Somebody else made the file non-blocking; wait for it as a blocking write would.
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    guard poll(&waiting, 1, 1000) >= 0 || errno == EINTR else { return }
                    continue
                }
                rest = rest.dropFirst(count)
            }
        }
    }
}

/// Makes whole lines of one child's standard error, so that those of several children don't mix.
///
/// A line that is longer than 8 KiB is passed on in pieces, each on a line of its own.
struct StandardErrorLines {
    private static let longestLine = 8192
    private var pending = ByteBuffer()

    /// Nothing was read.
    init() {}

    /// The lines that are complete with `bytes`, each with its end; `nil` when there are none.
    mutating func append(_ bytes: ByteBuffer) -> ByteBuffer? {
        pending.writeImmutableBuffer(bytes)
        var lines: ByteBuffer?
        if let end = pending.readableBytesView.lastIndex(of: UInt8(ascii: "\n")) {
            lines = pending.readSlice(length: end + 1 - pending.readerIndex)
        }
        if pending.readableBytes > Self.longestLine {
            var all = lines ?? ByteBuffer()
            all.writeBuffer(&pending)
            all.writeStaticString("\n")
            lines = all
        }
        pending.discardReadBytes()
        return lines
    }

    /// What is left when the child has closed its standard error.
    mutating func finish() -> ByteBuffer? {
        guard pending.readableBytes > 0 else { return nil }
        pending.writeStaticString("\n")
        return pending
    }
}
