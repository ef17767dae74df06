// SPDX-License-Identifier: MIT

internal import Glibc
internal import RuntimeContract

/// Ports of the loopback address.
enum LoopbackPort {
    /// A port that nobody listens on now. Somebody may take it before the server does; the server then ends, and is
    /// started again with another one.
    static func free() throws(RuntimeError) -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw RuntimeError(.failed, "can't make a socket: error \(errno)") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard result == 0 else { throw RuntimeError(.failed, "can't find a free port: error \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
