// SPDX-License-Identifier: MIT

/// A program that prints credentials (`client.authentication.k8s.io`), as managed clusters use.
struct CredentialProgram: Hashable, Sendable {
    var command: String
    var arguments: [String]
    /// All of it: that of this process, and what the kubeconfig adds.
    var environment: [String: String]
    var apiVersion: String
    /// What people are told when the program is missing.
    var installHint: String?
}
