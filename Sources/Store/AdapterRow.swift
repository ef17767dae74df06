// SPDX-License-Identifier: MIT

internal import JSON
internal import Model
internal import RuntimeContract

/// A row of the table of adapters, before its text is read.
struct AdapterRow {
    static let columns = "name, uid, generation, spec, created_by, created_at, updated_at, deleted_at"

    private let name: String
    private let uid: UInt64
    private let generation: Int64
    private let spec: String
    private let createdBy: String
    private let createdAt: Timestamp
    private let updatedAt: Timestamp
    private let deletedAt: Timestamp?

    init(_ row: borrowing SQLiteRow) {
        name = row.text(0)
        uid = UInt64(bitPattern: row.integer(1))
        generation = row.integer(2)
        spec = row.text(3)
        createdBy = row.text(4)
        createdAt = Timestamp(millisecondsSinceEpoch: row.integer(5))
        updatedAt = Timestamp(millisecondsSinceEpoch: row.integer(6))
        deletedAt = row.optionalInteger(7).map { Timestamp(millisecondsSinceEpoch: $0) }
    }

    /// The text that a spec is stored as: the API's own JSON, secrets by name only.
    static func text(of spec: AdapterSpec) -> String {
        String(decoding: JSONValue.object(spec.json).bytes, as: UTF8.self)
    }

    /// The adapter, its secrets read from their own table.
    ///
    /// - Throws: `corrupt` when the row holds what this gateway never wrote.
    func adapter(_ connection: SQLiteConnection) throws(StoreError) -> StoredAdapter {
        guard let adapterName = AdapterName(name) else { throw damaged("its name is not one", connection) }
        var spec = AdapterSpec(source: .remote([]))
        // Which of the two they are is told by what runs.
        spec.secretHeaders = try secrets(connection)
        spec.secretEnvironmentVariables = spec.secretHeaders
        do {
            let json = try JSONParser.parse(Array(self.spec.utf8))
            let draft = try AdapterDraft(json, name: .optional(adapterName), limits: .stored)
            spec = try draft.spec(keepingSecretsOf: spec)
        } catch let error as ValidationError {
            let faults = error.faults.map { "\($0.field) \($0.message)" }.joined(separator: ", ")
            throw damaged(String(faults.prefix(300)), connection)
        } catch {
            throw damaged("its fields can't be read", connection)
        }
        return StoredAdapter(
            Adapter(
                name: adapterName, uid: uid, spec: spec, generation: generation, createdBy: createdBy,
                createdAt: createdAt, lastUpdatedAt: updatedAt),
            deletedAt: deletedAt)
    }

    private func secrets(_ connection: SQLiteConnection) throws(StoreError) -> [String: Secret] {
        let pairs = try connection.query(
            "SELECT name, value FROM adapter_secrets WHERE adapter = ?", .text(name)
        ) { (row) throws(StoreError) in (row.text(0), Secret(row.text(1))) }
        return Dictionary(pairs, uniquingKeysWith: { _, last in last })
    }

    private func damaged(_ finding: String, _ connection: SQLiteConnection) -> StoreError {
        StoreError(
            .corrupt,
            "the adapter \(name.prefix(100)) in the database \(connection.path) can't be understood: \(finding)")
    }
}
