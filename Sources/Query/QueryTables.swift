internal import Libraries
public import Telemetry

/// The tables that one statement reads, filled from a recording.
///
/// Made for a statement, it says what of the recording that needs (`needsSnapshots` and so on);
/// `insert` that, then `run`. One thread at a time.
public final class QueryTables {
    /// The earliest and latest time of rows, `CLOCK_MONOTONIC` nanoseconds; `nil` for no limit.
    public let from: Nanoseconds?
    public let to: Nanoseconds?
    /// Wall clock minus `CLOCK_MONOTONIC`, nanoseconds; learnt from snapshots if not given.
    public var wallClockOffset: Int64?
    /// The tables the statement reads.
    public let tables: Set<QueryTable>
    /// Rows put into the tables.
    public private(set) var rows: UInt64 = 0

    private let sql: String
    private let database: SQLiteDatabase
    private var samples: Loader<Snapshot>?
    private var luns: Loader<At<LUN>>?
    private var threads: Loader<At<ThreadActivity>>?
    private var requests: Loader<RequestRow>?
    private var events: Loader<EventRow>?
    private var marks: Loader<MarkRow>?
    private var findings: Loader<At<Finding>>?
    private var isLoading = false
    /// Whether it reads the wall clock of requests or of events.
    private let readsRecordTime: Bool

    /// Tables for the one statement `sql`. Throws if it is wrong or does more than read.
    public init(
        for sql: String, from: Nanoseconds? = nil, to: Nanoseconds? = nil,
        wallClockOffset: Int64? = nil
    ) throws(QueryError) {
        self.sql = sql
        self.from = from
        self.to = to
        self.wallClockOffset = wallClockOffset
        do throws(LibraryError) {
            database = try SQLiteDatabase()
            for table in QueryTable.allCases {
                let columns = table.columns.map { "\"" + $0 + "\"" }.joined(separator: ", ")
                try database.execute("CREATE TABLE \(table.rawValue) (\(columns))")
            }
            let use = try database.use(of: sql)
            tables = Set(use.columns.keys.compactMap(QueryTable.init(rawValue:)))
            readsRecordTime = ["requests", "events"].contains { table in
                use.columns[table]?.contains("time") ?? false
            }
            func loader<Row>(
                _ table: QueryTable, _ columns: [Column<Row>]
            ) throws(LibraryError) -> Loader<Row>? {
                guard let wanted = use.columns[table.rawValue] else { return nil }
                return try Loader(table, columns, wanted: wanted, database)
            }
            samples = try loader(.samples, Columns.samples)
            luns = try loader(.luns, Columns.luns)
            threads = try loader(.threads, Columns.threads)
            requests = try loader(.requests, Columns.requests)
            events = try loader(.events, Columns.events)
            marks = try loader(.marks, Columns.marks)
            findings = try loader(.findings, Columns.findings)
        } catch { throw QueryError(reason: error.reason, hint: Self.hint) }
    }

    /// Whether the statement needs snapshots: for rows, or for the wall clock.
    public var needsSnapshots: Bool {
        !tables.isDisjoint(with: [.samples, .luns, .threads, .findings, .marks])
            || (readsRecordTime && wallClockOffset == nil)
    }

    /// Whether it needs requests, kernel events, and marks.
    public var needsRequests: Bool { tables.contains(.requests) }
    public var needsEvents: Bool { tables.contains(.events) }
    public var needsMarks: Bool { tables.contains(.marks) }

    /// Adds the rows of a snapshot; what happened since the one before goes to the marks.
    public func insert(_ snapshot: Snapshot) throws {
        if wallClockOffset == nil, let time = Int64(exactly: snapshot.monotonic) {
            let (offset, overflow) = snapshot.wallClock.subtractingReportingOverflow(time)
            wallClockOffset = overflow ? nil : offset
        }
        guard isWanted(snapshot.monotonic) else { return }
        try begin()
        if let samples { try put(snapshot, samples) }
        if let luns {
            for lun in snapshot.luns { try put(At(thing: lun, snapshot: snapshot), luns) }
        }
        if let threads {
            for thread in snapshot.threads {
                try put(At(thing: thread, snapshot: snapshot), threads)
            }
        }
        if let findings {
            for finding in snapshot.findings {
                try put(At(thing: finding, snapshot: snapshot), findings)
            }
        }
        for notice in snapshot.notices where marks != nil {
            try insert(
                Mark(
                    monotonic: notice.monotonic, kind: .notice, severity: notice.severity,
                    scope: notice.vm.map { "vm:" + $0 }, text: notice.text))
        }
    }

    /// Adds requests, whose `lun` is an index in `names`. One without a stamp, or without a name
    /// for its LUN, is left out.
    public func insert(_ requests: [IOEvent], names: [String]) throws {
        guard let loader = self.requests else { return }
        try begin()
        for event in requests {
            let start = event.start
            guard start != 0, isWanted(start), Int(event.lun) < names.count else { continue }
            let row = RequestRow(
                event: event, lun: names[Int(event.lun)], offset: wallClockOffset)
            try put(row, loader)
        }
    }

    /// Adds kernel events.
    public func insert(_ events: [KernelEvent]) throws {
        guard let loader = self.events else { return }
        try begin()
        for event in events where isWanted(event.monotonic) {
            try put(EventRow(event: event, offset: wallClockOffset), loader)
        }
    }

    /// Adds a mark.
    public func insert(_ mark: Mark) throws {
        guard let marks, isWanted(mark.monotonic) else { return }
        try begin()
        try put(MarkRow(mark: mark, offset: wallClockOffset), marks)
    }

    /// Runs the statement over what was inserted: `body` gets each row, and says whether it wants
    /// another. Nothing can be inserted any more.
    public func run(_ body: ([QueryValue]) throws -> Bool) throws {
        if isLoading { try database.execute("COMMIT") }
        isLoading = false
        // Alone, a table is read from end to end; it is joins that look rows up.
        if tables.count > 1 {
            if tables.contains(.luns) {
                try database.execute("CREATE INDEX luns_lun ON luns (lun, monotonic_ns)")
            }
            if tables.contains(.requests) {
                try database.execute("CREATE INDEX requests_start ON requests (start_ns)")
            }
        }
        try database.makeReadOnly()
        let statement: SQLiteStatement
        do throws(LibraryError) {
            statement = try database.prepare(sql)
        } catch { throw QueryError(reason: error.reason, hint: Self.hint) }
        do {
            try statement.run { row in
                guard try body(row.map(QueryValue.init)) else { throw Enough() }
            }
        } catch is Enough {
            return
        } catch let error as LibraryError {
            throw QueryError(reason: error.reason, hint: Self.hint)
        }
    }

    /// The names of the statement's columns.
    public func columnNames() throws(QueryError) -> [String] {
        do throws(LibraryError) {
            return try database.prepare(sql).columns
        } catch { throw QueryError(reason: error.reason, hint: Self.hint) }
    }

    /// The tables and their columns, in a few lines.
    public static var hint: String {
        "Tables: " + QueryTable.allCases.map(\.rawValue).joined(separator: ", ")
            + ". Columns: SELECT * FROM a table LIMIT 1, or docs/query.md."
    }

    private struct Enough: Error {}

    private func put<Row>(_ row: Row, _ loader: Loader<Row>) throws {
        try loader.insert(row)
        rows &+= 1
    }

    private func begin() throws(LibraryError) {
        guard !isLoading else { return }
        try database.execute("BEGIN")
        isLoading = true
    }

    private func isWanted(_ time: Nanoseconds) -> Bool {
        time >= from ?? 0 && time <= to ?? .max
    }
}
