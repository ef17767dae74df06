// SPDX-License-Identifier: MIT

import MCPProtocol
import NIOCore

/// What a request's body says, as far as it was read: only of requests whose body decides where they go.
///
/// An object of its own because it is larger than all the rest of an exchange, which a stream keeps for hours.
final class BodyInspection {
    /// What is wrong with the body; nothing more is read then.
    private(set) var error: EnvelopeError?
    /// What was found, after ``finish()``.
    private(set) var envelope: Envelope?

    private var scanner = EnvelopeScanner()

    /// Reads the next bytes.
    func consume(_ bytes: ByteBuffer) {
        guard error == nil, bytes.readableBytes > 0 else { return }
        do throws(EnvelopeError) {
            try bytes.withUnsafeReadableBytes { chunk throws(EnvelopeError) in try scanner.consume(chunk) }
        } catch {
            self.error = error
        }
    }

    /// The body is complete.
    func finish() throws(EnvelopeError) -> Envelope {
        if let error { throw error }
        let found = try scanner.finish()
        envelope = found
        return found
    }
}
