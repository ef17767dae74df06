// SPDX-License-Identifier: MIT

import MCPProtocol
import Wire

/// What some event streams have besides how far they are: those of HTTP+SSE until their first event, and those that answer
/// a request.
final class EventStreamState {
    /// Rewrites the first event of HTTP+SSE.
    var rewriter: EndpointEventRewriter?
    /// The id that an error at the end of the stream has, where there may be one.
    var id: JSONRPCID?

    init(rewriter: EndpointEventRewriter? = nil, id: JSONRPCID? = nil) {
        self.rewriter = rewriter
        self.id = id
    }
}
