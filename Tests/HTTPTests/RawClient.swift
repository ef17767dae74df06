// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import NIOPosix

/// A TCP client that sends what no HTTP library would.
///
/// Every read has a deadline; reads block a thread of their own pool, never one that tasks run on.
final class RawClient: Sendable {
    struct Failure: Error {
        var what: String
    }

    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let descriptor = descriptor
        let result = try SocketAddress(ipAddress: "127.0.0.1", port: port).withSockAddr {
            connect(descriptor, $0, socklen_t($1))
        }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure(what: "send: \(errno)") }
            bytes = bytes.dropFirst(count)
        }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// What arrives until the text so far satisfies `isEnough`, or the connection ends.
    func receive(until isEnough: @escaping @Sendable (String) -> Bool) async throws -> String {
        try await NIOThreadPool.singleton.runIfActive { try self.blockingReceive(until: isEnough) }
    }

    private func blockingReceive(until isEnough: (String) -> Bool) throws -> String {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let text = String(decoding: received, as: UTF8.self)
            if isEnough(text) { return text }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { return text }
            guard count > 0 else { throw Failure(what: "nothing more within the deadline (\(errno)); so far: \(text)") }
            received += chunk[..<count]
        }
    }

    func receiveAll() async throws -> String { try await receive { _ in false } }
}
