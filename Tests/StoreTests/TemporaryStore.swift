// SPDX-License-Identifier: MIT

import FoundationEssentials
import Model
import RuntimeContract
import Testing

@testable import Store

/// A folder for one test's database; removed at the end of `body`.
func withTemporaryFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/store-\(UInt64.random(in: 0...UInt64.max))"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}

func named(_ text: String) throws -> AdapterName { try #require(AdapterName(text)) }

func adapter(
    _ name: String,
    uid: UInt64 = 1,
    _ spec: AdapterSpec = AdapterSpec(source: .image(name: "i", version: "1"))
) throws -> Adapter {
    Adapter(
        name: try named(name), uid: uid, spec: spec, createdBy: "ada",
        createdAt: Timestamp(millisecondsSinceEpoch: 1000), lastUpdatedAt: Timestamp(millisecondsSinceEpoch: 2000))
}

extension AdapterStore {
    /// Stores `adapter` as a new one.
    func create(_ adapter: Adapter) throws {
        _ = try change(adapter.name) { (_) throws(Never) in .create(adapter) }.get()
    }

    /// Leaves a tombstone.
    func delete(_ name: AdapterName) throws {
        _ = try change(name) { (_) throws(Never) in .delete(at: Timestamp(millisecondsSinceEpoch: 3000)) }.get()
    }
}
