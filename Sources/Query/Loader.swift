internal import Libraries

/// Puts rows into one table; columns that nobody reads stay empty.
final class Loader<Row: Sendable> {
    private let statement: SQLiteStatement
    private let columns: [(index: Int, value: @Sendable (Row) -> SQLiteValue)]

    /// A loader of `table`, which has the columns `all`, for a statement that reads `wanted`.
    init(
        _ table: QueryTable, _ all: [Column<Row>], wanted: Set<String>, _ database: SQLiteDatabase
    ) throws(LibraryError) {
        // A row whose columns nobody reads still counts.
        let read = all.filter { wanted.contains($0.name) }
        let shown = read.isEmpty ? Array(all.prefix(1)) : read
        columns = shown.enumerated().map { ($0 + 1, $1.value) }
        let names = shown.map { "\"" + $0.name + "\"" }.joined(separator: ", ")
        let places = shown.map { _ in "?" }.joined(separator: ", ")
        statement = try database.prepare(
            "INSERT INTO \(table.rawValue) (\(names)) VALUES (\(places))")
    }

    func insert(_ row: Row) throws {
        for column in columns { try statement.bind(column.value(row), at: column.index) }
        try statement.run()
    }
}
