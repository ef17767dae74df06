// SPDX-License-Identifier: MIT

import Glibc
import Testing

/// Replays what the fuzzers have collected, and every beginning of it.
@Suite("Fuzz corpora")
struct CorpusTests {
    @Test("nothing that a fuzzer found breaks the envelope scanner")
    func envelopes() throws { try replay("envelope", EnvelopeCheck.violation) }

    @Test("nothing that a fuzzer found breaks event streams")
    func eventStreams() throws { try replay("event-stream", EventStreamCheck.violation) }

    @Test("nothing that a fuzzer found breaks session ids and key files")
    func sessionIDs() throws { try replay("session-id", SessionIDCheck.violation) }

    @Test("nothing that a fuzzer found breaks message heads and bodies")
    func messageHeads() throws { try replay("message-head", MessageHeadCheck.violation) }

    @Test("nothing that a fuzzer found breaks the reader of JSON")
    func json() throws { try replay("json", JSONCheck.violation) }

    @Test("nothing that a fuzzer found breaks the reader of tokens")
    func tokens() throws { try replay("token", TokenCheck.violation) }

    private func replay(_ corpus: String, _ violation: ([UInt8]) -> String?) throws {
        let directory = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/corpus/\(corpus)"
        let files = try names(in: directory)
        #expect(!files.isEmpty)
        for name in files {
            let input = try contents(of: directory + "/" + name)
            for cut in stride(from: 0, to: input.count, by: max(1, input.count / 16)) {
                #expect(violation(Array(input[..<cut])) == nil, "the first \(cut) bytes of \(corpus)/\(name)")
            }
            #expect(violation(input) == nil, "\(corpus)/\(name)")
        }
    }

    private func names(in directory: String) throws -> [String] {
        let handle = try #require(opendir(directory), "\(directory) can't be read")
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    private func contents(of path: String) throws -> [UInt8] {
        let file = try #require(fopen(path, "r"), "\(path) can't be read")
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
        return bytes
    }
}
