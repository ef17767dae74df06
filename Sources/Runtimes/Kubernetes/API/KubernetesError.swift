// SPDX-License-Identifier: MIT

internal import Curl
internal import JSON
internal import RuntimeContract

/// Why the API server did not do what it was asked.
struct KubernetesError: Error, Sendable, CustomStringConvertible {
    enum Code: String, Sendable {
        /// The kubeconfig, a token or a certificate can't be read, or is not what it should be.
        case credentials
        /// 401: who we are is not accepted.
        case unauthorized
        /// 403.
        case forbidden
        /// 404.
        case notFound
        /// 409: changed by somebody else meanwhile, or there already.
        case conflict
        /// Something of the same name is not ours.
        case foreign
        /// A newer generation is there.
        case superseded
        /// 410, or a watch that was told so: the resource version is too old.
        case expired
        /// 400, 422: the request itself.
        case invalid
        /// 429, 5xx, or no contact at all.
        case unavailable
        /// A deadline has passed.
        case timedOut
        /// The caller's task was cancelled.
        case cancelled
        /// An answer that makes no sense.
        case malformed
    }

    var code: Code
    var message: String
    /// What the server asked to wait for before the next try.
    var retryAfter: Duration?
    /// Whether the server answered at all.
    var isAnswer = false

    init(_ code: Code, _ message: String, retryAfter: Duration? = nil, isAnswer: Bool = false) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.isAnswer = isAnswer
    }

    init(_ error: CurlError) {
        let code: Code =
            switch error.code {
            case .timedOut: .timedOut
            case .cancelled: .cancelled
            case .untrusted, .invalidRequest: .credentials
            case .tooLarge: .malformed
            case .unreachable, .overloaded, .closed, .failed: .unavailable
            }
        self.init(code, error.message)
    }

    /// From an answer that is not 2xx; `body` is a `Status` object, or anything.
    init(status: Int, head: CurlHead?, body: [UInt8]) {
        let object = try? JSONParser.parse(body)
        let message = object?["message"]?.text ?? "the API server answered \(status)"
        let code: Code =
            switch status {
            case 401: .unauthorized
            case 403: .forbidden
            case 404: .notFound
            case 409: .conflict
            case 410: .expired
            case 429, 500...: .unavailable
            default: .invalid
            }
        let seconds = head?["retry-after"].flatMap { Int64($0) } ?? object?["details", "retryAfterSeconds"]?.number
        self.init(code, String(message.prefix(500)), retryAfter: seconds.map { .seconds(min(max($0, 0), 300)) })
        isAnswer = true
    }

    /// Whether the same may work later.
    var isTransient: Bool { code == .unavailable || code == .timedOut }

    var description: String { "\(code.rawValue): \(message)" }

    /// What the contract calls it.
    func runtimeError(_ workload: WorkloadID?) -> RuntimeError {
        let code: RuntimeError.Code =
            switch self.code {
            case .credentials, .unauthorized, .forbidden: .forbidden
            case .notFound: .notFound
            // Somebody else writes all the time; the next try may be luckier.
            case .conflict: .unavailable
            case .foreign: .conflict
            case .superseded: .superseded
            case .invalid: .invalidSpec
            case .unavailable: .unavailable
            case .timedOut: .timedOut
            case .cancelled: .cancelled
            case .expired, .malformed: .failed
            }
        return RuntimeError(code, message, workload: workload)
    }
}
