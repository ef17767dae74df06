// SPDX-License-Identifier: MIT

import RuntimeContract
import Testing

@Suite("Backoff")
struct BackoffTests {
    private let backoff = Backoff(initial: .seconds(1), maximum: .seconds(10), factor: 2, jitter: 0.5)

    @Test("waits double up to the maximum", arguments: zip(1...6, [1, 2, 4, 8, 10, 10]))
    func doubles(_ failures: Int, _ seconds: Int) {
        #expect(backoff.delay(afterFailures: failures, random: 0.5) == .seconds(seconds))
    }

    @Test("jitter goes both ways, by its part at the most")
    func jitter() {
        #expect(backoff.delay(afterFailures: 1, random: 0) == .milliseconds(500))
        #expect(backoff.delay(afterFailures: 1, random: 1) == .milliseconds(1500))
    }

    @Test("any number of failures has a wait")
    func many() {
        #expect(backoff.delay(afterFailures: .max, random: 0.5) == .seconds(10))
        #expect(backoff.delay(afterFailures: 0, random: 0.5) == .seconds(1))
    }
}
