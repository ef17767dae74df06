// SPDX-License-Identifier: MIT

import HTTP
import Logging
import MCPProtocol
import Metrics
import Model
import NIOCore
import Observability
import RuntimeContract
import Wire

extension ProxyExchange {
    func upstreamConnected(_ connection: UpstreamConnection) {
        client.pauseReading(false)
        if !isRequestComplete { client.sendContinueIfAwaited() }
        if self.upstream === connection { flush() }
    }

    func upstreamWritabilityChanged(isWritable: Bool) {
        if isAnsweredEarly, !isWritable { return finish() }
        client.pauseReading(!isWritable)
    }

    /// The connection ended before anything was sent on it.
    func upstreamLost() {
        upstream = nil
        isHeldBack = false
        guard let instance else { return }
        connect(to: instance, mayReuse: true)
    }

    /// Nothing was sent, so another instance may take what is not bound to this one.
    func upstreamConnectFailed() {
        upstream = nil
        guard let instance else { return }
        noteFailure()
        adapter?.meters.connectFailures.increment()
        proxy.logger.debug(
            "an instance takes no connection",
            metadata: [LogKey.instance: "\(instance.endpoint.id)", LogKey.endpoint: "\(instance.endpoint.endpoint)"])
        tried.append(instance.endpoint.id)
        release(instance)
        if session == nil { return place(for: placementPurpose) }
        if recoverUnsent() { return }
        reject(.unavailable(retryAfterSeconds: 1))
    }

    var placementPurpose: Placement.Purpose {
        purpose == .initialize || purpose == .eventStream ? .session : .request
    }

    /// Sends the whole request to another instance, if it is bound to none and reads only.
    ///
    /// - Returns: whether it was sent.
    func sendElsewhere() -> Bool {
        guard !hasRetried, session == nil, keepsSent, isRequestComplete, isSafeToSendAgain, let failed = instance
        else { return false }
        tried.append(failed.endpoint.id)
        guard let other = choose(for: placementPurpose) else { return false }
        hasRetried = true
        adapter?.meters.retries.increment()
        let wasTrial = isTrial
        isTrial = false
        release(failed)
        isTrial = wasTrial
        upstream = nil
        outgoingBody = sentBody
        forgetSent()
        start(other)
        return true
    }

    /// Sends the whole request once more on a fresh connection, if that can do no harm.
    ///
    /// - Returns: whether it was sent.
    func sendAgain() -> Bool {
        guard !hasRetried, keepsSent, isRequestComplete, isSafeToSendAgain, let instance else { return false }
        hasRetried = true
        adapter?.meters.retries.increment()
        upstream = nil
        outgoingHead = HeldBytes(
            sent.bytes.getSlice(at: sent.bytes.readerIndex, length: sentHeadLength) ?? ByteBuffer())
        outgoingBody = sentBody
        forgetSent()
        connect(to: instance, mayReuse: false)
        return true
    }

    /// Whether the request reads only, or does nothing more when it is done twice.
    var isSafeToSendAgain: Bool {
        if method == .get || method == .delete { return true }
        guard let envelope = inspection?.envelope ?? sentEnvelope, envelope.shape == .request,
            case .bytes(let method) = envelope.method
        else { return false }
        return MCPMethod(bytes: method)?.isReplayable ?? false
    }

    /// What was sent, read afterwards: requests of sessions are not read on their way.
    var sentEnvelope: Envelope? {
        guard isRequestComplete else { return nil }
        let sent = keepsSent ? sentBody : outgoingBody
        guard !sent.isEmpty else { return nil }
        let payload = bodyCoding.isChunks ? ChunkCoding.payload(sent.bytes) : sent.bytes
        return try? payload.withUnsafeReadableBytes { bytes throws(EnvelopeError) in
            try EnvelopeScanner.scan(bytes)
        }
    }
}
