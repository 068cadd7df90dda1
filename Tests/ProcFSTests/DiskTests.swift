import ProcFS
import Testing

/// Every line of /proc/diskstats.
private func lines(_ text: String) throws(ProcFSError) -> [DiskStatsLines.Line] {
    try parse(text) { text throws(ProcFSError) in
        var walk = DiskStatsLines()
        var found: [DiskStatsLines.Line] = []
        while let line = try walk.next(in: text) { found.append(line) }
        return found
    }
}

@Suite struct DiskCountersTests {
    /// Captured on Linux 6.18.
    private static let stat = """
          233827    29924 26879156   252603   110189    82917  8377776    57427        3    46332 \
          316523    32266        1  2929880     5241    12508     1251

        """

    /// The first `count` fields of a captured file, as older kernels end it.
    private static func stat(fields count: Int) -> String {
        stat.split(separator: " ").prefix(count).joined(separator: " ") + (count < 17 ? "\n" : "")
    }

    @Test func everyFieldInItsPlace() throws {
        let disk = try parse(Self.stat, DiskCounters.init)
        #expect([disk.reads, disk.readMerges, disk.readSectors] == [233_827, 29_924, 26_879_156])
        #expect(disk.readTime == 252_603)
        #expect(
            [disk.writes, disk.writeMerges, disk.writeSectors] == [110_189, 82_917, 8_377_776])
        #expect(disk.writeTime == 57_427)
        #expect([disk.inFlight, disk.busyTime, disk.weightedTime] == [3, 46_332, 316_523])
        #expect(disk.discards == 32_266)
        #expect(disk.flushes == 12_508)
        #expect(disk.flushTime == 1251)
        #expect(disk.requests == 233_827 + 110_189 + 32_266 + 12_508)
    }

    @Test(arguments: [(11, false, false), (15, true, false), (17, true, true)])
    func kernelsOldAndNew(fields: Int, hasDiscards: Bool, hasFlushes: Bool) throws {
        let disk = try parse(Self.stat(fields: fields), DiskCounters.init)
        #expect((disk.discards != nil) == hasDiscards)
        #expect((disk.flushes != nil) == hasFlushes)
        #expect(disk.weightedTime == 316_523)
    }

    @Test func whatLaterKernelsAppendIsLeft() throws {
        let longer = Self.stat.dropLast() + " 1 2 3\n"
        #expect(try parse(String(longer), DiskCounters.init).flushes == 12_508)
    }

    @Test(arguments: [
        (0, "reads"), (10, "weighted time"), (12, "discards"), (16, "flushes"),
    ])
    func aGroupWithoutItsRestIsRefused(fields: Int, field: String) {
        #expect(complaint(Self.stat(fields: fields), DiskCounters.init) == field)
    }

    @Test func tableOfDisks() throws {
        let table = try lines(
            """
               7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
             254       0 vda 1 2 3 4 5 6 7 8 9 10 11
               8      17 cciss/c0d0p1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15

            """)
        #expect(table.map(\.name) == ["loop0", "vda", "cciss/c0d0p1"])
        #expect(table.map(\.counters.weightedTime) == [0, 11, 11])
        #expect(table.map(\.counters.discards) == [0, nil, 12])
        #expect(try lines("").isEmpty)
    }

    @Test(arguments: [
        "254 0 vda 1 2 3 4 5 6 7 8 9 10 11", "254 0 vda\n", "254 0\n", "\n", "254 vda 0 1\n",
        "254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n254 0 vd",
    ])
    func aTableCutShortIsRefused(text: String) {
        #expect(throws: ProcFSError.self) { try lines(text) }
    }

    @Test func aDisksNameCannotSendAnEscapeSequence() throws {
        let table = try lines("1 0 a\u{1B}[2J 1 2 3 4 5 6 7 8 9 10 11\n")
        #expect(table.first?.name == "a\u{FFFD}[2J")
    }
}

@Suite struct DiskSettingsTests {
    @Test(arguments: [
        ("none [mq-deadline] kyber bfq \n", "mq-deadline"), ("[none] mq-deadline\n", "none"),
        ("none\n", "none"), ("[none]\n", "none"), ("[a\u{1B}]\n", "a\u{FFFD}"),
    ])
    func schedulerInUse(text: String, name: String) throws {
        #expect(try parse(text, DiskScheduler.init).name == name)
    }

    @Test(arguments: ["", "\n", "[", "[]\n", "none bfq\n", "bfq\n", "[mq-dead", "none [", "none"])
    func noSchedulerInUse(text: String) {
        #expect(complaint(text, DiskScheduler.init) == "scheduler")
    }

    @Test func numbersOfFiles() throws {
        let inFlight = try parse("       4       23\n", DiskInFlight.init)
        #expect(inFlight.reads == 4)
        #expect(inFlight.writes == 23)
        let size = try parse("256\n") { text throws(ProcFSError) in
            try SysNumber(text, file: "nr_requests")
        }
        #expect(size.value == 256)
        #expect(
            complaint("25", { text throws(ProcFSError) in try SysNumber(text, file: "x") }) != nil)
    }
}
