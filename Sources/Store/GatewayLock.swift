// SPDX-License-Identifier: MIT

internal import Glibc

/// Keeps a second gateway away from a database: flock(2) on a file beside it, which names the holder.
///
/// The kernel lets go of the lock when the process ends in whatever way; the file stays and means nothing by itself.
final class GatewayLock {
    private let descriptor: Int32

    /// Takes the lock at `path`.
    ///
    /// - Throws: `locked`, naming the process that holds it; `io`.
    init(path: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.io, "can't open the lock file \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let holder = Self.read(descriptor)
            close(descriptor)
            guard reason == EWOULDBLOCK else {
                throw StoreError(.io, "can't lock \(path): \(String(cString: strerror(reason)))")
            }
            let process = holder.map { " (process \($0))" } ?? ""
            throw StoreError(
                .locked,
                "another gateway\(process) uses \(path): stop it, or give this one another data directory")
        }
        self.descriptor = descriptor
        // Only for people: a failure to write it down must not keep the gateway from starting, say on a full disk.
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
    }

    deinit {
        close(descriptor)
    }

    private static func read(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }
}
