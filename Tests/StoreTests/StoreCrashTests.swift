// SPDX-License-Identifier: MIT

import FoundationEssentials
import Model
import RuntimeContract
import Testing

@testable import Store

@Suite("Store: crashes")
struct StoreCrashTests {
    /// What a process leaves behind that is killed now: the files as they are, nothing closed, nothing flushed.
    private func files(of folder: String, copiedTo copy: String) throws {
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
        for name in ["db", "db-wal"] where FileManager.default.fileExists(atPath: folder + "/" + name) {
            try FileManager.default.copyItem(atPath: folder + "/" + name, toPath: copy + "/" + name)
        }
    }

    @Test("whatever a call has returned from is there after a crash right behind it")
    func afterEachCommit() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/live/db")
            for step in 0..<6 {
                switch step {
                case 0: try await store.create(try adapter("a"))
                case 1: try await store.create(try adapter("b"))
                case 2:
                    var changed = try adapter("a")
                    changed.spec.secretEnvironmentVariables = ["T": Secret("hush")]
                    changed.generation = 2
                    let second = changed
                    _ = try await store.change(named("a")) { (_) throws(Never) in .replace(second) }
                case 3: try await store.delete(named("b"))
                case 4: try await store.forget(named("b"), uid: 1)
                default: try await store.create(try adapter("b", uid: 9))
                }
                let expected = try await store.all()
                try files(of: folder + "/live", copiedTo: folder + "/\(step)")
                let recovered = try AdapterStore(path: folder + "/\(step)/db")
                #expect(try await recovered.all() == expected, "after step \(step)")
                await recovered.close()
            }
            await store.close()
        }
    }

    @Test("a crash at any byte of a commit leaves all of it or nothing")
    func withinACommit() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/live/db")
            try await store.create(try adapter("a"))
            let before = try await store.all()
            let start = try Data(contentsOf: URL(filePath: folder + "/live/db-wal")).count
            let spec = AdapterSpec(
                source: .image(name: "i", version: "2"), secretEnvironmentVariables: ["T": Secret("hush")],
                description: String(repeating: "x", count: 4000))
            try await store.create(try adapter("b", spec))
            let after = try await store.all()
            let log = try Data(contentsOf: URL(filePath: folder + "/live/db-wal"))
            #expect(log.count > start)
            for length in stride(from: start, through: log.count, by: 997).map({ $0 }) + [log.count] {
                let copy = folder + "/\(length)"
                try? FileManager.default.removeItem(atPath: copy)
                try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: folder + "/live/db", toPath: copy + "/db")
                try log.prefix(length).write(to: URL(filePath: copy + "/db-wal"))
                let recovered = try AdapterStore(path: copy + "/db")
                let found = try await recovered.all()
                #expect(found == before || found == after, "cut at \(length)")
                if length == log.count { #expect(found == after) }
                await recovered.close()
            }
            await store.close()
        }
    }
}
