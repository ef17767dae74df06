// SPDX-License-Identifier: MIT

internal import CSQLite

/// A value that is bound to a parameter.
enum SQLiteValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case null
    case integer(Int64)
    case text(String)

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int64) { self = .integer(value) }

    init(_ value: Int64?) { self = value.map(SQLiteValue.integer) ?? .null }
}

/// A prepared statement; belongs to one connection, which finalizes it.
struct SQLiteStatement {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    /// Binds a value to the parameter at `index`, counted from 1; the text is copied.
    func bind(_ value: SQLiteValue, at index: Int32) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(pointer, index)
        case .integer(let number): return sqlite3_bind_int64(pointer, index, number)
        case .text(let text):
            // SQLITE_TRANSIENT, a macro that Swift does not see: SQLite copies the bytes before the call returns.
            let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            var text = text
            return text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { characters in
                    // An empty buffer may have no address, which would bind null.
                    guard let start = characters.baseAddress else {
                        return sqlite3_bind_text(pointer, index, "", 0, transient)
                    }
                    return sqlite3_bind_text(pointer, index, start, Int32(characters.count), transient)
                }
            }
        }
    }

    func step() -> Int32 { sqlite3_step(pointer) }

    /// Makes the statement ready for its next run and forgets what was bound, secrets among it.
    func reset() {
        sqlite3_reset(pointer)
        sqlite3_clear_bindings(pointer)
    }

    func finalize() {
        sqlite3_finalize(pointer)
    }

    fileprivate func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(pointer, column) }

    fileprivate func isNull(_ column: Int32) -> Bool { sqlite3_column_type(pointer, column) == SQLITE_NULL }

    fileprivate func text(_ column: Int32) -> String {
        guard let bytes = sqlite3_column_text(pointer, column) else { return "" }
        let count = Int(sqlite3_column_bytes(pointer, column))
        return String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}

/// The row that a statement stands on, valid until the next one.
///
/// Columns are counted from 0. A `STRICT` table vouches for the types.
struct SQLiteRow: ~Copyable {
    fileprivate let statement: SQLiteStatement

    init(statement: SQLiteStatement) {
        self.statement = statement
    }

    func integer(_ column: Int32) -> Int64 { statement.integer(column) }
    func optionalInteger(_ column: Int32) -> Int64? { statement.isNull(column) ? nil : statement.integer(column) }
    func text(_ column: Int32) -> String { statement.text(column) }
}
