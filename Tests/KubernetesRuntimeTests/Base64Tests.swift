// SPDX-License-Identifier: MIT

import Testing

@testable import KubernetesRuntime

@Suite("Base64")
struct Base64Tests {
    @Test(
        "the examples of RFC 4648 §10",
        arguments: ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE="])
    func examples(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test("what is not base64 is refused")
    func refused() {
        #expect(Base64.decode("Zm9v*") == nil)
        #expect(Base64.decode("Zg==Zg") == nil)
    }
}
