// SPDX-License-Identifier: MIT

/// A short text that differs when bytes differ (FNV-1a, 64 bits).
///
/// Not for secrets, and not against anybody's intent.
enum Fingerprint {
    static func of(_ bytes: [UInt8]) -> String {
        let value = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(value, radix: 16)
    }
}
