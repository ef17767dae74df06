// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import NIOPosix

/// Finds the addresses of a host, away from the event loops: the system's resolver blocks.
struct NameResolution: Sendable {
    let group: any EventLoopGroup
    /// How long it may take.
    let limit: Duration

    /// The numeric addresses of `host` in the resolver's order; none when there is no such name, or no answer in time.
    ///
    /// Link-local, multicast and unspecified addresses are left out: no MCP server is there, but the metadata services
    /// of clouds are. Cancellation ends the wait with no address; the resolver's thread ends with its own time limit.
    func addresses(of host: String) async -> [String] {
        let loop = group.any()
        let promise = loop.makePromise(of: [String].self)
        let timer = loop.scheduleTask(in: TimeAmount(limit)) { promise.succeed([]) }
        NIOThreadPool.singleton.submit { state in
            promise.succeed(state == .active ? Self.look(up: host) : [])
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            (try? await promise.futureResult.get()) ?? []
        } onCancel: {
            promise.succeed([])
        }
    }

    private static func look(up host: String) -> [String] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        var found: [String] = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ai_next
            var text = [CChar](repeating: 0, count: 64)
            guard
                getnameinfo(
                    entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            let address = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if isServable(address), !found.contains(address) { found.append(address) }
        }
        return found
    }

    /// Whether a server may be at `address`.
    static func isServable(_ address: String) -> Bool {
        if address.contains(":") {
            let lowercased = address.lowercased()
            // fe80::/10 is link-local, ff00::/8 multicast (RFC 4291 §2.4); IPv4 in IPv6 is looked at as IPv4.
            if lowercased.hasPrefix("::ffff:"), lowercased.contains(".") {
                return isServable(String(lowercased.dropFirst(7)))
            }
            return lowercased != "::" && !lowercased.hasPrefix("ff")
                && !["fe8", "fe9", "fea", "feb"].contains { lowercased.hasPrefix($0) }
        }
        let parts = address.split(separator: ".").compactMap { UInt8($0) }
        // RFC 6890: 0/8 is this network, 169.254/16 link-local; 224/4 and above are no hosts.
        guard parts.count == 4 else { return false }
        return parts[0] != 0 && parts[0] < 224 && !(parts[0] == 169 && parts[1] == 254)
    }
}
