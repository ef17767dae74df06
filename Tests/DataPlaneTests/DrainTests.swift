// SPDX-License-Identifier: MIT

import HTTP
import Identity
import Logging
import MCPProtocol
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import DataPlane

@Suite("The end of the data plane")
struct DrainTests {
    @Test("standing streams end at once and in good order, a request under way gets its answer")
    func drain() async throws {
        let server = try await RawServer.listen()
        try await Self.withPlane { gateway, stop in
            try gateway.publish([.tcp(server.port)])

            let listen = modernRequest("subscriptions/listen", params: "")
            var streams: [(client: RawConnection, upstream: RawConnection)] = []
            for text in [
                gateway.request("GET"), gateway.request("GET", "/adapters/a/sse"),
                gateway.request("POST", "/adapters/a/mcp", modernHeaders("subscriptions/listen", name: nil), listen),
            ] {
                let (client, upstream) = try await Self.open(text, gateway, server)
                try await upstream.send(EventStreamTests.chunkedHead + EventStreamTests.chunk(": hi\n\n"))
                _ = try await client.receive { $0.contains(": hi\n\n\r\n") }
                streams.append((client, upstream))
            }
            let (inEvent, inEventUpstream) = try await Self.open(gateway.request("GET"), gateway, server)
            try await inEventUpstream.send(EventStreamTests.chunkedHead + EventStreamTests.chunk("data: a\n"))
            _ = try await inEvent.receive { $0.contains("data: a\n\r\n") }
            let (unanswered, unansweredUpstream) = try await Self.open(gateway.request("GET"), gateway, server)
            let (busy, busyUpstream) = try await Self.open(
                gateway.request("POST", "/adapters/a/mcp", [], toolCall()), gateway, server)

            await stop()
            for (client, upstream) in streams {
                _ = try await client.receive { $0 == "0\r\n\r\n" }
                client.close()
                try await upstream.waitForEnd()
            }
            let refused = try await unanswered.answer()
            #expect(refused.status == 503, "\(refused)")
            unanswered.close()
            try await unansweredUpstream.waitForEnd()
            try await inEventUpstream.send(EventStreamTests.chunk("\n"))
            _ = try await inEvent.receive { $0 == "1\r\n\n\r\n0\r\n\r\n" }
            inEvent.close()
            try await busyUpstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            let answer = try await busy.answer()
            #expect(answer.status == 200 && answer["Connection"] == "close")
            busy.close()
        }
    }

    @Test("a stream that waits for its first instance ends at once")
    func waiting() async throws {
        try await Self.withPlane { gateway, stop in
            try gateway.publish([], isStarting: true)
            let client = try await gateway.connect()
            try await client.send(gateway.request("GET"))
            try await gateway.untilWaiting(1)
            await stop()
            let refused = try await client.answer()
            #expect((refused.status, refused["Retry-After"]) == (503, "1"))
            client.close()
        }
    }

    /// A data plane that can be asked to stop; waits until it has stopped.
    private static func withPlane(
        _ body: (TestGateway, _ stop: @Sendable () async -> Void) async throws -> Void
    ) async throws {
        let ports = Mailbox<Int>()
        var configuration = DataPlaneConfiguration(
            addresses: [.tcp(host: "127.0.0.1", port: 0)], origins: OriginPolicy(checksHost: true))
        // Far beyond the deadlines of the test.
        configuration.http.drainTimeout = .hours(1)
        configuration.startTimeout = .hours(1)
        let plane = DataPlane(
            configuration: configuration, keyRing: .generate(), authenticator: DevelopmentAuthenticator(),
            control: TestResponder { _ in HTTPResponse(status: 200) }, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test"), onListening: { ports.put($0[0].port ?? 0) })
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: plane, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: Logger(label: "test")))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            do {
                try await body(TestGateway(plane: plane, port: try #require(try await ports.take()))) {
                    await services.triggerGracefulShutdown()
                }
            } catch {
                group.cancelAll()
                throw error
            }
            try await group.waitForAll()
        }
    }

    private static func open(_ request: String, _ gateway: TestGateway, _ server: RawServer) async throws
        -> (client: RawConnection, upstream: RawConnection)
    {
        let client = try await gateway.connect()
        try await client.send(request)
        let upstream = try await server.accept()
        _ = try await upstream.request()
        return (client, upstream)
    }
}
