// SPDX-License-Identifier: MIT

import Logging
import Systemd
import Testing

@Suite("An entry of the journal")
struct JournalEntryTests {
    private func texts(_ entry: JournalEntry) -> [String] { entry.fields.map { String(decoding: $0, as: UTF8.self) } }

    @Test("has the message for people, the priority, and each of the metadata as a field")
    func fields() {
        let entry = JournalEntry(
            .warning, "instance ended", label: "runtime",
            metadata: ["instance": "w-0", "exitCode": "3", "odd key=": "a\nb"])
        #expect(
            texts(entry) == [
                "MESSAGE=instance ended exitCode=3 instance=w-0 odd key==a\nb", "PRIORITY=4",
                "SYSLOG_IDENTIFIER=mcp-gateway", "MCP_GATEWAY_LOGGER=runtime", "MCP_GATEWAY_EVENT=instance ended",
                "MCP_GATEWAY_EXIT_CODE=3", "MCP_GATEWAY_INSTANCE=w-0", "MCP_GATEWAY_ODD_KEY_=a\nb",
            ])
    }

    @Test("has the levels of syslog", arguments: zip(Logger.Level.allCases, ["7", "7", "6", "5", "4", "3", "2"]))
    func levels(_ level: Logger.Level, _ priority: String) {
        #expect(texts(JournalEntry(level, "m", label: "l", metadata: [:]))[1] == "PRIORITY=\(priority)")
    }

    @Test("keeps long values and names within what the journal takes")
    func bounds() {
        let entry = JournalEntry(
            .info, "m", label: "l",
            metadata: [String(repeating: "k", count: 100): "\(String(repeating: "v", count: 99_999))"])
        for field in entry.fields {
            #expect(field.count < 17_000)
            #expect((field.firstIndex(of: UInt8(ascii: "=")) ?? 99) <= 64)
        }
    }
}
