// SPDX-License-Identifier: MIT

/// Which gateway this is.
enum Version {
    /// Semantic version; CHANGELOG.md says what is in it.
    static let current = "0.1.0"
}
