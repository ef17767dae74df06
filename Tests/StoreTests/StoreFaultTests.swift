// SPDX-License-Identifier: MIT

import FoundationEssentials
import Glibc
import Model
import RuntimeContract
import Testing

@testable import Store

@Suite("Store: faults")
struct StoreFaultTests {
    private func openingFails(_ path: String) -> StoreError? {
        #expect(throws: StoreError.self) { try AdapterStore(path: path) }
    }

    @Test("a second gateway is refused and told which process holds the database")
    func secondGateway() async throws {
        try await withTemporaryFolder { folder in
            let first = try AdapterStore(path: folder + "/db")
            let error = openingFails(folder + "/db")
            #expect(error?.code == .locked)
            #expect(error?.message.contains("process \(getpid())") == true)
            await first.close()
            await (try AdapterStore(path: folder + "/db")).close()
        }
    }

    @Test("a database of a newer gateway is refused and left as it is")
    func newerSchema() async throws {
        try await withTemporaryFolder { folder in
            await (try AdapterStore(path: folder + "/db")).close()
            try SQLiteConnection(path: folder + "/db").run("PRAGMA user_version = 99")
            let before = try Data(contentsOf: URL(filePath: folder + "/db"))
            let error = openingFails(folder + "/db")
            #expect(error?.code == .schemaTooNew)
            #expect(error?.message.contains("99") == true)
            #expect(try Data(contentsOf: URL(filePath: folder + "/db")) == before)
        }
    }

    @Test("a database of another program is refused and left as it is")
    func foreignDatabase() async throws {
        try await withTemporaryFolder { folder in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data().write(to: URL(filePath: folder + "/db"))
            try SQLiteConnection(path: folder + "/db").run("CREATE TABLE t (x)")
            let before = try Data(contentsOf: URL(filePath: folder + "/db"))
            let error = openingFails(folder + "/db")
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("another program") == true)
            #expect(try Data(contentsOf: URL(filePath: folder + "/db")) == before)
        }
    }

    @Test("a damaged file is refused with words that help", arguments: [0, 4096 + 8, 8192 + 8])
    func damaged(offset: Int) async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            for index in 0..<200 { try await store.create(try adapter("a\(index)")) }
            await store.close()
            var bytes = try Data(contentsOf: URL(filePath: folder + "/db"))
            for index in offset..<offset + 300 { bytes[index] = 0xA5 }
            try bytes.write(to: URL(filePath: folder + "/db"))
            let error = openingFails(folder + "/db")
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("move it away") == true)
        }
    }

    @Test("a full disk fails the write, and nothing stored is lost")
    func diskFull() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            try await store.create(try adapter("kept"))
            try await store.limit(pages: store.pages())
            let large = AdapterSpec(
                source: .image(name: "i", version: "1"), description: String(repeating: "x", count: 4096),
                labels: [:])
            var stored = 1
            var failure: StoreError?
            while failure == nil, stored < 100 {
                do {
                    try await store.create(try adapter("a\(stored)", large))
                    stored += 1
                } catch let error as StoreError {
                    failure = error
                }
            }
            #expect(failure?.code == .diskFull)
            #expect(try await store.all().count == stored)
            await store.close()

            let again = try AdapterStore(path: folder + "/db")
            #expect(try await again.adapter(named: named("kept")) == StoredAdapter(adapter("kept")))
            #expect(try await again.all().count == stored)
            try await again.create(try adapter("later", large))
            await again.close()
        }
    }

    @Test("the database, what lies beside it and its folder are the owner's alone")
    func modes() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            try await store.create(try adapter("a"))
            for file in ["/db", "/db-wal", "/db-shm", "/db.lock", ""] {
                var status = stat()
                #expect(stat(folder + file, &status) == 0, "\(file)")
                #expect(status.st_mode & 0o777 == (file.isEmpty ? 0o700 : 0o600), "\(file)")
            }
            await store.close()
        }
    }

    @Test("a folder that can't be made is named")
    func noFolder() {
        let error = openingFails("/proc/nowhere/db")
        #expect(error?.code == .io)
        #expect(error?.message.contains("/proc/nowhere") == true)
    }

    @Test("a row that the gateway never wrote is named")
    func foreignRow() async throws {
        try await withTemporaryFolder { folder in
            let store = try AdapterStore(path: folder + "/db")
            try await store.create(try adapter("a"))
            await store.close()
            try SQLiteConnection(path: folder + "/db").run("UPDATE adapters SET spec = '{\"imageName\":\"i\",\"x\":1}'")
            let again = try AdapterStore(path: folder + "/db")
            let error = await #expect(throws: StoreError.self) { try await again.all() }
            #expect(error?.code == .corrupt)
            #expect(error?.message.contains("adapter a ") == true)
            await again.close()
        }
    }
}
