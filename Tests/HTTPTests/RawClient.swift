// SPDX-License-Identifier: MIT

import Glibc
import NIOCore
import NIOPosix

/// A client that sends what no HTTP library would.
///
/// Every wait has a deadline; what blocks does so on threads of its own, never on one that tasks run on.
final class RawClient: Sendable {
    struct Failure: Error {
        var what: String
    }

    /// Enough for all tests at once, so that none waits for another one's end.
    private static let threads: NIOThreadPool = {
        let threads = NIOThreadPool(numberOfThreads: 64)
        threads.start()
        return threads
    }()

    let descriptor: Int32

    /// Connects to a port of this host.
    ///
    /// - Parameter receiveBytes: How much the kernel keeps for this client while it does not read; `nil` leaves it to it.
    convenience init(port: Int, receiveBytes: Int32? = nil) throws {
        try self.init(family: AF_INET, receiveBytes: receiveBytes)
        try connect(port: port)
    }

    /// Connects to a Unix socket.
    convenience init(path: String) throws {
        try self.init(family: AF_UNIX, receiveBytes: nil)
        let address = try SocketAddress(unixDomainSocketPath: path)
        try connect(address)
    }

    /// A client that is not connected yet.
    init(family: Int32 = AF_INET, receiveBytes: Int32? = nil) throws {
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(what: "socket: \(errno)") }
        if var receiveBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func connect(port: Int) throws {
        try connect(try SocketAddress(ipAddress: "127.0.0.1", port: port))
    }

    private func connect(_ address: SocketAddress) throws {
        let result = address.withSockAddr { Glibc.connect(descriptor, $0, socklen_t($1)) }
        guard result == 0 else { throw Failure(what: "connect: \(errno)") }
    }

    func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure(what: "send: \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends as much as is taken of many bytes, while something else goes on.
    ///
    /// - Returns: whether all was taken.
    func sendMuch(_ bytes: [UInt8]) async throws -> Bool {
        try await Self.threads.runIfActive { (try? self.send(bytes)) != nil }
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends both directions at once; the other end sees that the client is gone.
    func disconnect() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Whether nothing has arrived that was not received yet, and the connection is open.
    ///
    /// Never waits.
    var hasNothing: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) < 0 && errno == EAGAIN
    }

    /// Whether the other end has closed the connection, seen without taking anything of what has arrived.
    ///
    /// Never waits.
    var isReset: Bool {
        var poll = pollfd(fd: descriptor, events: 0x2000, revents: 0)
        // POLLRDHUP, POLLHUP or POLLERR.
        return Glibc.poll(&poll, 1, 0) > 0
    }

    /// What arrives until the text so far satisfies `isEnough`, or the connection ends.
    func receive(until isEnough: @escaping @Sendable (String) -> Bool) async throws -> String {
        try await Self.threads.runIfActive {
            let (bytes, error) = self.blockingReceive { isEnough(String(decoding: $0, as: UTF8.self)) }
            let text = String(decoding: bytes, as: UTF8.self)
            guard error == 0 else {
                throw Failure(what: "nothing more within the deadline (\(error)); so far: \(text)")
            }
            return text
        }
    }

    /// What arrives until the connection ends.
    func receiveAll() async throws -> String { try await receive { _ in false } }

    /// At least `count` bytes, fewer when the connection ends; and whether it ended as it should.
    func receive(bytes count: Int) async throws -> (bytes: [UInt8], isClean: Bool) {
        try await Self.threads.runIfActive {
            let (bytes, error) = self.blockingReceive { $0.count >= count }
            return (bytes, error == 0)
        }
    }

    /// At least `count` bytes in pieces, of a client that is slow to take them; fewer when the connection ends.
    ///
    /// - Parameter pause: Between two pieces, in microseconds.
    func receiveSlowly(bytes count: Int, pieces: Int, pause: UInt32) async throws -> Int {
        try await Self.threads.runIfActive {
            var received = 0
            while received < count {
                let wanted = min(count / pieces, count - received)
                let (bytes, error) = self.blockingReceive { $0.count >= wanted }
                guard error == 0, !bytes.isEmpty else { return received }
                received += bytes.count
                usleep(pause)
            }
            return received
        }
    }

    private func blockingReceive(until isEnough: ([UInt8]) -> Bool) -> (bytes: [UInt8], error: Int32) {
        var received: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while !isEnough(received) {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { return (received, 0) }
            guard count > 0 else { return (received, errno) }
            received += chunk[..<count]
        }
        return (received, 0)
    }
}
