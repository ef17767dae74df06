// SPDX-License-Identifier: MIT

import Identity
import Model
import NIOConcurrencyHelpers
import Testing

@testable import DataPlane

/// Knows nobody until it is told to decide; then everybody but `stranger`.
private final class LateAuthenticator: Authenticator {
    private struct State {
        var isDecided = false
        var waiting: [@Sendable () -> Void] = []
    }

    private let state = NIOLockedValueBox(State())
    private let room: Int

    init(room: Int = 100) { self.room = room }

    var waitingCount: Int { state.withLockedValue(\.waiting.count) }

    func decide() {
        let waiting = state.withLockedValue { state in
            state.isDecided = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for body in waiting { body() }
    }

    func identify(_ credentials: Credentials, now: Int64) throws(AuthenticationError) -> Identity {
        guard state.withLockedValue(\.isDecided) else { throw .undecided }
        if let token = credentials.bearerToken, token.elementsEqual("stranger".utf8) {
            throw .invalid("nobody knows it")
        }
        return Identity(
            principal: Principal(id: "ada", roles: []), audiences: [], hasScopes: true, expiry: .max)
    }

    func whenDecided(_ body: @escaping @Sendable () -> Void) -> Bool {
        state.withLockedValue { state in
            guard state.waiting.count < room else { return false }
            state.waiting.append(body)
            return true
        }
    }
}

@Suite("Requests whose sender is not known yet")
struct UndecidedRequestTests {
    @Test("requests that were sent one after the other wait, and are answered in order, each by what was found out")
    func pipelined() async throws {
        let authenticator = LateAuthenticator()
        try await withServers(authenticator: authenticator) { gateway, _ in
            let client = try await gateway.connect()
            let first = gateway.request(
                "POST", "/adapters/a/mcp", ["Authorization: Bearer stranger"], initializeRequest)
            let second = gateway.request("POST", "/adapters/a/mcp?x=1", [], initializeRequest)
            try await client.send(first + second + second)
            try await eventually("it waits") { authenticator.waitingCount == 1 }
            authenticator.decide()
            #expect(try await client.answer().status == 401)
            #expect(try await client.answer().status == 200)
            #expect(try await client.answer().status == 200)
        }
    }

    @Test("where too many wait the next is refused at once")
    func room() async throws {
        let authenticator = LateAuthenticator(room: 0)
        try await withServers(authenticator: authenticator) { gateway, _ in
            let answer = try await gateway.post(initializeRequest)
            #expect(answer.status == 503)
            #expect(answer["Retry-After"] == "5")
        }
    }

    @Test("a client that leaves while it waits leaves nothing behind")
    func gone() async throws {
        let authenticator = LateAuthenticator()
        try await withServers(authenticator: authenticator) { gateway, _ in
            let client = try await gateway.connect()
            try await client.send(gateway.request("POST", "/adapters/a/mcp", [], initializeRequest))
            try await eventually("it waits") { authenticator.waitingCount == 1 }
            client.close()
            authenticator.decide()
            #expect(try await gateway.post(initializeRequest).status == 200)
        }
    }

    @Test("a body that arrives after the decision, and in part before it, is one body")
    func inPieces() async throws {
        let authenticator = LateAuthenticator()
        try await withServers(authenticator: authenticator) { gateway, _ in
            let client = try await gateway.connect()
            let request = gateway.request("POST", "/adapters/a/mcp", [], initializeRequest)
            try await client.send(String(request.dropLast(20)))
            try await eventually("it waits") { authenticator.waitingCount == 1 }
            authenticator.decide()
            try await client.send(String(request.suffix(20)))
            #expect(try await client.answer().status == 200)
        }
    }
}
