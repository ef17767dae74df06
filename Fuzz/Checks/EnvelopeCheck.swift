// SPDX-License-Identifier: MIT

#if canImport(MCPProtocol)
@testable import MCPProtocol
#endif

/// What must hold of a JSON-RPC body, whatever its bytes are.
enum EnvelopeCheck {
    /// What does not hold of `input`, or `nil`.
    static func violation(of input: [UInt8]) -> String? {
        let whole = scan([input[...]])
        let cut = input.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % (input.count + 1)
        guard scan([input[..<cut], input[cut...]]) == whole else { return "the cut at \(cut) makes a difference" }
        guard scan(input.indices.map { input[$0...$0] }) == whole else {
            return "cutting everywhere makes a difference"
        }
        guard case .success(let envelope) = whole else { return nil }
        return violation(of: envelope, input) ?? violationOfClassifying(envelope, input)
    }

    private static func scan(_ pieces: [ArraySlice<UInt8>]) -> Result<Envelope, EnvelopeError> {
        Result { () throws(EnvelopeError) -> Envelope in
            var scanner = EnvelopeScanner()
            for piece in pieces { try scanner.consume(Array(piece)) }
            return try scanner.finish()
        }
    }

    private static func violation(of envelope: Envelope, _ input: [UInt8]) -> String? {
        let locations = [
            envelope.idLocation, envelope.metaProgressToken, envelope.requestID, envelope.progressToken,
            envelope.subscriptionID, envelope.resultSubscriptionID,
        ].compactMap { $0 }
        for location in locations {
            guard location.range.lowerBound >= 0, location.range.upperBound <= input.count, !location.range.isEmpty
            else {
                return "a location is outside of the body"
            }
            guard let value = try? EnvelopeScanner.scan(input[location.range]), value.kind == location.kind else {
                return "a location is not where a value of its kind is"
            }
        }
        let same = locations.map { EnvelopeEdit($0.range, Array(input[$0.range])) }
        guard EnvelopeEdit.apply(same, to: input) == input else { return "edits that change nothing changed something" }
        let changed = EnvelopeEdit.apply(locations.map { EnvelopeEdit($0.range, Array("\"x-1\"".utf8)) }, to: input)
        guard let again = try? EnvelopeScanner.scan(changed), again.method == envelope.method,
            again.name == envelope.name
        else { return "an edit broke the body" }
        if envelope.idLocation != nil, again.id != .string(ArraySlice("\"x-1\"".utf8)) {
            return "the id was not replaced"
        }
        guard let batch = envelope.batch else { return nil }
        for element in batch.elements {
            do throws(EnvelopeError) {
                _ = try EnvelopeScanner.scan(input[element])
            } catch {
                // What is no message may be an array of its own, and then too long.
                guard batch.containsInvalid, !error.isSyntax else { return "an element of a batch is no JSON" }
            }
        }
        return nil
    }

    /// Classifies with headers that say what the body says, then with some that say something else.
    private static func violationOfClassifying(_ envelope: Envelope, _ input: [UInt8]) -> String? {
        let method = Array(envelope.method.bytes ?? [])
        let name = MirroredValue.encode(envelope.name.bytes ?? envelope.uri.bytes ?? envelope.taskID.bytes ?? [])
        for version in ["2026-07-28", "2025-03-26", ""] {
            for header in [name, Array(input.prefix(64))] {
                let verdict = classify(envelope, Array(version.utf8), method, header)
                guard case .reject(let fault) = verdict else { continue }
                guard (400..<500).contains(fault.status) else {
                    return "a bad request is answered with \(fault.status)"
                }
                let body = fault.body(answering: envelope)
                guard let answer = try? EnvelopeScanner.scan(body), answer.shape == .response, answer.hasError else {
                    return "the answer to a bad request is no error response"
                }
                guard envelope.shape != .request || answer.id == envelope.id else {
                    return "an error echoes another id"
                }
            }
        }
        return nil
    }

    private static func classify(
        _ envelope: Envelope, _ version: [UInt8], _ method: [UInt8], _ name: [UInt8]
    ) -> RouteVerdict {
        version.withUnsafeBytes { version in
            method.withUnsafeBytes { method in
                name.withUnsafeBytes { name in
                    let headers = RoutingHeaders(
                        protocolVersion: version.isEmpty ? .absent : .value(version), method: .value(method),
                        name: .value(name))
                    return RequestClassifier(headers).classify(envelope)
                }
            }
        }
    }
}
