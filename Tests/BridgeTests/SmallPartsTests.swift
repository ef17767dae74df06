// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import Bridge

@Suite("Small parts of the bridge")
struct SmallPartsTests {
    @Test("an event is one data line behind its identifier")
    func eventText() {
        let id = EventID(stream: StreamID(number: 3), sequence: 17)
        let message = ByteBuffer(string: #"{"a":1}"#)
        #expect(ServerSentEvent.encode(message, id: id).text == "event: message\nid: 3-17\ndata: {\"a\":1}\n\n")
        #expect(ServerSentEvent.encode(message, id: nil).text == "event: message\ndata: {\"a\":1}\n\n")
        #expect(ServerSentEvent.prime(id).text == "id: 3-17\nretry: 1000\ndata: \n\n")
    }

    @Test("standard error comes out in whole lines")
    func errorLines() {
        var lines = StandardErrorLines()
        let results = ["ab", "c\nd", "e\nf\ng", ""].map { lines.append(ByteBuffer(string: $0))?.text }
        #expect(results == [nil, "abc\n", "de\nf\n", nil])
        #expect(lines.finish()?.text == "g\n")
    }

    @Test("a line of standard error without an end is passed on in pieces")
    func endlessErrorLine() {
        var lines = StandardErrorLines()
        let piece = lines.append(ByteBuffer(repeating: UInt8(ascii: "x"), count: 9000))
        #expect(piece?.readableBytes == 9001)
        #expect(piece?.text.hasSuffix("x\n") == true)
        #expect(lines.finish() == nil)
    }

    @Test(
        "the status fits the code of an error",
        arguments: [
            (-32700, 400), (-32600, 400), (-32602, 400), (-32601, 404), (-32020, 400), (-32021, 400), (-32022, 400),
            (-32603, 200), (-32002, 200), (7, 200),
        ])
    func errorStatus(_ code: Int, _ status: Int) {
        let message = Array(#"{"jsonrpc":"2.0","id":1,"error":{"code":\#(code),"message":"x"}}"#.utf8)
        #expect(ErrorCode.status(of: ErrorCode.read(message)) == status)
    }

    @Test("an error without a code has no status of its own")
    func noCode() {
        #expect(ErrorCode.status(of: ErrorCode.read(Array(#"{"error":{}}"#.utf8))) == 200)
    }

    @Test("programs are found in PATH, in its order, and only in whole paths")
    func programs() throws {
        #expect(try ProgramPath.resolve("sh", search: "/nowhere:/bin:/usr/bin") == "/bin/sh")
        #expect(try ProgramPath.resolve("/bin/sh", search: nil) == "/bin/sh")
        #expect(try ProgramPath.resolve("sh", search: nil).hasSuffix("/sh"))
    }

    @Test(
        "what can't be executed is no program", arguments: ["no-such-program", "/etc/passwd", "/bin", "./nothing", ""])
    func noProgram(_ command: String) {
        #expect(throws: BridgeError.self) { try ProgramPath.resolve(command, search: "/bin:.:relative:") }
    }
}
