// SPDX-License-Identifier: MIT

internal import Identity

/// The resources of the control plane.
enum ControlRoute: Hashable {
    case adapters
    case adapter(String)
    case status(String)
    case logs(String)
    case sessions(String)
    case health
    case readiness
    case contract
    case metrics
    case resourceMetadata(ProtectedResource)

    /// The resource that a request target names, or `nil` when it names none.
    ///
    /// Segments are taken apart before they are decoded, so that `%2F` in a name is a character of the name.
    init?(target: String) {
        var path = target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        // The absolute form (RFC 9112 §3.2.2): what comes after the authority counts.
        if path.first != UInt8(ascii: "/") {
            let afterScheme = path.drop { $0 != UInt8(ascii: ":") }
            guard afterScheme.starts(with: "://".utf8) else { return nil }
            path = afterScheme.dropFirst(3).drop { $0 != UInt8(ascii: "/") }
        }
        var segments: [String] = []
        for segment in path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let text = Self.decode(segment) else { return nil }
            segments.append(text)
        }
        switch (segments.count, segments.first) {
        case (1, "adapters"): self = .adapters
        case (2, "adapters") where !segments[1].isEmpty: self = .adapter(segments[1])
        case (3, "adapters") where segments[2] == "status": self = .status(segments[1])
        case (3, "adapters") where segments[2] == "logs": self = .logs(segments[1])
        case (3, "adapters") where segments[2] == "sessions": self = .sessions(segments[1])
        case (1, "healthz"): self = .health
        case (1, "readyz"): self = .readiness
        case (1, "openapi.json"): self = .contract
        case (1, "metrics"): self = .metrics
        case (2, ".well-known") where segments[1] == Self.metadataName: self = .resourceMetadata(.gateway)
        case (5, ".well-known") where segments[1] == Self.metadataName && segments[2] == "adapters":
            guard let endpoint = ProtectedResource.Endpoint(rawValue: segments[4]) else { return nil }
            self = .resourceMetadata(.adapter(segments[3], endpoint: endpoint))
        default: return nil
        }
    }

    private static let metadataName = "oauth-protected-resource"

    /// The methods that the resource has, as `Allow` lists them; `HEAD` is where `GET` is.
    var methods: [String] {
        switch self {
        case .adapters: ["GET", "HEAD", "POST"]
        case .adapter: ["GET", "HEAD", "PUT", "DELETE"]
        case .status, .logs, .sessions, .health, .readiness, .contract, .metrics, .resourceMetadata: ["GET", "HEAD"]
        }
    }

    /// The route as the contract writes it: for spans and log lines, where names would be too many.
    var template: String {
        switch self {
        case .adapters: "/adapters"
        case .adapter: "/adapters/{name}"
        case .status: "/adapters/{name}/status"
        case .logs: "/adapters/{name}/logs"
        case .sessions: "/adapters/{name}/sessions"
        case .health: "/healthz"
        case .readiness: "/readyz"
        case .contract: "/openapi.json"
        case .metrics: "/metrics"
        case .resourceMetadata(.gateway): "/.well-known/oauth-protected-resource"
        case .resourceMetadata(.adapter): "/.well-known/oauth-protected-resource/adapters/{name}/{endpoint}"
        }
    }

    /// The text of a percent-encoded segment, or `nil` when it is none.
    private static func decode(_ segment: Substring.UTF8View) -> String? {
        var bytes: [UInt8] = []
        var rest = segment[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        let character = Character(Unicode.Scalar(byte))
        guard byte < 0x80, let value = character.hexDigitValue else { return nil }
        return UInt8(value)
    }
}
