// SPDX-License-Identifier: MIT

import Testing

@testable import Curl
@testable import KubernetesRuntime

@Suite("When a call is tried again")
struct RetryRuleTests {
    private let rule = RetryRule()

    private func answer(_ status: Int, retryAfter: Int? = nil) -> KubernetesError {
        let body = retryAfter.map { #"{"kind":"Status","details":{"retryAfterSeconds":\#($0)}}"# } ?? "{}"
        return KubernetesError(status: status, head: nil, body: Array(body.utf8))
    }

    private func pause(
        _ error: KubernetesError, attempt: Int = 1, elapsed: Duration = .zero, random: Double = 0
    ) -> Duration? {
        rule.pause(after: error, attempt: attempt, elapsed: elapsed, random: random)
    }

    @Test("a server that says 'not now' is asked again", arguments: [429, 500, 502, 503, 504])
    func notNow(status: Int) {
        #expect(pause(answer(status)) == .milliseconds(100))
    }

    @Test("what was answered otherwise stays as it is", arguments: [400, 401, 403, 404, 409, 410, 422])
    func final(status: Int) {
        #expect(pause(answer(status)) == nil)
    }

    @Test("one that can't be reached is for the caller to judge")
    func unreachable() {
        #expect(pause(KubernetesError(.unavailable, "nobody there")) == nil)
        #expect(pause(KubernetesError(.timedOut, "no answer")) == nil)
        #expect(pause(KubernetesError(.cancelled, "cancelled")) == nil)
    }

    @Test("pauses double up to the longest, and at least half of each is random")
    func doubling() {
        let halves = (1...8).map { pause(answer(503), attempt: $0) }
        #expect(halves == [100, 200, 400, 800, 1500, 1500, 1500, 1500].map { .milliseconds($0) })
        let wholes = (1...8).map { pause(answer(503), attempt: $0, random: 1) }
        #expect(wholes == [200, 400, 800, 1600, 3000, 3000, 3000, 3000].map { .milliseconds($0) })
        #expect(pause(answer(503), attempt: .max) == .milliseconds(1500))
    }

    @Test("what the server asks for is waited for, at least")
    func retryAfter() {
        #expect(pause(answer(429, retryAfter: 2)) == .seconds(2))
        #expect(pause(answer(429, retryAfter: 0), attempt: 4) == .milliseconds(800))
        #expect(pause(answer(429, retryAfter: -5)) == .milliseconds(100))
    }

    @Test("nothing is begun that would end after the deadline")
    func deadline() {
        #expect(pause(answer(503), elapsed: .milliseconds(9899)) == .milliseconds(100))
        #expect(pause(answer(503), elapsed: .milliseconds(9900)) == nil)
        #expect(pause(answer(503, retryAfter: 10)) == nil)
        #expect(pause(answer(503, retryAfter: .max)) == nil)
    }

    @Test("the header counts before the body, and no server has us wait for more than five minutes")
    func sources() {
        let body = Array(#"{"details":{"retryAfterSeconds":7}}"#.utf8)
        func error(_ header: String) -> KubernetesError {
            KubernetesError(
                status: 429, head: .init(status: 429, headers: [.init(name: "retry-after", value: header)]), body: body)
        }
        #expect(error("3").retryAfter == .seconds(3))
        #expect(error("Wed, 21 Oct 2026 07:28:00 GMT").retryAfter == .seconds(7))
        #expect(error("100000").retryAfter == .seconds(300))
    }
}
