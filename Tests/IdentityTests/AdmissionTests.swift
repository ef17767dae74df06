// SPDX-License-Identifier: MIT

import Model
import Synchronization
import Testing

@testable import Identity

/// An issuer whose tokens are their own claims: `subject/audience/end`, or `undecided`.
private final class PlainTokens: Authenticator {
    let asked = Mutex(0)

    func identify(_ credentials: Credentials, now: Int64) throws(AuthenticationError) -> Identity {
        guard let token = credentials.bearerToken else { throw .missing }
        asked.withLock { $0 += 1 }
        let parts = String(decoding: token, as: UTF8.self).split(separator: " ").map(String.init)
        guard parts.count == 3, let end = Int64(parts[2]) else { throw .invalid("not plain") }
        guard end > now else { throw .invalid("the token has expired") }
        return Identity(
            principal: Principal(id: parts[0], roles: []), audiences: [parts[1]], hasScopes: parts[0] != "unscoped",
            expiry: end)
    }

    func whenDecided(_ body: @escaping @Sendable () -> Void) -> Bool { false }
}

@Suite("Admission")
struct AdmissionTests {
    private let tokens = PlainTokens()

    private func admission(capacity: Int = 4096) -> Admission {
        Admission(
            tokens, ProtectedResources(publicURL: "https://gw", issuer: "https://issuer", audiences: ["api"]),
            capacity: capacity)
    }

    private func ask(
        _ admission: inout Admission, _ authorization: String?, _ adapter: String = "a", at now: Int64 = 10
    ) throws(AuthenticationError) -> String {
        let bytes = authorization.map { Array($0.utf8) }
        // The closure of withUnsafeBytes throws any error.
        let result: Result<String, AuthenticationError>
        if let bytes {
            result = bytes.withUnsafeBytes { bytes in
                do throws(AuthenticationError) {
                    return .success(
                        try admission.principal(Credentials(authorization: bytes), adapter: adapter, now: { now }).id)
                } catch { return .failure(error) }
            }
        } else {
            return try admission.principal(Credentials(authorization: nil), adapter: adapter, now: { now }).id
        }
        return try result.get()
    }

    @Test("a token is read once, however often it comes, until it ends")
    func remembered() throws {
        var admission = admission()
        for _ in 0..<5 { #expect(try ask(&admission, "Bearer ada https://gw 20") == "ada") }
        #expect(tokens.asked.withLock { $0 } == 1)
        #expect(throws: AuthenticationError.invalid("the token has expired")) {
            try ask(&admission, "Bearer ada https://gw 20", at: 20)
        }
    }

    @Test("tokens that end alike are told apart")
    func alike() throws {
        var admission = admission()
        #expect(try ask(&admission, "Bearer ada https://gw 20") == "ada")
        #expect(try ask(&admission, "Bearer eve https://gw 20") == "eve")
        #expect(try ask(&admission, "Bearer ada https://gw 20") == "ada")
    }

    @Test("a token for one adapter is good for no other, before and after it was remembered")
    func audiences() throws {
        var admission = admission()
        let token = "Bearer ada https://gw/adapters/a/mcp 20"
        #expect(throws: AuthenticationError.foreign) { try ask(&admission, token, "b") }
        #expect(try ask(&admission, token, "a") == "ada")
        #expect(throws: AuthenticationError.foreign) { try ask(&admission, token, "b") }
        #expect(try ask(&admission, token, "a") == "ada")
        #expect(try ask(&admission, "Bearer ada https://gw/adapters/a/sse 20", "a") == "ada")
        for everywhere in ["https://gw", "https://gw/", "api"] {
            #expect(try ask(&admission, "Bearer ada \(everywhere) 20", "b") == "ada")
        }
        for nowhere in [
            "https://gw/adapters/a", "https://gw/adapters/a/mcp/", "https://GW", "https://gw.example", "ap",
        ] {
            #expect(throws: AuthenticationError.foreign) { try ask(&admission, "Bearer ada \(nowhere) 20", "a") }
        }
    }

    @Test("a token that lacks a scope is never remembered as good")
    func scopes() {
        var admission = admission()
        for _ in 0..<2 {
            #expect(throws: AuthenticationError.insufficientScope) {
                try ask(&admission, "Bearer unscoped https://gw 20")
            }
        }
    }

    @Test(
        "the scheme has no case, and others than Bearer are no credentials",
        arguments: ["bearer", "BEARER", "Bearer  "])
    func schemes(_ scheme: String) throws {
        var admission = admission()
        #expect(try ask(&admission, "\(scheme) ada https://gw 20") == "ada")
        for other in ["Basic eDp5", "Bearer", "Bearer ", "Bearerx y", "", nil] {
            #expect(throws: AuthenticationError.missing) { try ask(&admission, other) }
        }
    }

    @Test("no more tokens are remembered than there is room for, and those in use stay")
    func room() throws {
        var admission = admission(capacity: 8)
        for index in 0..<100 {
            #expect(try ask(&admission, "Bearer ada https://gw 20") == "ada")
            #expect(try ask(&admission, "Bearer n\(index) https://gw \(1000 + index)") == "n\(index)")
            #expect(admission.count <= 9)
        }
        #expect(tokens.asked.withLock { $0 } == 101)
        admission.age()
        admission.age()
        #expect(admission.count == 0)
    }
}
