// SPDX-License-Identifier: MIT

#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// Small files: certificates, tokens, a kubeconfig.
enum AccessFile {
    /// More is no credential.
    static let maximumBytes = 4 << 20

    /// All of a file.
    ///
    /// - Throws: `credentials`, with the path and never the content.
    static func read(_ path: String) throws(KubernetesError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw KubernetesError(.credentials, "\(path): \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = readOnce(descriptor, &buffer)
            guard count >= 0 else {
                throw KubernetesError(.credentials, "\(path): \(String(cString: strerror(errno)))")
            }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= maximumBytes else { throw KubernetesError(.credentials, "\(path): too large") }
        }
    }

    private static func readOnce(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int {
        while true {
            let count = buffer.withUnsafeMutableBytes { Self.posixRead(descriptor, $0) }
            if count >= 0 || errno != EINTR { return count }
        }
    }

    private static func posixRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #else
        Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }
}
