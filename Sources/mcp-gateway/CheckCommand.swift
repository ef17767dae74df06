// SPDX-License-Identifier: MIT

import ArgumentParser
import Glibc
import SystemPackage

/// `mcp-gateway check`: says whether the gateway beside it works; what container images ask, that have no other client.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Ask a gateway on this machine whether it works.",
        discussion: "Ends with 0 if it answers 200 within --timeout seconds, else with 1 and a line that says why.")

    @Option(help: "The address that the gateway listens on, IPv4.")
    var host = "127.0.0.1"

    @Option(help: "Its port.")
    var port: UInt16 = 8000

    @Option(help: "What to ask for: /healthz, or /readyz for whether it is ready for traffic.")
    var path = "/healthz"

    @Option(help: "How many seconds it may take to accept the connection, and again to answer; 1 to 60.")
    var timeout = 3

    func validate() throws {
        guard (1...60).contains(timeout) else { throw ValidationError("--timeout \(timeout): 1 to 60 is needed") }
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ValidationError("--path \(path): a path that begins with / is needed")
        }
    }

    func run() throws {
        do {
            let head = try ask()
            guard head.starts(with: "HTTP/1.1 200 ".utf8) else {
                throw Unwell("it answers \(String(decoding: head.prefix { $0 >= 0x20 && $0 < 0x7F }, as: UTF8.self))")
            }
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("mcp-gateway check: \(host):\(port): \(error)\n".utf8)
            throw ExitCode(1)
        }
    }

    /// The first bytes of the answer, as many as the status needs.
    private func ask() throws -> [UInt8] {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw Unwell("this is no IPv4 address") }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        let connection = FileDescriptor(rawValue: descriptor)
        return try connection.closeAfter {
            // Linux: holds for connect(2) too.
            var limit = timeval(tv_sec: timeout, tv_usec: 0)
            for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
                setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
            }
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else { throw Errno(rawValue: errno) }
            try connection.writeAll(
                "GET \(path) HTTP/1.1\r\nHost: localhost:\(port)\r\nConnection: close\r\n\r\n".utf8)
            var head: [UInt8] = []
            while head.count < 64 {
                var piece = [UInt8](repeating: 0, count: 64 - head.count)
                let count = try piece.withUnsafeMutableBytes { try connection.read(into: $0) }
                guard count > 0 else { break }
                head += piece.prefix(count)
            }
            return head
        }
    }
}

/// Why the gateway does not count as working.
private struct Unwell: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
