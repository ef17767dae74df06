// SPDX-License-Identifier: MIT

import NIOConcurrencyHelpers
import Testing

@testable import DataPlane

@Suite("Instances that fail")
struct EjectionTests {
    private static let list = #"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#

    /// Accepts connections and ends each when a request has come, or answers it, as it is told.
    private final class MoodyServer: Sendable {
        let server: RawServer
        let answers = NIOLockedValueBox(false)
        let seen = NIOLockedValueBox(0)

        private let isStopped = NIOLockedValueBox(false)

        init(_ server: RawServer) { self.server = server }

        /// Ends ``run()``, by a connection that it hears of.
        func stop() async throws {
            isStopped.withLockedValue { $0 = true }
            try await RawConnection.connect(port: server.port).close()
        }

        func run() async throws {
            while !isStopped.withLockedValue(\.self), !Task.isCancelled {
                // On a machine that is busy enough no connection may come for longer than accepting waits.
                guard let connection = try? await server.accept(), !isStopped.withLockedValue(\.self),
                    (try? await connection.request()) != nil
                else { continue }
                seen.withLockedValue { $0 += 1 }
                if answers.withLockedValue(\.self) {
                    try? await connection.send(
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nmoody")
                }
                // The gateway may have given the connection up before.
                try? await connection.flushAndClose()
            }
        }
    }

    private func withTwo(
        _ policy: EjectionPolicy,
        _ body: @escaping @Sendable (TestGateway, MoodyServer, TestServer) async throws -> Void
    ) async throws {
        let steady = TestServer("steady")
        let moody = MoodyServer(try await RawServer.listen())
        try await withHTTPServer(steady.answer) { port in
            try await withGateway(configure: Settings { $0.ejection = policy }) { gateway in
                try gateway.publish([.tcp(moody.server.port, "m"), .tcp(port, "s")])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await moody.run() }
                    defer { group.cancelAll() }
                    try await body(gateway, moody, steady)
                    try await moody.stop()
                }
            }
        }
    }

    @Test("one that fails again and again gets nothing more")
    func ejection() async throws {
        let hour: UInt64 = 3_600_000_000_000
        try await withTwo(EjectionPolicy(firstNanoseconds: hour, longestNanoseconds: hour)) { gateway, moody, _ in
            var failures = 0
            while moody.seen.withLockedValue(\.self) < 3 {
                if try await gateway.post(toolCall()).status == 502 { failures += 1 }
            }
            #expect(failures == 3, "bytes were sent, and a tool call is never sent twice")
            for _ in 0..<10 { #expect(try await gateway.post(toolCall()).status == 200) }
            #expect(moody.seen.withLockedValue(\.self) == 3)
        }
    }

    @Test("one that was left out is taken in again by the answer to one request")
    func recovery() async throws {
        let policy = EjectionPolicy(firstNanoseconds: 50_000_000, longestNanoseconds: 50_000_000)
        try await withTwo(policy) { gateway, moody, _ in
            while moody.seen.withLockedValue(\.self) < 3 { _ = try await gateway.post(toolCall()) }
            moody.answers.withLockedValue { $0 = true }
            var isBack = false
            for _ in 0..<10_000 where !isBack { isBack = try await gateway.post(toolCall()).body == "moody" }
            #expect(isBack)
        }
    }

    @Test("checklist 59: a read that an instance takes and does not answer is sent to another one, once")
    func readsElsewhere() async throws {
        try await withTwo(EjectionPolicy(failures: 1000)) { gateway, moody, _ in
            for _ in 0..<20 {
                let answer = try await gateway.post(Self.list)
                #expect(answer.status == 200)
                #expect(answer.body.contains("steady"))
            }
            #expect(moody.seen.withLockedValue(\.self) > 0)
        }
    }

    @Test("where all are left out, the answer is 503 at once and says when to come again")
    func none() async throws {
        let policy = EjectionPolicy(failures: 2, firstNanoseconds: 7_000_000_000, longestNanoseconds: 7_000_000_000)
        let moody = MoodyServer(try await RawServer.listen())
        try await withGateway(configure: Settings { $0.ejection = policy }) { gateway in
            try gateway.publish([.tcp(moody.server.port)])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await moody.run() }
                defer { group.cancelAll() }
                for _ in 0..<2 { #expect(try await gateway.post(toolCall()).status == 502) }
                let answer = try await gateway.post(toolCall())
                #expect(answer.status == 503)
                #expect(answer.errorID == "7")
                #expect((1...8).contains(Int(answer["Retry-After"] ?? "") ?? 0))
                #expect(moody.seen.withLockedValue(\.self) == 2)
                try await moody.stop()
            }
        }
    }
}
