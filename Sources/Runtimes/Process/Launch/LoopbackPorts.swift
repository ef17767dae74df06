// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import Synchronization

/// Hands out ports of the loopback interface that nobody listens on.
///
/// Shared by all drivers of a process, so that no two instances are told the same port.
final class LoopbackPorts: Sendable {
    static let shared = LoopbackPorts()

    /// Below the range from which the kernel takes the ports of outgoing connections (ip(7), `ip_local_port_range`):
    /// otherwise some connection could get the port between its choice here and the server's `bind`.
    private static let range: ClosedRange<UInt16> = 20_000...32_767

    private struct State {
        var taken: Set<UInt16> = []
        var next = UInt16.random(in: LoopbackPorts.range)
    }

    private let state = Mutex(State())

    /// A free port, not handed out again until it is given back; `nil` if there is none.
    ///
    /// Another program may take it before the server does; then the server ends and is started again with another one.
    func take() -> UInt16? {
        state.withLock { state in
            for _ in Self.range {
                let port = state.next
                state.next = port == Self.range.upperBound ? Self.range.lowerBound : port + 1
                guard !state.taken.contains(port), Self.isFree(port) else { continue }
                state.taken.insert(port)
                return port
            }
            return nil
        }
    }

    /// Hands out a port that is known to be in use by an instance.
    func reserve(_ port: UInt16) { state.withLock { _ = $0.taken.insert(port) } }

    /// Takes back a port; without effect on one that was not handed out.
    func giveBack(_ port: UInt16) { state.withLock { _ = $0.taken.remove(port) } }

    private static func isFree(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: Int(port)) else { return false }
        return address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0
    }
}
