// SPDX-License-Identifier: MIT

import Model
import Testing

@Suite("The URL of a remote server")
struct RemoteURLTests {
    @Test("host, port and target are taken apart")
    func parts() throws {
        let url = try RemoteURL("HTTPS://Example.com:8443/mcp")
        #expect(url.isEncrypted)
        #expect(url.host == "Example.com")
        #expect(url.port == 8443)
        #expect(url.target == "/mcp")
        #expect(try RemoteURL("http://[::1]").host == "::1")
        #expect(try RemoteURL("http://h").port == 80)
        #expect(try RemoteURL("https://h:").port == 443)
        #expect(try RemoteURL("http://h").path == nil)
        #expect(try RemoteURL("http://h/").path == nil)
    }

    @Test(
        "what is not an absolute http URL is refused",
        arguments: [
            "", "h", "/mcp", "ftp://h", "http://", "http:///x", "http://u:p@h", "http://h#f", "http://h:0",
            "http://h:65536",
            "http://h:x", "http://[::1", "http://[::1]x", "http://[h]", "http://a b", "http://é", "http://h/\u{0}",
            "http://h/<x>", "http://h?q", "http://h/p?q", "http://h/" + String(repeating: "a", count: 2048),
        ])
    func refused(text: String) {
        #expect(throws: FieldRule.self) { try RemoteURL(text) }
    }
}
