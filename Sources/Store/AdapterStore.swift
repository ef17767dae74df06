// SPDX-License-Identifier: MIT

public import Model
internal import RuntimeContract

/// The desired state of every adapter, on disk.
///
/// One writer: all calls run one after the other on a thread of their own. A call that changes something returns when
/// the change is on the disk (WAL, `synchronous=FULL`); after a crash at any moment the database holds all of a change
/// or nothing of it. Calls aren't cancelled half-way; each takes as long as the disk does, and waits at most 5 seconds
/// for another program that holds the file.
public actor AdapterStore {
    /// Told of each change: what is stored now, or `nil` when nothing is left.
    ///
    /// Called in the order of the commits, on the store's thread; must not block.
    public typealias Observer = @Sendable (AdapterName, StoredAdapter?) -> Void

    private let thread: StoreThread
    private var open: (connection: SQLiteConnection, lock: GatewayLock)?
    private var observer: Observer?

    /// The store's own thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Opens the database at `path`, an absolute path, and brings its schema up to date; makes it if there is none.
    ///
    /// Blocks the calling thread while it reads the file through once to see that it is sound.
    ///
    /// - Throws: `locked` when another gateway uses it; `schemaTooNew`, `corrupt`, `diskFull`, `busy`, `io`.
    public init(path: String) throws(StoreError) {
        try DatabaseFile.prepare(path)
        let lock = try GatewayLock(path: path + ".lock")
        let connection = try SQLiteConnection(path: path)
        try AdapterSchema.configure(connection)
        thread = try StoreThread()
        open = (connection, lock)
    }

    /// Closes the database and lets go of the lock.
    ///
    /// Idempotent. Every later call throws `io`.
    public func close() {
        observer = nil
        open = nil
    }

    /// Hands all that is stored, ordered by name, to `begin`, and tells `observer` of each change after that.
    ///
    /// Nothing comes in between. There is one observer; the last one counts.
    ///
    /// - Returns: what `begin` was given.
    @discardableResult
    public func observe(
        beginningWith begin: @Sendable ([StoredAdapter]) -> Void,
        _ observer: @escaping Observer
    ) throws(StoreError) -> [StoredAdapter] {
        let stored = try all()
        begin(stored)
        self.observer = observer
        return stored
    }

    /// All adapters and tombstones, ordered by name.
    public func all() throws(StoreError) -> [StoredAdapter] {
        let connection = try connection()
        let rows = try connection.query("SELECT \(AdapterRow.columns) FROM adapters ORDER BY name") {
            (row) throws(StoreError) in AdapterRow(row)
        }
        return try rows.map { (row) throws(StoreError) in try row.adapter(connection) }
    }

    /// At most `limit` adapters with names greater than `name`, ordered by name; tombstones are left out.
    public func adapters(after name: AdapterName?, limit: Int) throws(StoreError) -> [Adapter] {
        let connection = try connection()
        let rows = try connection.query(
            """
            SELECT \(AdapterRow.columns) FROM adapters WHERE name > ? AND deleted_at IS NULL ORDER BY name LIMIT ?
            """, .text(name?.rawValue ?? ""), .integer(Int64(limit))
        ) { (row) throws(StoreError) in AdapterRow(row) }
        return try rows.map { (row) throws(StoreError) in try row.adapter(connection).adapter }
    }

    /// The adapter or tombstone called `name`.
    public func adapter(named name: AdapterName) throws(StoreError) -> StoredAdapter? {
        try adapter(named: name, connection())
    }

    /// Shows `decide` what is stored and does what it says, in one transaction.
    ///
    /// - Returns: what is stored afterwards, or why `decide` refused; then nothing was changed.
    /// - Throws: `diskFull`, `busy`, `corrupt`, `io`: nothing was changed.
    public func change<Refusal: Error>(
        _ name: AdapterName,
        _ decide: @Sendable (StoredAdapter?) throws(Refusal) -> AdapterChange
    ) throws(StoreError) -> Result<StoredAdapter?, Refusal> {
        let connection = try connection()
        var isChanged = false
        let result = try connection.transaction { () throws(StoreError) -> Result<StoredAdapter?, Refusal> in
            let stored = try adapter(named: name, connection)
            let change: AdapterChange
            do throws(Refusal) { change = try decide(stored) } catch { return .failure(error) }
            switch change {
            case .keep:
                return .success(stored)
            case .create(let adapter):
                try insert(adapter, connection)
                isChanged = true
                return .success(StoredAdapter(adapter))
            case .replace(let adapter):
                try update(adapter, connection)
                isChanged = true
                return .success(StoredAdapter(adapter, deletedAt: stored?.deletedAt))
            case .delete(let moment):
                guard var stored else { return .success(nil) }
                try connection.run(
                    "UPDATE adapters SET deleted_at = ? WHERE name = ?",
                    .integer(moment.millisecondsSinceEpoch), .text(name.rawValue))
                stored.deletedAt = moment
                isChanged = true
                return .success(stored)
            }
        }
        if isChanged, case .success(let stored) = result { observer?(name, stored) }
        return result
    }

    /// Puts what somebody else has decided in the place of what is stored; `nil` leaves nothing.
    ///
    /// The observer is told if that is something else.
    public func mirror(_ name: AdapterName, _ stored: StoredAdapter?) throws(StoreError) {
        let connection = try connection()
        let isChanged = try connection.transaction { () throws(StoreError) -> Bool in
            guard try adapter(named: name, connection) != stored else { return false }
            try connection.run("DELETE FROM adapters WHERE name = ?", .text(name.rawValue))
            guard let stored else { return true }
            try insert(stored.adapter, connection)
            if let moment = stored.deletedAt {
                try connection.run(
                    "UPDATE adapters SET deleted_at = ? WHERE name = ?",
                    .integer(moment.millisecondsSinceEpoch), .text(name.rawValue))
            }
            return true
        }
        if isChanged { observer?(name, stored) }
    }

    /// Removes the tombstone of the adapter that is told apart by `uid`.
    ///
    /// Without effect when there is none, or when the adapter is not deleted.
    public func forget(_ name: AdapterName, uid: UInt64) throws(StoreError) {
        let connection = try connection()
        try connection.run(
            "DELETE FROM adapters WHERE name = ? AND uid = ? AND deleted_at IS NOT NULL", .text(name.rawValue),
            .integer(Int64(bitPattern: uid)))
        if connection.changes > 0 { observer?(name, nil) }
    }

    /// Limits the database to so many pages of 4 KiB, as a disk of that size would.
    func limit(pages: Int) throws(StoreError) {
        try connection().run("PRAGMA max_page_count = \(pages)")
    }

    /// How many pages the database has.
    func pages() throws(StoreError) -> Int {
        Int(try connection().integer("PRAGMA page_count"))
    }
}

// MARK: - Rows

extension AdapterStore {
    private func connection() throws(StoreError) -> SQLiteConnection {
        guard let open else { throw StoreError(.io, "the database is closed: the gateway is stopping") }
        return open.connection
    }

    private func adapter(
        named name: AdapterName,
        _ connection: SQLiteConnection
    ) throws(StoreError) -> StoredAdapter? {
        let rows = try connection.query(
            "SELECT \(AdapterRow.columns) FROM adapters WHERE name = ?", .text(name.rawValue)
        ) { (row) throws(StoreError) in AdapterRow(row) }
        guard let row = rows.first else { return nil }
        return try row.adapter(connection)
    }

    private func insert(_ adapter: Adapter, _ connection: SQLiteConnection) throws(StoreError) {
        try connection.run(
            """
            INSERT INTO adapters (name, uid, generation, spec, created_by, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, .text(adapter.name.rawValue), .integer(Int64(bitPattern: adapter.uid)), .integer(adapter.generation),
            .text(AdapterRow.text(of: adapter.spec)), .text(adapter.createdBy),
            .integer(adapter.createdAt.millisecondsSinceEpoch), .integer(adapter.lastUpdatedAt.millisecondsSinceEpoch))
        try insertSecrets(of: adapter, connection)
    }

    private func update(_ adapter: Adapter, _ connection: SQLiteConnection) throws(StoreError) {
        try connection.run(
            "UPDATE adapters SET generation = ?, spec = ?, updated_at = ? WHERE name = ?",
            .integer(adapter.generation), .text(AdapterRow.text(of: adapter.spec)),
            .integer(adapter.lastUpdatedAt.millisecondsSinceEpoch), .text(adapter.name.rawValue))
        try connection.run("DELETE FROM adapter_secrets WHERE adapter = ?", .text(adapter.name.rawValue))
        try insertSecrets(of: adapter, connection)
    }

    private func insertSecrets(of adapter: Adapter, _ connection: SQLiteConnection) throws(StoreError) {
        for (name, secret) in adapter.spec.secrets {
            try connection.run(
                "INSERT INTO adapter_secrets (adapter, name, value) VALUES (?, ?, ?)", .text(adapter.name.rawValue),
                .text(name), .text(secret.exposed))
        }
    }
}
