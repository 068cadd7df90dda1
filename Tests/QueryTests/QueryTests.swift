import Query
import Telemetry
import Testing

private func request(
    at start: Nanoseconds, took latency: Nanoseconds, type: UInt32 = 0, lun: UInt16 = 0
) -> IOEvent {
    IOEvent(
        type: type, status: 0, lun: lun, head: 7, sector: 8, byteCount: 4096, queued: start,
        kicked: 0, popped: start == 0 ? 0 : start + 1000, submitted: 0, completed: 0, published: 0,
        notified: 0,
        reaped: start + latency)
}

private func snapshot(at time: Nanoseconds, iops: [Double]) -> Snapshot {
    var snapshot = Snapshot(
        source: Source(kind: .demo, name: "demo"), sequence: 1, monotonic: time,
        wallClock: Int64(clamping: time) &+ 1000, interval: 1)
    snapshot.luns = iops.enumerated().map { index, iops in
        var lun = LUN(id: "vd\(index)", device: "virtio-blk-pci")
        lun.rates.iops = iops
        lun.rates.readLatency = LatencySummary(mean: 100, p99: 400)
        return lun
    }
    snapshot.total = BlockRates(summing: snapshot.luns)
    return snapshot
}

private func answer(_ tables: QueryTables) throws -> [[QueryValue]] {
    var rows: [[QueryValue]] = []
    try tables.run { row in
        rows.append(row)
        return true
    }
    return rows
}

@Test func requestsAreGroupedByLUN() throws {
    let tables = try QueryTables(
        for: "SELECT lun, count(*), max(latency_us), op FROM requests GROUP BY lun ORDER BY lun")
    #expect(tables.tables == [.requests])
    #expect(tables.needsRequests && !tables.needsSnapshots && !tables.needsMarks)
    try tables.insert(
        [
            request(at: 1000, took: 5000), request(at: 2000, took: 9000),
            request(at: 3000, took: 100, type: 1, lun: 1), request(at: 1, took: 1, lun: 9),
            request(at: 0, took: 1),
        ], names: ["vd0", "vd1"])
    #expect(
        try answer(tables) == [
            [.text("vd0"), .integer(2), .real(9), .text("read")],
            [.text("vd1"), .integer(1), .real(0.1), .text("write")],
        ])
}

@Test func onlyTheTablesThatAreReadAreFilled() throws {
    let tables = try QueryTables(for: "SELECT count(*) FROM samples")
    #expect(tables.needsSnapshots && !tables.needsRequests)
    try tables.insert(snapshot(at: 5, iops: [1, 2]))
    try tables.insert([request(at: 1000, took: 5000)], names: ["vd0"])
    #expect(tables.rows == 1)
    #expect(try answer(tables) == [[.integer(1)]])
}

@Test func aJoinSeesBothTables() throws {
    let tables = try QueryTables(
        for: """
            WITH busy AS (SELECT lun, monotonic_ns FROM luns WHERE iops > 15)
            SELECT busy.lun, r.start_ns, r.ring_wait_us FROM busy
            JOIN requests r ON r.lun = busy.lun
                AND r.start_ns BETWEEN busy.monotonic_ns - 1000000000 AND busy.monotonic_ns
            """)
    #expect(tables.tables == [.luns, .requests])
    try tables.insert(snapshot(at: 2_000_000_000, iops: [10, 20]))
    try tables.insert(
        [request(at: 1_500_000_000, took: 9, lun: 1), request(at: 2_500_000_000, took: 9, lun: 1)],
        names: ["vd0", "vd1"])
    #expect(try answer(tables) == [[.text("vd1"), .integer(1_500_000_000), .real(1)]])
}

@Test func rowsOutsideTheRangeAreLeftOut() throws {
    let tables = try QueryTables(for: "SELECT start_ns FROM requests", from: 10, to: 20)
    try tables.insert(
        [9, 10, 20, 21].map { request(at: $0, took: 1) }, names: ["vd0"])
    #expect(try answer(tables) == [[.integer(10)], [.integer(20)]])
}

@Test func theWallClockOfRequestsComesFromSnapshots() throws {
    let tables = try QueryTables(for: "SELECT time FROM requests")
    #expect(tables.needsSnapshots)
    try tables.insert(snapshot(at: 5, iops: []))
    try tables.insert([request(at: 1_000_000_000, took: 1)], names: ["vd0"])
    #expect(try answer(tables) == [[.text("1970-01-01T00:00:01.000Z")]])
}

@Test func noticesAreMarks() throws {
    let tables = try QueryTables(for: "SELECT kind, text, scope FROM marks ORDER BY monotonic_ns")
    #expect(tables.needsMarks && tables.needsSnapshots)
    var sample = snapshot(at: 9, iops: [])
    sample.notices = [Notice(monotonic: 8, vm: "a", severity: .info, text: "paused")]
    try tables.insert(sample)
    try tables.insert(Mark(monotonic: 3, kind: .note, scope: "lun:vd0", text: "here"))
    #expect(
        try answer(tables) == [
            [.text("note"), .text("here"), .text("lun:vd0")],
            [.text("notice"), .text("paused"), .text("vm:a")],
        ])
}

@Test(arguments: [
    "DELETE FROM requests", "DROP TABLE luns", "ATTACH '/dev/null' AS other",
    "PRAGMA query_only = 0", "CREATE TABLE x (y)", "BEGIN", "INSERT INTO marks DEFAULT VALUES",
])
func whatDoesMoreThanReadIsRefused(sql: String) {
    do throws(QueryError) {
        _ = try QueryTables(for: sql)
        Issue.record("\(sql) was taken")
    } catch { #expect(error.reason == "only statements that read are run") }
}

@Test(arguments: ["", "SELECT 1; SELECT 2", "SELECT nothing FROM luns", "SELECT FROM", "nonsense"])
func aWrongStatementGetsSQLitesWordsAndTheTables(sql: String) {
    do throws(QueryError) {
        _ = try QueryTables(for: sql)
        Issue.record("\(sql) was taken")
    } catch {
        #expect(!error.reason.isEmpty)
        #expect(error.hint.contains("samples, luns, threads, requests, events, marks, findings"))
    }
}

@Test func everyColumnOfEveryTableCanBeRead() throws {
    var sample = snapshot(at: 5, iops: [.nan, 3])
    sample.threads = [ThreadActivity(tid: 1, role: .main, name: "qemu")]
    sample.findings = [
        Finding(rule: "r", severity: .info, scope: "vm", title: "t", evidence: "e", fix: "f")
    ]
    for table in QueryTable.allCases {
        let tables = try QueryTables(for: "SELECT * FROM \(table.rawValue)")
        try tables.insert(sample)
        try tables.insert([request(at: 1, took: 1)], names: ["vd0"])
        try tables.insert([KernelEvent(monotonic: 1, name: "a:b", tid: 1, cpu: 0)])
        try tables.insert(Mark(monotonic: 1, kind: .note, text: "x"))
        let names = try tables.columnNames()
        #expect(names == table.columns)
        let rows = try answer(tables)
        #expect(!rows.isEmpty && rows.allSatisfy { $0.count == table.columns.count })
    }
}

@Test func answersStopWhenNoMoreIsWanted() throws {
    let tables = try QueryTables(
        for: "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
    var seen = 0
    try tables.run { _ in
        seen += 1
        return seen < 10
    }
    #expect(seen == 10)
}

@Test func answersAreWrittenAsCSVAndJSONAndTables() {
    let row: [QueryValue] = [.text("a\"b,\u{1B}[31m"), .integer(-3), .real(0.5), .null]
    #expect(QueryText.csv(row) == "\"a\"\"b,?[31m\",-3,0.5,")
    #expect(
        QueryText.json(row, columns: ["t", "i", "r", "n"])
            == #"{"t":"a\"b,\u001b[31m","i":-3,"r":0.5,"n":null}"#)
    let rows: [[QueryValue]] = [
        [.text("vd0"), .integer(12), .real(1.23456)], [.text("a long name"), .integer(3), .null],
    ]
    #expect(
        QueryText.table(rows, columns: ["lun", "n", "us"], widest: 8) == """
            lun        n     us
            vd0       12  1.235
            a long ~   3      -

            """)
}
