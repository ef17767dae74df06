// SPDX-License-Identifier: MIT

import Testing

@testable import DataPlane

@Suite("When memory is given back")
struct FreedMemoryTests {
    /// Looks once for each number, and tells after which ones memory is given back.
    private func given(_ held: [Int]) -> [Int] {
        var memory = FreedMemory()
        var given: [Int] = []
        for number in held where memory.isWorthGivingBack(held: number, highest: number) { given.append(number) }
        return given
    }

    @Test("after a rush, once")
    func rush() {
        #expect(given([0, 5000, 4500, 3900, 3900]) == [3900])
    }

    @Test("after a slow decline, when it has come to as much")
    func decline() {
        #expect(given(Array(stride(from: 3000, through: 0, by: -400))) == [1800, 600])
    }

    @Test("after a rush that began and ended between two looks")
    func short() {
        var memory = FreedMemory()
        let first = memory.isWorthGivingBack(held: 10, highest: 4000)
        let second = memory.isWorthGivingBack(held: 10, highest: 10)
        #expect(first && !second)
    }

    @Test("never for a few")
    func few() {
        #expect(given([999, 0, 999, 0]).isEmpty)
    }
}
