// SPDX-License-Identifier: MIT

import Model
import NIOCore
import RuntimeContract
import Testing

@testable import DataPlane

@Suite("Requests while instances are being started")
struct StartingInstanceTests {
    @Test("what is bound to no instance waits for the first that is ready")
    func waits() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([], isStarting: true)
                let requests = [
                    gateway.request("POST", "/adapters/a/mcp", [], initializeRequest),
                    gateway.request("POST", "/adapters/a/mcp", modernHeaders(), modernRequest()),
                    gateway.request("POST", "/adapters/a/mcp", [], toolCall()),
                    gateway.request("GET", "/adapters/a/mcp", ["Accept: text/event-stream"]),
                ]
                var clients: [RawConnection] = []
                for request in requests {
                    let client = try await gateway.connect()
                    try await client.send(request)
                    clients.append(client)
                }
                try await gateway.untilWaiting(requests.count)
                // Something else changes meanwhile; they go on waiting.
                try gateway.publish([], isStarting: true)
                try await gateway.untilWaiting(requests.count)
                try gateway.publish([.tcp(port)])
                for client in clients { #expect(try await client.answer().status == 200) }
                #expect(server.requests.count == requests.count)
            }
        }
    }

    @Test("an adapter that the runtime has not heard of yet is one that is being started")
    func unknownToTheRuntime() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                let name = try #require(AdapterName("a"))
                let route = AdapterRoute(
                    name: name, transport: .streamableHTTP, access: AccessPolicy(createdBy: "ada", requiredRoles: []))
                gateway.plane.publish(AdapterDirectory([route]), EndpointTable())
                async let session = gateway.initialize()
                try await gateway.untilWaiting(1)
                try gateway.publish([.tcp(port)])
                #expect(try await gateway.call(session).status == 200)
            }
        }
    }

    @Test("a session is not declared lost before the runtime has said anything of its adapter")
    func sessionBeforeTheRuntime() async throws {
        let server = TestServer("s")
        try await withHTTPServer(server.answer) { port in
            try await withGateway { gateway in
                try gateway.publish([.tcp(port)])
                let session = try await gateway.initialize()
                let name = try #require(AdapterName("a"))
                let route = AdapterRoute(
                    name: name, transport: .streamableHTTP, access: AccessPolicy(createdBy: "ada", requiredRoles: []))
                gateway.plane.publish(AdapterDirectory([route]), EndpointTable())
                let early = try await gateway.call(session)
                #expect((early.status, early["Retry-After"]) == (503, "1"))
                try gateway.publish([.tcp(port)])
                #expect(try await gateway.call(session).status == 200)
                try gateway.publish([])
                #expect(try await gateway.call(session).status == 404)
            }
        }
    }

    @Test("when the instances turn out to fail, or the adapter is deleted, the waiting end at once")
    func ends() async throws {
        try await withGateway { gateway in
            try gateway.publish([], isStarting: true)
            async let first = gateway.post(initializeRequest)
            try await gateway.untilWaiting(1)
            try gateway.publish([])
            #expect(try await first.status == 503)
            #expect(try await first.errorID == "1")

            try gateway.publish([], isStarting: true)
            async let second = gateway.post(initializeRequest)
            try await gateway.untilWaiting(1)
            gateway.plane.publish(AdapterDirectory([]), EndpointTable())
            #expect(try await second.status == 404)
        }
    }

    @Test("nobody waits longer than the time there is to start, nor more requests than there may be")
    func limits() async throws {
        let settings = Settings { configuration in
            configuration.startTimeout = .milliseconds(50)
            configuration.maximumWaitingRequests = 0
        }
        try await withGateway(configure: settings) { gateway in
            try gateway.publish([], isStarting: true)
            #expect(try await gateway.post(initializeRequest).status == 503)
        }
        try await withGateway(configure: Settings { $0.startTimeout = .milliseconds(50) }) { gateway in
            try gateway.publish([], isStarting: true)
            let answer = try await gateway.post(initializeRequest)
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "1")
        }
    }

    @Test("a client that leaves does not wait any more")
    func clientLeaves() async throws {
        try await withGateway { gateway in
            try gateway.publish([], isStarting: true)
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], initializeRequest))
            try await gateway.untilWaiting(1)
            client.close()
            try await gateway.untilWaiting(0)
        }
    }
}

extension TestGateway {
    /// Returns when `count` requests wait for an instance.
    func untilWaiting(_ count: Int) async throws {
        try await eventually("\(count) requests wait") { try await plane.waitingRequests() == count }
    }
}
