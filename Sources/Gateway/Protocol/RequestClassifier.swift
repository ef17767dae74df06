// SPDX-License-Identifier: MIT

/// Tells the eras apart by the body and the version header, and checks the routing headers against the body
/// (versioning and streamable HTTP, 2026-07-28).
///
/// Pure; never looks at anything else.
public struct RequestClassifier {
    /// The HTTP methods without a message in the body.
    public enum BodilessMethod: Hashable, Sendable {
        /// Opens or resumes a stream.
        case get
        /// Ends a session.
        case delete
    }

    private let headers: RoutingHeaders
    private let policy: RoutePolicy
    private let version: Version

    /// What the version header says.
    private enum Version {
        case absent
        case legacy(ProtocolRevision)
        case modern(ProtocolRevision)
        /// A revision that is unknown here, but that a server behind the route claims.
        case claimed
        /// A date behind the newest revision, which nobody claims.
        case future
        /// Anything else.
        case unknown

        /// Whether it can only be meant for the modern era.
        var isModern: Bool {
            switch self {
            case .modern, .claimed, .future: true
            case .absent, .legacy, .unknown: false
            }
        }
    }

    /// A classifier for one head on a route with `policy`.
    ///
    /// It must not outlive the head.
    public init(_ headers: RoutingHeaders, policy: RoutePolicy = RoutePolicy()) {
        self.headers = headers
        self.policy = policy
        version = Self.version(headers.protocolVersion.trimmed, policy)
    }

    /// Where a `GET` or `DELETE` belongs.
    public func classify(_ method: BodilessMethod) -> RouteVerdict {
        if let fault = repetition { return .reject(fault) }
        if policy.isModernOnly || version.isModern { return .reject(.methodNotAllowed(allow: "POST")) }
        return legacy
    }

    /// Where a `POST` with the message in `envelope` belongs.
    public func classify(_ envelope: Envelope) -> RouteVerdict {
        if let fault = repetition { return .reject(fault) }
        switch envelope.shape {
        case .invalid(let flaw): return .reject(.invalidRequest(flaw.explanation))
        case .batch: return classifyBatch(envelope)
        case .response: return classifyResponse()
        case .request, .notification: break
        }
        if envelope.metaVersion != .absent { return classifyModern(envelope) }
        let isInitialize = envelope.method.equals("initialize")
        if version.isModern { return classifyBareModern(envelope, isInitialize: isInitialize) }
        if policy.isModernOnly { return rejectLegacy(envelope, isInitialize: isInitialize) }
        if isInitialize, headers.session.isAbsent {
            guard envelope.shape == .request else { return .reject(.invalidRequest("initialize needs an id")) }
            return .legacyInitialize
        }
        return legacy
    }

    private var legacy: RouteVerdict { headers.session.isAbsent ? .legacyStateless : .legacySession }

    /// Two copies of one routing header: which one counts is a matter of taste, so neither does.
    private var repetition: GatewayFault? {
        if headers.protocolVersion.isRepeated { return .headerMismatch("MCP-Protocol-Version is sent more than once") }
        if version.isModern {
            if headers.method.isRepeated { return .headerMismatch("Mcp-Method is sent more than once") }
            if headers.name.isRepeated { return .headerMismatch("Mcp-Name is sent more than once") }
        } else if headers.session.isRepeated {
            return .invalidRequest("Mcp-Session-Id is sent more than once")
        }
        return nil
    }

    /// Arrays exist in 2025-03-26 only, which is also what a missing header stands for.
    private func classifyBatch(_ envelope: Envelope) -> RouteVerdict {
        switch version {
        case .absent where !policy.isModernOnly, .legacy(.march2025) where !policy.isModernOnly: break
        default: return .reject(.invalidRequest("batches are not part of this revision"))
        }
        guard let batch = envelope.batch, !batch.containsModernMetadata else {
            return .reject(.invalidRequest("a message with modern metadata must not be part of a batch"))
        }
        guard !batch.containsInitialize else {
            return .reject(.invalidRequest("initialize must not be part of a batch"))
        }
        return legacy
    }

    private func classifyResponse() -> RouteVerdict {
        guard !policy.isModernOnly, !version.isModern else {
            return .reject(.invalidRequest("clients don't send responses in this revision"))
        }
        return legacy
    }

    /// The version header is modern and the body has no metadata.
    private func classifyBareModern(_ envelope: Envelope, isInitialize: Bool) -> RouteVerdict {
        if isInitialize {
            return .reject(.headerMismatch("initialize is not part of the revision in MCP-Protocol-Version"))
        }
        if case .future = version { return .reject(unsupported(headers.protocolVersion.trimmed.map(Array.init))) }
        guard envelope.shape == .notification else {
            return .reject(
                .invalidMetadata("params._meta lacks io.modelcontextprotocol/protocolVersion"))
        }
        return compareHeaders(envelope)
    }

    /// The body has modern metadata.
    private func classifyModern(_ envelope: Envelope) -> RouteVerdict {
        guard case .bytes(let claimed) = envelope.metaVersion else {
            return .reject(.invalidMetadata("io.modelcontextprotocol/protocolVersion must be a version"))
        }
        if envelope.shape == .request, envelope.clientCapabilitiesKind != .object {
            return .reject(
                .invalidMetadata("params._meta lacks the object io.modelcontextprotocol/clientCapabilities"))
        }
        guard let header = headers.protocolVersion.trimmed else {
            return .reject(.headerMismatch("MCP-Protocol-Version is missing"))
        }
        guard header.elementsEqual(claimed) else {
            return .reject(.headerMismatch("MCP-Protocol-Version differs from the body"))
        }
        switch version {
        case .modern, .claimed: return compareHeaders(envelope)
        case .absent, .legacy, .future, .unknown: return .reject(unsupported(Array(claimed)))
        }
    }

    /// Checks `Mcp-Method` and `Mcp-Name`, which requests must have; for notifications the revision leaves it open.
    private func compareHeaders(_ envelope: Envelope) -> RouteVerdict {
        let isRequest = envelope.shape == .request
        if headers.method.isRepeated { return .reject(.headerMismatch("Mcp-Method is sent more than once")) }
        if headers.name.isRepeated { return .reject(.headerMismatch("Mcp-Name is sent more than once")) }
        guard let method = envelope.method.bytes else { return .reject(.invalidRequest("method is too long")) }
        if let header = headers.method.trimmed {
            guard header.elementsEqual(method) else {
                return .reject(.headerMismatch("Mcp-Method differs from the body"))
            }
        } else if isRequest {
            return .reject(.headerMismatch("Mcp-Method is missing"))
        }
        guard let source = MCPMethod(bytes: method)?.nameSource else {
            return .modern(ModernCall(method: method, name: nil))
        }
        let text =
            switch source {
            case .name: envelope.name
            case .uri: envelope.uri
            case .taskID: envelope.taskID
            }
        guard let header = headers.name.trimmed else {
            // Where the body names nothing there is nothing to repeat: the server finds out what is wrong.
            let isNamed = text.bytes != nil || text == .overlong
            return isRequest && isNamed
                ? .reject(.headerMismatch("Mcp-Name is missing")) : .modern(ModernCall(method: method, name: nil))
        }
        guard let name = text.bytes else { return .reject(.headerMismatch("Mcp-Name differs from the body")) }
        switch MirroredValue.compare(header: header, body: name) {
        case .equal: return .modern(ModernCall(method: method, name: name))
        case .different: return .reject(.headerMismatch("Mcp-Name differs from the body"))
        case .malformed: return .reject(.headerMismatch("Mcp-Name is malformed"))
        }
    }

    /// A legacy message on a route without legacy servers.
    private func rejectLegacy(_ envelope: Envelope, isInitialize: Bool) -> RouteVerdict {
        if let header = headers.protocolVersion.trimmed { return .reject(unsupported(Array(header))) }
        if isInitialize, let requested = envelope.requestedVersion.bytes {
            return .reject(unsupported(Array(requested)))
        }
        return .reject(.headerMismatch("MCP-Protocol-Version is missing"))
    }

    /// Repeats at most 64 bytes of what the client asked for, since that is what the protocol wants to be told.
    private func unsupported(_ requested: [UInt8]?) -> GatewayFault {
        .unsupportedVersion(
            requested: String(decoding: (requested ?? []).prefix(64), as: UTF8.self),
            supported: policy.supportedVersions)
    }

    private static func version(_ header: UnsafeRawBufferPointer?, _ policy: RoutePolicy) -> Version {
        guard let header else { return .absent }
        if let known = ProtocolRevision(bytes: header) { return known.era == .modern ? .modern(known) : .legacy(known) }
        if policy.claimedRevisions.contains(where: { $0.utf8.elementsEqual(header) }) { return .claimed }
        return ProtocolRevision.isFuture(header) ? .future : .unknown
    }
}

extension Envelope.Flaw {
    /// What is wrong, in words for the client.
    fileprivate var explanation: String {
        switch self {
        case .notAnObject: "the body is not a JSON-RPC message"
        case .version: "jsonrpc must be \"2.0\""
        case .identifier: "id must be a string or a number"
        case .method: "the message has no method"
        case .response: "a response has either a result or an error"
        case .batch: "a batch has at least one element, and all are messages"
        }
    }
}
