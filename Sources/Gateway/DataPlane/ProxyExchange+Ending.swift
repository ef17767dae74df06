// SPDX-License-Identifier: MIT

import HTTP
import MCPProtocol
import Metrics
import Model
import NIOCore
import RuntimeContract
import Wire

extension ProxyExchange {
    func finish() {
        let connection = upstream
        let isComplete = isRequestComplete
        let keepAlive = !closesClient
        noteDuration()
        clear()
        connection?.release(isRequestComplete: isComplete)
        client.finishAnswer(keepAlive: keepAlive)
    }

    /// Lets the rest of a request that was answered early go on to its instance, where that reads on, so that both
    /// connections may be used again (RFC 9110 §7.5).
    ///
    /// - Returns: `false` where that is of no use to anybody.
    var sendsRest: Bool {
        guard !closesClient, let upstream, upstream.mayGoOn, upstream.isWritable else { return false }
        isAnsweredEarly = true
        isEventStream = false
        return true
    }

    /// The instance's connection ended, or it broke HTTP.
    func upstreamFailed(_ connection: UpstreamConnection) {
        if isAnsweredEarly { return finish() }
        guard !hasAnswerBegun else { return failedInAnswer() }
        // The server had given the unused connection up when the request was on its way (RFC 9112 §9.3.1).
        if connection.isReused, !connection.hasAnswered, sendAgain() { return }
        noteFailure()
        if !connection.hasAnswered, sendElsewhere() { return }
        if recoverUnanswered() { return }
        failed(.upstreamFailed)
    }

    func upstreamTimedOut() {
        noteFailure()
        failed(.upstreamTimedOut)
    }

    /// The answer breaks off in the middle.
    func failedInAnswer() {
        if recoverStream() { return }
        // Where the session goes on elsewhere, nobody there has the rest.
        let isRemembered = session?.memory != nil
        if purpose == .modern || isRemembered || !(progress?.hasEventID ?? true) {
            endStream(with: isRemembered ? .outcomeUnknown : .upstreamFailed)
        } else {
            breakOff()
        }
    }

    /// Lets the client see that something is missing: a clean end would say that all is there.
    ///
    /// One that has an event id asks for the rest.
    private func breakOff() {
        let connection = upstream
        clear()
        connection?.close()
        client.abort()
    }

    /// Ends an event stream with an error in the place of the answer.
    func endStream(with fault: GatewayFault) {
        let connection = upstream
        guard answersInChunks, let progress, progress.isBetweenEvents, let id = stream?.id else { return breakOff() }
        var event = ByteBuffer(staticString: "data: ")
        event.writeBytes(fault.body(id: id))
        event.writeStaticString("\n\n")
        var out = heldAnswerHead()
        ChunkCoding.append(event, to: &out)
        out.writeStaticString(ChunkCoding.end)
        let keepAlive = !closesClient
        noteDuration()
        clear()
        connection?.close()
        client.write(out)
        client.finishAnswer(keepAlive: keepAlive)
    }

    /// Counts how long the request took whose answer ends now.
    func noteDuration() {
        guard !isStanding else { return }
        let duration = NIODeadline.now().uptimeNanoseconds &- began
        (adapter?.meters ?? proxy.meters).durations.recordNanoseconds(Int64(clamping: duration))
    }

    /// Ends an answer that would stand open until its client or its instance goes: those are what a gateway that stops
    /// would otherwise spend its time waiting for.
    ///
    /// Clients open such a stream again when it ends.
    func endStanding() {
        if case .waiting = stage, isStanding { return respond(.draining(retryAfterSeconds: 1)) }
        guard stage.isForwarding, isStanding else { return }
        guard hasAnswerBegun else { return failed(.draining(retryAfterSeconds: 1)) }
        guard isEventStream, progress?.isBetweenEvents ?? false else {
            endsAfterEvent = isEventStream
            return
        }
        var out = heldAnswerHead()
        if answersInChunks { out.writeStaticString(ChunkCoding.end) }
        let connection = upstream
        clear()
        connection?.close()
        client.write(out)
        client.finishAnswer(keepAlive: false)
    }

    var isStanding: Bool {
        switch purpose {
        case .eventStream: true
        case .plain: method == .get
        case .modern: isListening
        case .initialize, .delete: false
        }
    }

    /// Sends a comment on a stream that has been silent.
    func sendKeepAlive() {
        guard isEventStream, hasAnswerBegun, answersInChunks, client.isWritable,
            progress?.isBetweenEvents ?? false
        else { return }
        var out = heldAnswerHead()
        ChunkCoding.append(ByteBuffer(staticString: ":\r\n\r\n"), to: &out)
        client.write(out)
    }

    func heldAnswerHead() -> ByteBuffer {
        kept.answerHead.take() ?? ByteBuffer()
    }
}
