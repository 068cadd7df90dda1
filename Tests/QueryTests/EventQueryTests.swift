import Query
import Telemetry
import Testing

private func answer(_ sql: String, _ events: [KernelEvent], to: Nanoseconds? = nil) throws
    -> [[QueryValue]]
{
    let tables = try QueryTables(for: sql, to: to, wallClockOffset: 1_000_000_000)
    #expect(tables.tables == [.events] && tables.needsEvents)
    #expect(!tables.needsRequests && !tables.needsMarks && !tables.needsSnapshots)
    try tables.insert(events)
    var rows: [[QueryValue]] = []
    try tables.run { row in
        rows.append(row)
        return true
    }
    return rows
}

@Test func kernelEventsAreRows() throws {
    let submit = KernelEvent(
        monotonic: 500_000_000, name: "syscalls:sys_enter_io_submit", tid: 12, cpu: 3, a: 4, b: 9)
    let wait = KernelEvent(
        monotonic: 600_000_000, name: "syscalls:sys_exit_futex", tid: 13, cpu: 0,
        a: UInt64(bitPattern: -11))
    #expect(
        try answer("SELECT * FROM events ORDER BY monotonic_ns", [wait, submit]) == [
            [
                .text("1970-01-01T00:00:01.500Z"), .integer(500_000_000),
                .text("syscalls:sys_enter_io_submit"), .integer(12), .integer(3), .integer(4),
                .integer(9),
            ],
            [
                .text("1970-01-01T00:00:01.600Z"), .integer(600_000_000),
                .text("syscalls:sys_exit_futex"), .integer(13), .integer(0), .integer(-11),
                .integer(0),
            ],
        ])
    // A range leaves out what lies beyond it.
    #expect(
        try answer("SELECT tid FROM events", [submit, wait], to: 550_000_000) == [[.integer(12)]])
}
