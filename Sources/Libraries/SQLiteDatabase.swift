internal import CLibraries

/// A value of a cell.
public enum SQLiteValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
}

/// An SQLite database in memory (which SQLite spills to an unnamed temporary file when it grows).
/// One thread at a time.
@safe public final class SQLiteDatabase {
    // SAFETY: opened in `init`, closed in `deinit` after its statements, which keep it alive.
    let handle: OpaquePointer

    /// An empty database. Throws SQLite's words.
    public init() throws(LibraryError) {
        var handle: OpaquePointer?
        // An empty name is a private temporary database that may spill to disk.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        guard unsafe sqlite3_open_v2("", &handle, flags, nil) == SQLITE_OK,
            let handle = unsafe handle
        else {
            unsafe sqlite3_close_v2(handle)
            throw LibraryError(library: "SQLite", reason: "no memory for a database")
        }
        unsafe self.handle = handle
        // A statement of the user's reaches no file: it can neither attach one nor write SQLite's
        // own tables.
        _ = unsafe sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0)
        _ = unsafe cl_make_defensive(handle)
    }

    deinit { unsafe sqlite3_close_v2(handle) }

    /// Runs statements that give no rows.
    public func execute(_ sql: String) throws(LibraryError) {
        guard unsafe sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw refusal }
    }

    /// Prepares the one statement `sql`; `?` stand for values given later.
    public func prepare(_ sql: String) throws(LibraryError) -> SQLiteStatement {
        unsafe try SQLiteStatement(sql, of: self, handle: handle)
    }

    /// No statement changes anything from now on.
    public func makeReadOnly() throws(LibraryError) { try execute("PRAGMA query_only = 1") }

    /// What SQLite says of the last call.
    var refusal: LibraryError {
        // SAFETY: the text is valid until the next call, and copied at once.
        LibraryError(library: "SQLite", reason: unsafe String(cString: sqlite3_errmsg(handle)))
    }
}

/// A prepared statement. One thread at a time.
@safe public final class SQLiteStatement {
    private let database: SQLiteDatabase
    // SAFETY: prepared in `init`, finalized in `deinit`, before the database it keeps alive.
    private let handle: OpaquePointer
    /// The names of its columns.
    public let columns: [String]

    init(_ sql: String, of database: SQLiteDatabase, handle: OpaquePointer) throws(LibraryError) {
        var statement: OpaquePointer?
        var rest: UnsafePointer<CChar>?
        var remainder = ""
        let status = unsafe sql.withCString { text in
            let status = unsafe sqlite3_prepare_v2(handle, text, -1, &statement, &rest)
            remainder = unsafe rest.map { unsafe String(cString: $0) } ?? ""
            return status
        }
        guard status == SQLITE_OK else { throw database.refusal }
        guard let statement = unsafe statement else {
            throw LibraryError(library: "SQLite", reason: "there is no statement")
        }
        guard remainder.allSatisfy({ $0.isWhitespace || $0 == ";" }) else {
            unsafe sqlite3_finalize(statement)
            throw LibraryError(library: "SQLite", reason: "one statement at a time")
        }
        self.database = database
        unsafe self.handle = statement
        columns = unsafe (0..<sqlite3_column_count(statement)).map {
            unsafe String(cString: sqlite3_column_name(statement, $0))
        }
    }

    deinit { unsafe sqlite3_finalize(handle) }

    /// Runs the statement with `values` for its `?`, and hands each row to `body`.
    public func run(
        _ values: [SQLiteValue] = [], _ body: ([SQLiteValue]) throws -> Void = { _ in }
    ) throws {
        defer { unsafe sqlite3_reset(handle) }
        for (index, value) in values.enumerated() { try bind(value, at: index + 1) }
        while true {
            switch unsafe sqlite3_step(handle) {
            case SQLITE_ROW: try body(row)
            case SQLITE_DONE: return
            default: throw database.refusal
            }
        }
    }

    /// Gives the `?` number `index`, from 1, a value that stays until it is given another.
    public func bind(_ value: SQLiteValue, at index: Int) throws(LibraryError) {
        let index = Int32(clamping: index)
        let status =
            switch value {
            case .null: unsafe sqlite3_bind_null(handle, index)
            case .integer(let number): unsafe sqlite3_bind_int64(handle, index, number)
            case .real(let number): unsafe sqlite3_bind_double(handle, index, number)
            case .text(let text):
                unsafe cl_bind_text(handle, index, text, Int32(clamping: text.utf8.count))
            }
        guard status == SQLITE_OK else { throw database.refusal }
    }

    private var row: [SQLiteValue] {
        (0..<Int32(columns.count)).map { column in
            switch unsafe sqlite3_column_type(handle, column) {
            case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(handle, column))
            case SQLITE_FLOAT: return .real(unsafe sqlite3_column_double(handle, column))
            case SQLITE_NULL: return .null
            default:
                // SAFETY: valid until the next call on the statement, and copied at once. A blob
                // reads as the text it holds.
                let text = unsafe sqlite3_column_text(handle, column)
                return .text(unsafe text.map { unsafe String(cString: $0) } ?? "")
            }
        }
    }
}
