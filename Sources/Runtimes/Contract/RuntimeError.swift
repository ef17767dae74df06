// SPDX-License-Identifier: MIT

/// Why a driver could not do what it was asked.
public struct RuntimeError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    ///
    /// HTTP statuses are chosen from it in the control plane, never here.
    public enum Code: String, Sendable, CaseIterable {
        /// The spec can't be run by any driver, or not by this one; nothing was changed.
        case invalidSpec
        /// The driver can't do this at all (see ``RuntimeCapabilities``).
        case unsupported
        /// No such workload or instance.
        case notFound
        /// A newer generation was applied already; nothing was changed.
        case superseded
        /// More instances than the driver can hold; nothing was changed.
        case capacityExceeded
        /// The platform refuses it.
        case forbidden
        /// Something foreign of the same name is in the way.
        case conflict
        /// The platform can't be reached now.
        case unavailable
        /// It took too long.
        case timedOut
        /// The caller's task was cancelled.
        case cancelled
        /// A failure that fits nothing else.
        case failed
    }

    /// The kind of failure.
    public var code: Code
    /// What failed, on what, and what to do: lower case, no full stop, never a secret.
    public var message: String
    /// The workload it is about.
    public var workload: WorkloadID?
    /// What lies beneath.
    public var cause: (any Error)?

    /// Describes a failure.
    public init(_ code: Code, _ message: String, workload: WorkloadID? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.workload = workload
        self.cause = cause
    }

    /// Whether the same call may succeed later without any change.
    public var isRetryable: Bool {
        switch code {
        case .unavailable, .timedOut, .capacityExceeded, .failed, .conflict: true
        case .invalidSpec, .unsupported, .notFound, .superseded, .forbidden, .cancelled: false
        }
    }

    /// The text form.
    public var description: String {
        let subject = workload.map { "\($0): " } ?? ""
        return "\(code.rawValue): \(subject)\(message)"
    }
}
