// SPDX-License-Identifier: MIT

import Glibc
import Logging
import MCPProtocol
import NIOCore
import Spawn

/// One running server: messages in, messages out, and an orderly end.
///
/// Lives on the bridge's event loop; its pipes are channels of that loop (``ChildPipes``).
/// - Each message is one line. Lines that are no messages are logged and dropped; one that is too long ends the
///   process, since nothing after it could be trusted.
/// - The end: its input is closed; after two seconds its process group gets SIGTERM; after two more, SIGKILL. With the
///   process the rest of its group is killed.
final class ServerProcess {
    /// Why a process is no more, in words for people.
    struct End: Equatable, CustomStringConvertible {
        let description: String
    }

    /// The time between closing the input, SIGTERM and SIGKILL.
    static let patience = TimeAmount.seconds(2)
    /// How long one end of the output or the process waits for the other before it counts as both.
    static let patienceForRest = TimeAmount.milliseconds(200)

    /// Called with each message of the process.
    var onMessage: (Message) -> Void = { _ in }
    /// Called once, when the process is gone or of no use any more; not after ``stop()``.
    var onEnd: (End) -> Void = { _ in }
    /// Called once, when nothing of the process is left.
    var onGone: () -> Void = {}

    private let process: ChildProcess
    private let loop: any EventLoop
    private let log: Logger
    private let pipes: ChildPipes
    private var framer: LineFramer
    private var isStopping = false
    private var exit: ExitStatus?
    private var hasEnded = false
    private var isGone = false
    private var violations = 0
    private var timer: Scheduled<Void>?

    /// Takes over `process`, which was just started.
    init(_ process: ChildProcess, pipes: ChildPipes, loop: any EventLoop, maximumLineBytes: Int, log: Logger) {
        self.process = process
        self.pipes = pipes
        self.loop = loop
        self.log = log
        framer = LineFramer(maximumLineBytes: maximumLineBytes)
        pipes.onOutput = { [weak self] in self?.receive($0) }
        pipes.onOutputClosed = { [weak self] in self?.outputClosed() }
    }

    /// Whether what is sent now may be read by the process.
    var isServing: Bool { !isStopping && exit == nil && !pipes.isOutputClosed }

    /// Whether so much waits for the process to read it that nothing should be added.
    var isInputFull: Bool { pipes.isInputFull }

    /// Writes one message as a line; nothing once the process is stopping or gone.
    func send(_ message: ByteBuffer) {
        guard !isStopping, exit == nil else { return }
        var line = ByteBufferAllocator().buffer(capacity: message.readableBytes + 1)
        line.writeImmutableBuffer(message)
        line.writeStaticString("\n")
        pipes.write(line)
    }

    /// Whether to read what the process writes; while it is not read, it blocks in its writes.
    func setReading(_ isReading: Bool) {
        guard !isStopping, exit == nil else { return }
        pipes.setReading(isReading)
    }

    /// Ends the process in good order.
    ///
    /// Idempotent.
    func stop() {
        guard !isStopping else { return }
        // A process that blocks in a write would not see the end of its input.
        pipes.setReading(true)
        isStopping = true
        hasEnded = true
        pipes.closeInput()
        guard exit == nil else { return }
        after(Self.patience) { server in
            server.process.signalGroup(SIGTERM)
            server.after(Self.patience) { $0.process.signalGroup(SIGKILL) }
        }
    }

    /// Ends the process and its group at once.
    ///
    /// Idempotent.
    func kill() {
        stop()
        process.signalGroup(SIGKILL)
    }

    /// The process has exited, and with it its group.
    func exited(_ status: ExitStatus) {
        guard exit == nil else { return }
        // What it wrote last is in the pipe still.
        pipes.setReading(true)
        exit = status
        guard !pipes.isOutputClosed else { return vanish() }
        // Somebody who left the group may hold the output open, and write for ever.
        after(Self.patienceForRest) { $0.vanish() }
    }

    private func vanish() {
        guard !isGone else { return }
        isGone = true
        timer?.cancel()
        end("it ended: \(exit.map(\.description) ?? "")")
        pipes.close()
        onGone()
    }

    private func end(_ reason: String) {
        guard !hasEnded else { return }
        hasEnded = true
        onEnd(End(description: reason))
    }

    private func after(_ delay: TimeAmount, _ action: @escaping (ServerProcess) -> Void) {
        timer?.cancel()
        timer = loop.assumeIsolated().scheduleTask(in: delay) { [self] in action(self) }
    }

    // MARK: Output

    private func receive(_ bytes: ByteBuffer) {
        framer.append(bytes)
        while let next = framer.next() {
            switch next {
            case .line(let line): receive(line: line)
            case .overlong:
                log.error("A server wrote a line that is too long", metadata: ["limit": "\(framer.maximumLineBytes)"])
                end("it wrote a line of more than \(framer.maximumLineBytes) bytes")
                kill()
            }
        }
    }

    private func receive(line: ByteBuffer) {
        guard !hasEnded else { return }
        do {
            for message in try Message(line).elements() {
                if case .invalid = message.envelope.shape {
                    violation("it is JSON, but no message", line)
                } else {
                    onMessage(message)
                }
            }
        } catch {
            violation(error.explanation, line)
        }
    }

    /// Logs a line that is no message: the first ten, then at every doubling, so that no server can fill the log.
    private func violation(_ reason: String, _ line: ByteBuffer) {
        violations += 1
        guard violations <= 10 || violations.nonzeroBitCount == 1 else { return }
        log.warning(
            "A server wrote something that is no message to its standard output",
            metadata: ["reason": "\(reason)", "bytes": "\(line.readableBytes)", "count": "\(violations)"])
    }

    private func outputClosed() {
        guard exit == nil else { return vanish() }
        guard !isStopping else { return }
        // Most probably it is about to exit, and how it does is worth to be said. If not, it will say nothing any more.
        after(Self.patienceForRest) { server in
            server.end("it closed its standard output")
            server.stop()
        }
    }
}
