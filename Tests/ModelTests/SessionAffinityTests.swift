// SPDX-License-Identifier: MIT

import Model
import Testing

@Suite("The field session.affinity")
struct SessionAffinityTests {
    @Test(
        "what is read is written the same",
        arguments: ["none", "principal", "tasks", "header:x-conversation", "param:basket"])
    func roundTrip(_ text: String) {
        #expect(SessionAffinity(text)?.description == text)
    }

    @Test("names are compared without regard to case, and a parameter is a header")
    func names() {
        #expect(SessionAffinity("header:X-Key") == .header("x-key"))
        #expect(SessionAffinity("param:Basket") == .header("mcp-param-basket"))
    }

    @Test(
        "everything else is refused",
        arguments: [
            "", "None", "header", "header:", "header:a b", "param:é", "cookie:a",
            "header:" + String(repeating: "a", count: 65),
        ])
    func refused(_ text: String) {
        #expect(SessionAffinity(text) == nil)
    }
}
