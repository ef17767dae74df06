// SPDX-License-Identifier: MIT

/// Called by libFuzzer with every input it makes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let violation = JSONCheck.violation(of: Array(UnsafeBufferPointer(start: bytes, count: count))) {
        fatalError(violation)
    }
    return 0
}
