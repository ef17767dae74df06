// SPDX-License-Identifier: MIT

internal import NIOCore
internal import NIOHPACK
internal import Wire

/// Makes the fields that begin an answer in HTTP/2 out of the head of one in HTTP/1.1.
enum HTTP2ResponseHead {
    /// The fields of the head that `scanner` has just scanned in `bytes`, without those that belong to a connection of
    /// HTTP/1.1 (RFC 9113 §8.2.2).
    static func fields(_ head: ResponseHead, _ lines: [FieldLine], _ bytes: UnsafeRawBufferPointer) -> HPACKHeaders {
        var fields = HPACKHeaders()
        fields.reserveCapacity(lines.count + 1)
        fields.add(name: ":status", value: String(head.status))
        for line in lines {
            switch line.name {
            case .connection, .keepAlive, .te, .trailer, .transferEncoding, .upgrade: continue
            // What authorizes is kept out of the tables that later fields are compressed with.
            case .mcpSessionID: add(line, bytes, to: &fields, indexing: .neverIndexed)
            default: add(line, bytes, to: &fields, indexing: .indexable)
            }
        }
        return fields
    }

    private static func add(
        _ line: FieldLine, _ bytes: UnsafeRawBufferPointer, to fields: inout HPACKHeaders, indexing: HPACKIndexing
    ) {
        let name = String(unsafeUninitializedCapacity: line.nameLength) { name in
            for offset in 0..<line.nameLength {
                let byte = bytes[line.start + offset]
                name[offset] = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            }
            return line.nameLength
        }
        guard name != "proxy-connection" else { return }
        fields.add(name: name, value: String(decoding: bytes[line.value], as: UTF8.self), indexing: indexing)
    }
}
