// SPDX-License-Identifier: MIT

internal import Curl

/// Where the API server is, and how we show who we are.
struct ClusterAccess: Sendable {
    enum Credentials: Sendable {
        case none
        case token(String)
        /// Read again whenever it may have been replaced, as projected service account tokens are.
        case tokenFile(String)
        case basic(user: String, password: String)
        case program(CredentialProgram)
    }

    /// `https://host:port`, without a slash at the end.
    var server: String
    var trust: CurlTrust
    var credentials: Credentials
    /// The namespace that goes with it, if one does.
    var namespace: String?
}
