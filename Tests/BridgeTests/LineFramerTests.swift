// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import Bridge

@Suite("Cutting a child's output into lines")
struct LineFramerTests {
    private func lines(_ pieces: [String], maximum: Int = 100) -> [String] {
        var framer = LineFramer(maximumLineBytes: maximum)
        var output: [String] = []
        for piece in pieces {
            framer.append(ByteBuffer(string: piece))
            while let next = framer.next() {
                switch next {
                case .line(let bytes): output.append(String(buffer: bytes))
                case .overlong: output.append("<overlong>")
                }
            }
        }
        return output
    }

    @Test("lines come out whole however the bytes are cut")
    func anyCut() {
        let text = "{\"a\":1}\n{\"b\":2}\r\n\n\n{\"c\":\"é\"}\n"
        let bytes = Array(text.utf8)
        for size in 1...bytes.count {
            var framer = LineFramer(maximumLineBytes: 100)
            var output: [String] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                framer.append(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
                while case .line(let line) = framer.next() { output.append(String(buffer: line)) }
            }
            #expect(output == ["{\"a\":1}", "{\"b\":2}", "{\"c\":\"é\"}"])
            #expect(framer.bufferedBytes == 0)
        }
    }

    @Test("a line without its end stays inside")
    func unfinished() {
        #expect(lines(["abc"]) == [])
        #expect(lines(["abc", "def\ngh"]) == ["abcdef"])
    }

    @Test("a line of exactly the limit passes, one byte more does not")
    func limit() {
        #expect(lines(["12345\n"], maximum: 5) == ["12345"])
        #expect(lines(["123456\n"], maximum: 5) == ["<overlong>"])
        #expect(lines(["12345", "6"], maximum: 5) == ["<overlong>"])
    }

    @Test("nothing comes out after an overlong line, and nothing is stored")
    func afterOverlong() {
        var framer = LineFramer(maximumLineBytes: 3)
        framer.append(ByteBuffer(string: "12345"))
        #expect(framer.next() == .overlong)
        framer.append(ByteBuffer(string: "\nok\n"))
        #expect(framer.next() == nil)
        #expect(framer.bufferedBytes == 0)
    }
}
