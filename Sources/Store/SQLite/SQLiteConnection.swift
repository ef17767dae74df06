// SPDX-License-Identifier: MIT

internal import CSQLite
internal import Glibc

/// One connection to a SQLite database, with its prepared statements.
///
/// Used by one thread at a time; the owner sees to that.
final class SQLiteConnection {
    /// The file, for error messages.
    let path: String

    private let handle: OpaquePointer
    private var statements: [String: SQLiteStatement] = [:]

    /// Opens the database at `path`, which must exist (an empty file is an empty database).
    init(path: String) throws(StoreError) {
        var handle: OpaquePointer?
        // The owner serializes all calls, so SQLite needs no lock of its own.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let result = sqlite3_open_v2(path, &handle, flags, nil)
        guard let handle, result == SQLITE_OK else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(handle)
            throw StoreError(.io, "can't open the database \(path): \(message)")
        }
        self.handle = handle
        self.path = path
    }

    deinit {
        for statement in statements.values { statement.finalize() }
        sqlite3_close_v2(handle)
    }

    /// Runs one statement to its end, without any row wanted.
    ///
    /// The statement is kept for the next time.
    func run(_ sql: String, _ values: SQLiteValue...) throws(StoreError) {
        try rows(sql, values) { (_) throws(StoreError) in }
    }

    /// Runs one statement and makes something of each row.
    ///
    /// The statement is kept for the next time.
    func query<Row>(
        _ sql: String,
        _ values: SQLiteValue...,
        row: (borrowing SQLiteRow) throws(StoreError) -> Row
    ) throws(StoreError) -> [Row] {
        var result: [Row] = []
        try rows(sql, values) { (columns) throws(StoreError) in result.append(try row(columns)) }
        return result
    }

    /// The number in the first column of the first row: for pragmas and counts.
    func integer(_ sql: String) throws(StoreError) -> Int64 {
        try query(sql) { (row) throws(StoreError) in row.integer(0) }.first ?? 0
    }

    /// Runs `body` between `BEGIN IMMEDIATE` and `COMMIT`; any error leaves everything as it was.
    func transaction<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        try run("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try run("COMMIT")
            return result
        } catch {
            rollBack()
            throw error
        }
    }

    /// How many rows the last statement changed.
    var changes: Int { Int(sqlite3_changes64(handle)) }

    private func rollBack() {
        // Some errors have rolled back already (SQLITE_FULL, SQLITE_IOERR); a second time would be an error itself.
        guard sqlite3_get_autocommit(handle) == 0 else { return }
        do { try run("ROLLBACK") } catch {
            // Nothing is committed either way: the connection's next BEGIN fails and says so.
        }
    }

    private func rows(
        _ sql: String,
        _ values: [SQLiteValue],
        _ body: (borrowing SQLiteRow) throws(StoreError) -> Void
    ) throws(StoreError) {
        let statement = try prepared(sql)
        // Resetting returns the statement's last error once more; it was thrown already.
        defer { statement.reset() }
        for (index, value) in values.enumerated() {
            let result = statement.bind(value, at: Int32(index + 1))
            guard result == SQLITE_OK else { throw error(result) }
        }
        while true {
            let result = statement.step()
            switch result {
            case SQLITE_ROW: try body(SQLiteRow(statement: statement))
            case SQLITE_DONE: return
            default: throw error(result)
            }
        }
    }

    private func prepared(_ sql: String) throws(StoreError) -> SQLiteStatement {
        if let statement = statements[sql] { return statement }
        var pointer: OpaquePointer?
        let result = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, nil)
        guard result == SQLITE_OK, let pointer else { throw error(result) }
        let statement = SQLiteStatement(pointer)
        statements[sql] = statement
        return statement
    }

    private func error(_ result: Int32) -> StoreError {
        let text = String(cString: sqlite3_errmsg(handle))
        let systemError = sqlite3_system_errno(handle)
        let isDiskFull =
            result & 0xFF == SQLITE_FULL
            || (result & 0xFF == SQLITE_IOERR && (systemError == ENOSPC || systemError == EDQUOT))
        if isDiskFull {
            return StoreError(
                .diskFull, "no room is left for the database \(path): free some space, nothing stored is lost")
        }
        switch result & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return StoreError(.busy, "another program holds the database \(path): \(text)")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return StoreError(
                .corrupt,
                "the database \(path) is damaged (\(text)): move it away to begin anew, or put a copy in its place")
        case SQLITE_CONSTRAINT:
            return StoreError(.constraint, "a rule of the database \(path) would be broken: \(text)")
        case SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_AUTH:
            return StoreError(.io, "the database \(path) can't be written: \(text)")
        default:
            return StoreError(.io, "the database \(path) failed: \(text) (SQLite code \(result))")
        }
    }
}
