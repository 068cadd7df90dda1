internal import CLibraries

/// What a statement reads.
public struct SQLiteUse: Sendable, Equatable {
    /// The columns of each table; empty for a table whose rows are only counted.
    public var columns: [String: Set<String>] = [:]
}

/// Collects what SQLite asks leave for while it prepares a statement.
private final class UseCollector {
    var use = SQLiteUse()
    var refused: String?
}

extension SQLiteDatabase {
    /// The tables and columns that the one statement `sql` reads, in SQLite's own understanding of
    /// it. Throws SQLite's words if the statement is wrong, and refuses whatever does more than
    /// read.
    public func use(of sql: String) throws(LibraryError) -> SQLiteUse {
        let collector = UseCollector()
        // SAFETY: the collector outlives the preparation, at whose end the callback is taken away.
        let context = unsafe Unmanaged.passUnretained(collector).toOpaque()
        unsafe sqlite3_set_authorizer(
            handle,
            { context, action, first, second, _, _ in
                guard let context = unsafe context else { return SQLITE_DENY }
                let collector = unsafe Unmanaged<UseCollector>.fromOpaque(context)
                    .takeUnretainedValue()
                let table = unsafe first.map { unsafe String(cString: $0) } ?? ""
                let column = unsafe second.map { unsafe String(cString: $0) } ?? ""
                switch action {
                case SQLITE_SELECT, SQLITE_RECURSIVE: return SQLITE_OK
                case SQLITE_FUNCTION: return SQLITE_OK
                case SQLITE_READ:
                    collector.use.columns[table, default: []].formUnion(
                        column.isEmpty ? [] : [column])
                    return SQLITE_OK
                default:
                    collector.refused = "only statements that read are run"
                    return SQLITE_DENY
                }
            }, context)
        defer { unsafe sqlite3_set_authorizer(handle, nil, nil) }
        do throws(LibraryError) {
            _ = try prepare(sql)
        } catch {
            if let refused = collector.refused {
                throw LibraryError(library: "SQLite", reason: refused)
            }
            throw error
        }
        return withExtendedLifetime(collector) { collector.use }
    }
}
