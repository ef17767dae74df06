// SPDX-License-Identifier: MIT

import FoundationEssentials
import MCPProtocol
import NIOCore

/// Which handshake a command's server wants; found out once, true for as long as the bridge runs.
enum EraVerdict: Equatable {
    /// `initialize` and sessions.
    case legacy
    /// Metadata in each request.
    case modern

    /// The line that asks, with the id that its answer has.
    ///
    /// For a child that is used for nothing else: some servers of the legacy era end themselves when the first
    /// message is not `initialize`.
    static let question = ByteBuffer(
        string: """
            {"jsonrpc":"2.0","id":"era","method":"server/discover","params":{"_meta":{\
            "io.modelcontextprotocol/protocolVersion":"2026-07-28",\
            "io.modelcontextprotocol/clientInfo":{"name":"mcp-gateway","version":"1"},\
            "io.modelcontextprotocol/clientCapabilities":{}}}}
            """)

    /// Judges the answer to ``question``.
    ///
    /// `nil` while `message` is something else. Only what proves a modern server counts as modern: a result that
    /// names a modern revision, or the error that such a server has for versions.
    init?(answer message: Message) {
        guard message.envelope.shape == .response, message.idKey == IDKey(json: Array(#""era""#.utf8)) else {
            return nil
        }
        let bytes = Array(message.bytes.readableBytesView)
        if message.envelope.hasError {
            self = ErrorCode.read(bytes) == ErrorCode.unsupportedVersion ? .modern : .legacy
            return
        }
        let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes))
        let versions = answer?.result.supportedVersions ?? []
        // Revisions are dates, so their order is that of their texts.
        self = versions.contains { $0 >= "2026-07-28" } ? .modern : .legacy
    }

    private struct Answer: Decodable {
        struct Result: Decodable {
            let supportedVersions: [String]
        }
        let result: Result
    }
}
