// SPDX-License-Identifier: MIT

internal import RuntimeContract

/// What a cluster can take of a spec, besides the rules for every driver.
enum ClusterRules {
    /// - Parameter hasBridge: Whether there is an image to run servers on standard input and output with.
    static func check(_ spec: WorkloadSpec, hasBridge: Bool) throws(RuntimeError) {
        func refuse(_ code: RuntimeError.Code, _ message: String) -> RuntimeError {
            RuntimeError(code, message, workload: spec.id)
        }
        if spec.transport == .stdio, !hasBridge {
            throw refuse(
                .unsupported, "transport: stdio needs the setting kubernetes.bridgeImage, the gateway's own image")
        }
        if let port = spec.port, port < 1024 {
            throw refuse(.invalidSpec, "port: servers run without privileges, which ports below 1024 need")
        }
        if case .image(let name, let version, let command) = spec.source {
            if spec.transport == .stdio, command == nil {
                throw refuse(
                    .invalidSpec,
                    "command: must be given with transport stdio, since a cluster does not tell what an image runs")
            }
            guard isName(name) else { throw refuse(.invalidSpec, "image: '\(name)' is no name of an image") }
            guard isTag(version) || isDigest(version) else {
                throw refuse(.invalidSpec, "image: '\(version)' is neither a tag nor a digest (sha256:…)")
            }
        }
        for (key, value) in spec.labels.sorted(by: { $0.key < $1.key }) {
            guard isLabelKey(key), isLabelValue(value) else {
                throw refuse(.invalidSpec, "labels: '\(key)' is no label of Kubernetes, or its value is none")
            }
        }
        if spec.gracePeriod > .seconds(86_400) { throw refuse(.invalidSpec, "gracePeriod: a day at most") }
    }

    /// Repository names of the OCI distribution specification, a registry's host and port in front included.
    private static func isName(_ text: String) -> Bool {
        guard text.utf8.count <= 255 else { return false }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.enumerated().allSatisfy { index, part in
            guard let first = part.utf8.first, let last = part.utf8.last, isAlphanumeric(first), isAlphanumeric(last)
            else { return false }
            return part.utf8.allSatisfy { byte in
                isAlphanumeric(byte) || byte == 45 || byte == 46 || byte == 95
                    || (byte == 58 && index == 0 && parts.count > 1)
            }
        }
    }

    private static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128, isAlphanumeric(first | 0x20) || first == 95 else {
            return false
        }
        return text.utf8.allSatisfy { isAlphanumeric($0) || isUpper($0) || $0 == 45 || $0 == 46 || $0 == 95 }
    }

    private static func isDigest(_ text: String) -> Bool {
        guard text.hasPrefix("sha256:") else { return false }
        let digits = text.utf8.dropFirst(7)
        return digits.count == 64 && digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    private static func isLabelKey(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.last, parts.count <= 2, !name.isEmpty, isLabelValue(String(name)) else { return false }
        guard parts.count == 2 else { return true }
        let prefix = parts[0]
        guard !prefix.isEmpty, prefix.utf8.count <= 253 else { return false }
        return prefix.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.utf8.first, let last = label.utf8.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == 45 }
        }
    }

    private static func isLabelValue(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return true }
        guard text.utf8.count <= 63, isAlphanumeric(first) || isUpper(first), isAlphanumeric(last) || isUpper(last)
        else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || isUpper($0) || $0 == 45 || $0 == 46 || $0 == 95 }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte) }
    private static func isUpper(_ byte: UInt8) -> Bool { (65...90).contains(byte) }
}
