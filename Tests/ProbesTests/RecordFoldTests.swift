import ProcFS
import Telemetry
import Testing

@testable import Probes

func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
}

func format(_ text: String) throws -> TracepointFormat {
    let bytes = Array(text.utf8)
    return try TracepointFormat(bytes.span)
}

/// As Linux 6.18 has them, the common fields but one left out.
enum Formats {
    static let futex = """
        name: sys_enter_futex
        ID: 522
        format:
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

        \tfield:u32 * uaddr;\toffset:16;\tsize:8;\tsigned:0;
        \tfield:int op;\toffset:24;\tsize:8;\tsigned:0;

        print fmt: "uaddr: 0x%08lx", ((unsigned long)(REC->uaddr))
        """
    static let kvmExit = """
        name: kvm_exit
        ID: 103
        format:
        \tfield:unsigned int exit_reason;\toffset:8;\tsize:4;\tsigned:0;
        \tfield:u32 isa;\toffset:24;\tsize:4;\tsigned:0;
        """
    static let write = """
        name: sys_enter_write
        ID: 840
        format:
        \tfield:size_t count;\toffset:32;\tsize:8;\tsigned:0;
        """
    static let exitFutex = "ID: 521\n\tfield:long ret;\toffset:16;\tsize:8;\tsigned:1;\n"
}

/// The raw fields of a futex call.
func futexFields(_ address: UInt64, op: UInt64 = 128) -> [UInt8] {
    bytes(0, 16) + bytes(address, 8) + bytes(op, 8)
}

func probe(_ lines: String) throws -> ProbeDefinition {
    try ProbeDefinition(toml: "meaning = \"m\"\n" + lines, file: "p.toml")
}

enum Probe {
    static func futex() throws -> ProbeDefinition {
        try probe(
            """
            event = "tracepoint:syscalls:sys_enter_futex"
            until = "tracepoint:syscalls:sys_exit_futex"
            locks.address = "uaddr"
            [[column]]
            key = "wait_percent"
            title = "W%"
            unit = "percent"
            fold = "percent"
            meaning = "m"
            """)
    }
    static func exits() throws -> ProbeDefinition {
        try probe(
            """
            event = "tracepoint:kvm:kvm_exit"
            roles = ["vcpu"]
            [event_count]
            kind = "exit"
            field = "exit_reason"
            names = "kvm-exit"
            prefix = "r "
            """)
    }
    static func batch() throws -> ProbeDefinition {
        try probe(
            """
            event = "tracepoint:syscalls:sys_enter_write"
            filter = "count == 8"
            [[column]]
            key = "mean"
            title = "M"
            unit = "bytes"
            fold = "mean"
            field = "count"
            meaning = "m"
            [[column]]
            key = "max"
            title = "X"
            unit = "bytes"
            fold = "max"
            field = "count"
            meaning = "m"
            [[column]]
            key = "sum"
            title = "S"
            unit = "per_second"
            fold = "sum"
            field = "count"
            meaning = "m"
            """)
    }
    static func switches() throws -> ProbeDefinition {
        try probe(
            """
            event = "software:context-switches"
            [[column]]
            key = "switches"
            title = "CS"
            unit = "per_second"
            fold = "rate"
            meaning = "m"
            """)
    }
}

extension RecordFold {
    init(_ probe: ProbeDefinition, _ text: String) throws {
        self.init(plan: try RecordPlan(probe, format: try format(text)))
    }

    mutating func begin(at time: UInt64, lock: UInt64) {
        let fields = futexFields(lock)
        begin(at: time, fields.span)
    }
}

@Suite struct RecordFoldTests {
    @Test func waitsAreMeasuredPerLock() throws {
        var fold = try RecordFold(try Probe.futex(), Formats.futex)
        _ = fold.take(until: 1000)
        fold.begin(at: 1100, lock: 7)
        fold.end(at: 1400)
        fold.begin(at: 1500, lock: 9)
        fold.end(at: 1510)
        fold.end(at: 1600)
        let totals = fold.take(until: 2000)
        #expect(totals.samples == 2)
        #expect(totals.waits.begun == 2 && totals.waits.time == 310 && totals.waits.longest == 300)
        #expect(totals.waits.mean == 155 && totals.waits.p99 == 300)
        #expect(totals.locks[7]?.time == 300 && totals.locks[9]?.time == 10)
        #expect(fold.take(until: 3000).waits == WaitTotals())
    }

    /// A wait over several intervals fills each of them, and none twice.
    @Test func aWaitThatLastsIsSharedOut() throws {
        var fold = try RecordFold(try Probe.futex(), Formats.futex)
        _ = fold.take(until: 1000)
        fold.begin(at: 1900, lock: 7)
        let first = fold.take(until: 2000)
        #expect(first.waits.time == 100 && first.waits.longest == 100 && first.waits.p99 == nil)
        let second = fold.take(until: 3000)
        #expect(second.waits.time == 1000 && second.waits.begun == 0)
        #expect(second.waits.longest == 1100 && second.locks[7]?.time == 1000)
        fold.end(at: 3200)
        let third = fold.take(until: 4000)
        #expect(third.waits.time == 200 && third.waits.longest == 1300)
        #expect(third.waits.mean == 1300)
    }

    @Test func afterALossNobodyWaits() throws {
        var fold = try RecordFold(try Probe.futex(), Formats.futex)
        fold.begin(at: 100, lock: 7)
        fold.forget()
        #expect(fold.take(until: 1000).waits.time == 0)
        // Crooked times: an end before its beginning.
        fold.begin(at: 1500, lock: 7)
        fold.end(at: 1400)
        #expect(fold.take(until: 2000).waits.time == 0)
    }

    @Test func valuesBecomeNames() throws {
        let probe = try Probe.exits()
        var fold = try RecordFold(probe, Formats.kvmExit)
        func exit(_ reason: UInt64, _ isa: UInt64) {
            let fields = bytes(0, 8) + bytes(reason, 4) + bytes(0, 12) + bytes(isa, 4)
            fold.begin(at: 1, fields.span)
        }
        for _ in 0..<3 { exit(0x8000_0030, 1) }
        exit(0x78, 2)
        exit(0x999, 2)
        exit(5, 1)
        let names = fold.take(until: 9).names
        let naming = try #require(probe.eventNames)
        let counts = Dictionary(
            names.map { (naming.name(of: $0.key), $0.value) }, uniquingKeysWith: +)
        #expect(counts == ["EPT_VIOLATION": 3, "HLT": 1, "r 2457": 1, "r 5": 1])
    }

    @Test func manyNamesAndLocksAreBounded() throws {
        var exits = try RecordFold(try Probe.exits(), Formats.kvmExit)
        var waits = try RecordFold(try Probe.futex(), Formats.futex)
        for index in 0..<UInt64(1000) {
            let fields = bytes(0, 8) + bytes(index, 4) + bytes(0, 12) + bytes(1, 4)
            exits.begin(at: 1, fields.span)
            waits.begin(at: index * 10 + 1, lock: index + 1)
            waits.end(at: index * 10 + 5)
        }
        let names = exits.take(until: 2).names
        #expect(names.count == RecordFold.nameLimit + 1)
        #expect(names[EventValue(value: .max, companion: nil)] == 744)
        let locks = waits.take(until: 20_000).locks
        #expect(locks.count == RecordFold.nameLimit + 1)
        #expect(locks[0]?.time == 744 * 4)
    }

    @Test func aRecordTooShortTellsNothing() throws {
        var fold = try RecordFold(try Probe.batch(), Formats.write)
        let short: [UInt8] = [1, 2, 3]
        fold.begin(at: 1, short.span)
        let totals = fold.take(until: 2)
        #expect(
            totals.samples == 1 && totals.sums == [0, 0, 0] && totals.maxima == [nil, nil, nil])
    }

    @Test func aFieldThatIsNotThereIsNamed() throws {
        let probe = try Probe.futex()
        let format = try format(Formats.write)
        let failure = #expect(throws: Tracefs.Failure.self) {
            _ = try RecordPlan(probe, format: format)
        }
        #expect(failure?.reason.contains("has no field uaddr") == true)
        #expect(failure?.remedy == "take one of count in p.toml")
    }

    /// What is missing of the records is estimated from what is there; the rates need no records.
    @Test func lostRecordsAreMadeUpFor() throws {
        var totals = RecordFold.Totals(columns: 1)
        totals.samples = 10
        totals.sums = [40]
        totals.waits.time = 50_000_000
        let interval = try #require(RateInterval(from: 0, to: 1_000_000_000))
        let activity = ProbeActivity(events: 40, totals: totals, interval: interval)
        #expect(activity.value(of: .rate, column: 0) == 40)
        #expect(activity.value(of: .mean("nr"), column: 0) == 4)
        #expect(activity.value(of: .sum("nr"), column: 0) == 160)
        #expect(activity.value(of: .percent, column: 0) == 20)
        let silent = ProbeActivity(events: nil, totals: nil, interval: interval)
        #expect(silent.value(of: .rate, column: 0) == nil)
        #expect(silent.value(of: .percent, column: 0) == nil)
    }
}
