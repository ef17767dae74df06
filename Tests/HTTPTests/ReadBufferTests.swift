// SPDX-License-Identifier: MIT

import NIOCore
import Testing

@testable import HTTP

@Suite("The buffer that all connections of a loop read into")
struct ReadBufferTests {
    @Test("a few bytes that are kept keep no large buffer")
    func fits() {
        var bytes = ByteBufferAllocator().buffer(capacity: 64 << 10)
        bytes.writeString("kept")
        bytes.fit()
        #expect(String(buffer: bytes) == "kept")
        #expect(bytes.storageCapacity < 64)
    }

    @Test("nothing keeps no buffer at all")
    func fitsNothing() {
        var bytes = ByteBufferAllocator().buffer(capacity: 64 << 10)
        bytes.fit()
        #expect(bytes.storageCapacity == 0)
    }

    @Test("what fills its buffer is not copied")
    func leavesLarge() {
        var bytes = ByteBufferAllocator().buffer(capacity: 1 << 10)
        bytes.writeRepeatingByte(0, count: 1000)
        let before = bytes.withUnsafeReadableBytes { $0.baseAddress }
        bytes.fit()
        #expect(bytes.withUnsafeReadableBytes { $0.baseAddress } == before)
    }

    @Test("two connections read into one buffer, and who keeps what it read keeps it")
    func isShared() throws {
        let shared = ReadBuffer()
        var (one, two) = (shared.allocator, shared.allocator)
        // Their first ones are their own.
        for _ in 0..<2 { _ = one.record(actualReadBytes: 16) }
        _ = two.record(actualReadBytes: 16)
        var first = one.buffer(allocator: ByteBufferAllocator())
        first.writeString("first")
        let place = first.withUnsafeReadableBytes { $0.baseAddress }
        let kept = first
        shared.giveBack(first)
        first = ByteBuffer()
        var second = two.buffer(allocator: ByteBufferAllocator())
        second.writeString("other")
        #expect(String(buffer: kept) == "first")
        #expect(second.withUnsafeReadableBytes { $0.baseAddress } != place)
        let next = second.withUnsafeReadableBytes { $0.baseAddress }
        shared.giveBack(second)
        second = ByteBuffer()
        var third = one.buffer(allocator: ByteBufferAllocator())
        third.writeString("third")
        #expect(third.withUnsafeReadableBytes { $0.baseAddress } == next)
    }
}
