// SPDX-License-Identifier: MIT

internal import Glibc

/// The file of a listening Unix socket: replaced when nobody listens on it any more, removed when we don't.
struct UnixSocketFile {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// The file at `path`, which was just bound; `nil` when it is gone already.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.path = path
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another one has taken its place.
    func remove() {
        guard let present = UnixSocketFile(path: path), present.device == device, present.inode == inode else { return }
        unlink(path)
    }

    /// Whether somebody listens on the socket at `path`.
    ///
    /// Never waits.
    static func isAlive(path: String) -> Bool {
        var address = sockaddr_un()
        let capacity = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < capacity else { return false }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // EAGAIN: its queue is full, so there is one.
        return result == 0 || errno == EAGAIN
    }
}
