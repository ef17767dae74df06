// SPDX-License-Identifier: MIT

/// What routing needs to know of one JSON-RPC body, and where the ids in it are.
///
/// Made by ``EnvelopeScanner``.
///
/// Texts are unescaped and bounded; ids are raw. Positions count bytes from the start of the body. A batch has no
/// texts and ids of its own, only ``batch``.
public struct Envelope: Hashable, Sendable {
    /// What a message is.
    public enum Shape: Hashable, Sendable {
        /// It has a method and an id, and wants an answer.
        case request
        /// It has a method and no id.
        case notification
        /// It has a result or an error, and answers a request.
        case response
        /// It is an array of messages: ``Envelope/batch``.
        case batch
        /// It is JSON, but not a JSON-RPC 2.0 message as MCP allows it.
        case invalid(Flaw)
    }

    /// What keeps a JSON value from being a message.
    public enum Flaw: Hashable, Sendable {
        /// It is neither an object nor an array.
        case notAnObject
        /// `jsonrpc` is missing or not `"2.0"`.
        case version
        /// `id` is neither a string nor a number; `null` is good for nothing but an error response.
        case identifier
        /// `method` is missing, not a string, or goes along with a `result` or an `error`.
        case method
        /// There is both a `result` and an `error`, or `error` is not an object.
        case response
        /// It is an array without elements, or with one that is not a message.
        case batch
    }

    /// The text of a member.
    public enum Text: Hashable, Sendable {
        /// There is no such member.
        case absent
        /// The unescaped bytes. A lone surrogate is encoded as its three bytes, which no UTF-8 text contains.
        case bytes(ArraySlice<UInt8>)
        /// It is a string, but longer than the scanner keeps.
        case overlong
        /// It is not a string.
        case wrongKind(JSONKind)

        /// The bytes, where there are some.
        public var bytes: ArraySlice<UInt8>? {
            if case .bytes(let bytes) = self { bytes } else { nil }
        }

        /// Whether the text is exactly `text`.
        public func equals(_ text: StaticString) -> Bool {
            guard case .bytes(let bytes) = self, bytes.count == text.utf8CodeUnitCount else { return false }
            return bytes.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }

        /// The text as a `String`, for what is not hot: logs and tests.
        public var string: String? {
            bytes.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Where the value of a member is in the body.
    public struct Location: Hashable, Sendable {
        /// The value's bytes: a string with its quotation marks, a number, or a literal.
        public let range: Range<Int>
        /// What it is; never a container.
        public let kind: JSONKind
    }

    /// What is known of an array of messages.
    public struct Batch: Hashable, Sendable {
        /// Where the elements are, in order; at most ``EnvelopeScanner/maximumBatchCount``.
        public internal(set) var elements: [Range<Int>] = []
        /// How many of them are requests.
        public internal(set) var requestCount = 0
        /// Whether one of them is an `initialize`, which must not be part of a batch.
        public internal(set) var containsInitialize = false
        /// Whether one of them carries the metadata of a revision that has no batches.
        public internal(set) var containsModernMetadata = false
        /// Whether one of them is not a message.
        public internal(set) var containsInvalid = false
    }

    /// A member's text as a place in ``storage``.
    struct Slot: Hashable, Sendable {
        var start: Int32 = 0
        var state = State.absent

        enum State: Hashable, Sendable {
            case absent
            case text(Int32)
            case overlong
            case wrongKind(JSONKind)
        }
    }

    /// What the top-level value is.
    public internal(set) var kind = JSONKind.null
    /// What the array holds, where ``kind`` is an array.
    public internal(set) var batch: Batch?

    var storage: [UInt8] = []
    var seen: UInt32 = 0
    var idKind: JSONKind?
    var idSlot = Slot()
    var versionSlot = Slot()
    var methodSlot = Slot()
    var nameSlot = Slot()
    var uriSlot = Slot()
    var taskIDSlot = Slot()
    var requestedVersionSlot = Slot()
    var metaVersionSlot = Slot()
    var resultVersionSlot = Slot()
    var errorKind: JSONKind?

    /// The type of `params`, if there are any.
    public internal(set) var paramsKind: JSONKind?
    /// The type of `params._meta["io.modelcontextprotocol/clientCapabilities"]`, if it is there.
    public internal(set) var clientCapabilitiesKind: JSONKind?
    /// Where the id is.
    public internal(set) var idLocation: Location?
    /// Where `params._meta.progressToken` is.
    public internal(set) var metaProgressToken: Location?
    /// Where `params.requestId` is, in `notifications/cancelled`.
    public internal(set) var requestID: Location?
    /// Where `params.progressToken` is, in `notifications/progress`.
    public internal(set) var progressToken: Location?
    /// Where `params._meta["io.modelcontextprotocol/subscriptionId"]` is.
    public internal(set) var subscriptionID: Location?
    /// Where `result._meta["io.modelcontextprotocol/subscriptionId"]` is.
    public internal(set) var resultSubscriptionID: Location?

    /// The id as it was written.
    public var id: JSONRPCID {
        switch (idKind, text(idSlot)) {
        case (.null, _): .null
        case (.string, .bytes(let bytes)): .string(bytes)
        case (.number, .bytes(let bytes)): .number(bytes)
        default: .absent
        }
    }

    /// The method; up to 256 bytes.
    public var method: Text { text(methodSlot) }
    /// `params.name`; up to 4096 bytes.
    public var name: Text { text(nameSlot) }
    /// `params.uri`; up to 8192 bytes.
    public var uri: Text { text(uriSlot) }
    /// `params.taskId`; up to 4096 bytes.
    public var taskID: Text { text(taskIDSlot) }
    /// `params.protocolVersion`: what an `initialize` asks for; up to 64 bytes.
    public var requestedVersion: Text { text(requestedVersionSlot) }
    /// `params._meta["io.modelcontextprotocol/protocolVersion"]`; up to 64 bytes.
    public var metaVersion: Text { text(metaVersionSlot) }
    /// `result.protocolVersion`: what an `initialize` was answered; up to 64 bytes.
    public var resultVersion: Text { text(resultVersionSlot) }
    /// Whether there is a `result`.
    public var hasResult: Bool { seen & EnvelopeField.result.bit != 0 }
    /// Whether there is an `error`.
    public var hasError: Bool { seen & EnvelopeField.error.bit != 0 }

    /// What the message is.
    public var shape: Shape {
        if kind == .array {
            guard let batch, !batch.elements.isEmpty, !batch.containsInvalid else { return .invalid(.batch) }
            return .batch
        }
        guard kind == .object else { return .invalid(.notAnObject) }
        guard text(versionSlot).equals("2.0") else { return .invalid(.version) }
        let hasMethod = seen & EnvelopeField.method.bit != 0
        guard hasMethod else {
            guard hasResult || hasError else { return .invalid(.method) }
            guard !(hasResult && hasError), errorKind == nil || errorKind == .object else { return .invalid(.response) }
            // JSON-RPC 2.0 §5: the error that answers an unreadable request has no id to echo.
            guard id.identifiesRequest || hasError && (idKind == .null || idKind == nil) else {
                return .invalid(.identifier)
            }
            return .response
        }
        guard !hasResult, !hasError else { return .invalid(.method) }
        switch method {
        case .bytes, .overlong: break
        case .absent, .wrongKind: return .invalid(.method)
        }
        guard let idKind else { return .notification }
        return idKind == .string || idKind == .number ? .request : .invalid(.identifier)
    }

    private func text(_ slot: Slot) -> Text {
        switch slot.state {
        case .absent: .absent
        case .text(let count): .bytes(storage[Int(slot.start)..<Int(slot.start) + Int(count)])
        case .overlong: .overlong
        case .wrongKind(let kind): .wrongKind(kind)
        }
    }
}
