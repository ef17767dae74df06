// SPDX-License-Identifier: MIT

/// One step of the schema.
struct Migration {
    let name: String
    let statements: [String]
}

/// The tables, as the steps that lead to them.
///
/// Append only: a step that was ever released is never changed, for databases made by it exist.
enum AdapterSchema {
    /// `MCPG`: says in the file's header whose database it is.
    static let applicationID: Int64 = 0x4D43_5047

    static let migrations = [
        Migration(
            name: "0001-adapters",
            statements: [
                """
                CREATE TABLE adapters (
                    name TEXT NOT NULL PRIMARY KEY,
                    uid INTEGER NOT NULL,
                    generation INTEGER NOT NULL CHECK (generation >= 1),
                    spec TEXT NOT NULL,
                    created_by TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    deleted_at INTEGER
                ) STRICT, WITHOUT ROWID
                """,
                // Apart from the specs, so that whatever reads or prints those never holds a secret.
                """
                CREATE TABLE adapter_secrets (
                    adapter TEXT NOT NULL REFERENCES adapters (name) ON DELETE CASCADE,
                    name TEXT NOT NULL,
                    value TEXT NOT NULL,
                    PRIMARY KEY (adapter, name)
                ) STRICT, WITHOUT ROWID
                """,
            ])
    ]

    /// Settings of the connection; the schema's version is checked before, so that a foreign file is left as it is.
    static func configure(_ connection: SQLiteConnection) throws(StoreError) {
        // Another program may hold the file for a moment, a backup for example.
        try connection.run("PRAGMA busy_timeout = 5000")
        try refuseForeign(connection)
        try connection.run("PRAGMA journal_mode = WAL")
        // Each commit is on the disk when it returns: desired state is durable before any effect.
        try connection.run("PRAGMA synchronous = FULL")
        try connection.run("PRAGMA foreign_keys = ON")
        try connection.run("PRAGMA trusted_schema = OFF")
        // What was a secret is overwritten, not just unlinked.
        try connection.run("PRAGMA secure_delete = ON")
        try check(connection)
        try migrate(connection)
    }

    private static func refuseForeign(_ connection: SQLiteConnection) throws(StoreError) {
        let version = try connection.integer("PRAGMA user_version")
        let application = try connection.integer("PRAGMA application_id")
        let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
        guard application == applicationID || (application == 0 && version == 0 && isEmpty) else {
            throw StoreError(
                .corrupt,
                "\(connection.path) is a database of another program: give the gateway another data directory")
        }
        guard version <= migrations.count else {
            throw StoreError(
                .schemaTooNew,
                """
                a newer gateway wrote the database \(connection.path) (schema \(version), this gateway knows up to \
                \(migrations.count)): run that version again, or put back a copy made before the upgrade
                """)
        }
    }

    private static func check(_ connection: SQLiteConnection) throws(StoreError) {
        let findings = try connection.query("PRAGMA quick_check(1)") { (row) throws(StoreError) in row.text(0) }
        guard let finding = findings.first, finding != "ok" else { return }
        throw StoreError(
            .corrupt,
            """
            the database \(connection.path) is damaged (\(finding.prefix(200))): move it away to begin anew, or put a \
            copy in its place
            """)
    }

    private static func migrate(_ connection: SQLiteConnection) throws(StoreError) {
        let version = Int(try connection.integer("PRAGMA user_version"))
        guard version < migrations.count else { return }
        try connection.transaction { () throws(StoreError) in
            try connection.run("PRAGMA application_id = \(applicationID)")
            try connection.run(
                "CREATE TABLE IF NOT EXISTS migrations (position INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT"
            )
            for (index, migration) in migrations.enumerated().dropFirst(version) {
                for statement in migration.statements { try connection.run(statement) }
                try connection.run(
                    "INSERT INTO migrations (position, name) VALUES (?, ?)", .integer(Int64(index + 1)),
                    .text(migration.name))
            }
            try connection.run("PRAGMA user_version = \(migrations.count)")
        }
    }
}
