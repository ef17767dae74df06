// SPDX-License-Identifier: MIT

import MCPProtocol

/// Scans `text` whole.
func scan(_ text: String) throws(EnvelopeError) -> Envelope {
    try EnvelopeScanner.scan(Array(text.utf8))
}

/// What a scan led to, so that errors can be compared too.
func outcome(_ pieces: [ArraySlice<UInt8>]) -> Result<Envelope, EnvelopeError> {
    Result { () throws(EnvelopeError) -> Envelope in
        var scanner = EnvelopeScanner()
        for piece in pieces { try scanner.consume(Array(piece)) }
        return try scanner.finish()
    }
}

/// The outcomes of scanning `bytes` whole, cut in two at every place, and byte by byte.
func outcomesOfEverySplit(_ bytes: [UInt8]) -> Set<Result<Envelope, EnvelopeError>> {
    var outcomes: Set = [outcome([bytes[...]]), outcome(bytes.indices.map { bytes[$0...$0] })]
    for cut in 0...bytes.count { outcomes.insert(outcome([bytes[..<cut], bytes[cut...]])) }
    return outcomes
}

extension Envelope {
    /// The bytes of `location` in `text`.
    static func bytes(_ location: Location?, of text: String) -> String? {
        location.map { String(decoding: Array(text.utf8)[$0.range], as: UTF8.self) }
    }
}
