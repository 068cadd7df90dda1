import ProcFS
import Testing

/// What a parser makes of `text`, as whoever reads a file hands it over.
func parse<Value>(
    _ text: String, _ parser: (Span<UInt8>) throws(ProcFSError) -> Value
) throws(ProcFSError) -> Value {
    let bytes = Array(text.utf8)
    return try parser(bytes.span)
}

/// The field `parser` complains about, `nil` if it takes `text`.
func complaint<Value>(
    _ text: String, _ parser: (Span<UInt8>) throws(ProcFSError) -> Value
) -> String? {
    do {
        _ = try parse(text, parser)
        return nil
    } catch {
        return error.field
    }
}

/// Captured on Linux 6.18, x86-64.
private enum Captured {
    static let schedstat = "377647 9182 17\n"
    static func stat(name: String = "cat", cpu: String = "3") -> String {
        "7583 (\(name)) R 7580 7580 4481 0 -1 4194304 97 0 0 0 0 0 0 0 20 0 1 0 196324 3133440 348 "
            + "18446744073709551615 94790985039872 94790985059753 140732309558800 "
            + "0 0 0 0 0 0 0 0 0 17 \(cpu) 0 0 0 0 0 "
            + "94790985075760 94790985077376 94791174447104 140732309559999 0\n"
    }
    static let status = """
        Name:\tvblktop io
        Umask:\t0022
        State:\tR (running)
        Threads:\t1
        Mems_allowed_list:\t0
        voluntary_ctxt_switches:\t1234
        nonvoluntary_ctxt_switches:\t56

        """
    static let sched = """
        cat (7587, #threads: 1)
        -------------------------------------------------------------------
        se.exec_start                                :       1961393.364722
        se.sum_exec_runtime                          :             0.183248
        se.nr_migrations                             :                   42
        nr_switches                                  :                    1

        """
    static let hostStat = """
        cpu  13170 10 4595 372707 835 1 57 414 99 0
        cpu0 6259 0 2031 187396 68 0 7 188 0 0

        """
}

@Suite struct CapturedTexts {
    @Test func schedstat() throws {
        let value = try parse(Captured.schedstat, SchedStat.init)
        #expect(value.runTime == 377_647)
        #expect(value.runDelay == 9182)
        #expect(value.timeslices == 17)
    }

    @Test(arguments: ["cat", "a b", "(sd-pam)", ") R 1 (", "x) S 0", "", "CPU 0/KVM", "naïve"])
    func statWithAnyName(name: String) throws {
        let value = try parse(Captured.stat(name: name), ThreadStat.init)
        #expect(value.name == name)
        #expect(value.state == "R")
        #expect(value.startTime == 196_324)
        #expect(value.lastCPU == 3)
    }

    @Test func aNameCannotSendAnEscapeSequence() throws {
        let value = try parse(Captured.stat(name: "a\u{1B}[2J\n"), ThreadStat.init)
        #expect(value.name == "a\u{FFFD}[2J\u{FFFD}")
    }

    @Test func aNameThatIsNotUnicode() throws {
        let text = Array("1 (".utf8) + [0xFF, 0x41] + Captured.stat(name: "").utf8.dropFirst(6)
        #expect(try ThreadStat(text.span).name == "\u{FFFD}A")
    }

    @Test func status() throws {
        let value = try parse(Captured.status, ThreadStatus.init)
        #expect(value.name == "vblktop io")
        #expect(value.switches.voluntary == 1234)
        #expect(value.switches.involuntary == 56)
    }

    @Test(arguments: ["se.nr_migrations", "nr_migrations"])
    func schedOfOldAndNewKernels(key: String) throws {
        let text = Captured.sched.split(separator: "se.nr_migrations").joined(separator: key)
        #expect(try parse(text, ThreadSched.init).migrations == 42)
    }

    @Test func switchesInSched() throws {
        #expect(try parse(Captured.sched, ThreadSched.init).switches == nil)
        let voluntary = Captured.sched + "nr_voluntary_switches   :   7\n"
        #expect(try parse(voluntary, ThreadSched.init).switches == nil)
        let both = voluntary + "nr_involuntary_switches   :   9\n"
        let switches = try #require(try parse(both, ThreadSched.init).switches)
        #expect(switches.voluntary == 7 && switches.involuntary == 9)
    }

    @Test func theNameInSchedIsNoField() {
        #expect(complaint("nr_migrations: 9 (1, #threads: 1)\n", ThreadSched.init) != nil)
    }

    @Test func hostTimesLeaveGuestsOutAndCountStealAsWork() throws {
        let value = try parse(Captured.hostStat, HostCPUTimes.init)
        #expect(value.busy == 13_170 + 10 + 4595 + 1 + 57 + 414)
        #expect(value.idle == 372_707 + 835)
    }

    @Test func memoryPages() throws {
        let value = try parse("765 421 393 5 0 123 0\n", MemoryPages.init)
        #expect(value.size == 765)
        #expect(value.resident == 421)
    }
}

@Suite struct BusyShare {
    private func times(busy: UInt64, idle: UInt64) throws -> HostCPUTimes {
        try parse("cpu  \(busy) 0 0 \(idle) 0 0 0 0\n", HostCPUTimes.init)
    }

    @Test(
        arguments: [
            (100, 100, 130, 170, 30.0), (100, 100, 200, 100, 100), (100, 100, 100, 150, 0),
            (100, 100, 100, 100, nil), (100, 100, 99, 150, nil), (100, 100, 150, 99, nil),
        ] as [(UInt64, UInt64, UInt64, UInt64, Double?)])
    func busyPercent(
        busyBefore: UInt64, idleBefore: UInt64, busy: UInt64, idle: UInt64, percent: Double?
    ) throws {
        let before = try times(busy: busyBefore, idle: idleBefore)
        #expect(try times(busy: busy, idle: idle).busyPercent(since: before) == percent)
    }
}

@Suite struct BadTexts {
    @Test(arguments: [
        ("", "run time"), ("\n", "run time"), ("-5 1 1\n", "run time"), ("12x 1 1\n", "run time"),
        ("99999999999999999999 1 1\n", "run time"), ("12", "run time"), ("12 \n3 4\n", "run delay"),
        ("1 2 3", "timeslices"),
    ])
    func schedstatNamesTheField(text: String, field: String) {
        #expect(complaint(text, SchedStat.init) == field)
    }

    @Test func errorsNameFileAndField() {
        do {
            _ = try parse("1 2", SchedStat.init)
            Issue.record("a number cut short was taken")
        } catch {
            #expect(error.file == "schedstat")
            #expect("\(error)".contains("schedstat"))
            #expect("\(error)".contains("run delay"))
        }
    }

    @Test(arguments: [
        ("1 cat R 1", "comm"), ("1 (cat", "comm"), ("1 )cat( R\n", "comm"),
        ("1 (cat) 5 1\n", "state"), ("1 (cat) R 1 2 3\n", "majflt"),
        (Captured.stat(cpu: "-1"), "processor"),
        (Captured.stat(cpu: "18446744073709551615"), "processor"),
    ])
    func statNamesTheField(text: String, field: String) {
        #expect(complaint(text, ThreadStat.init) == field)
    }

    @Test func aLineOfItsOwnNotTheEndOfAnother() {
        let text = "Name:\tx\nnonvoluntary_ctxt_switches:\t5\n"
        #expect(complaint(text, ThreadStatus.init) == "voluntary_ctxt_switches")
    }

    /// Every file, cut at every byte: an error or a value, never a trap, and never a smaller
    /// number.
    @Test func everyPrefixIsRefused() {
        let cut = { (text: String, isTaken: (String) -> Bool) in
            for count in 0..<text.utf8.count - 1 {
                let prefix = String(decoding: text.utf8.prefix(count), as: UTF8.self)
                #expect(!isTaken(prefix), "taken: \(prefix)")
            }
        }
        cut(Captured.schedstat) { complaint($0, SchedStat.init) == nil }
        cut(Captured.status) {
            complaint($0, ThreadStatus.init) == nil && !$0.hasSuffix("\t56\n")
        }
        cut(String(Captured.stat().prefix { $0 != "3" }) + "\n") {
            complaint($0, ThreadStat.init) == nil
        }
    }

    @Test func noiseNeverTraps() {
        var state: UInt64 = 42
        for _ in 0..<3000 {
            var bytes = Array(Captured.stat(name: "a) b").utf8)
            for _ in 0..<8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 24)
            }
            _ = try? ThreadStat(bytes.span)
            _ = try? SchedStat(bytes.span)
            _ = try? ThreadStatus(bytes.span)
            _ = try? ThreadSched(bytes.span)
            _ = try? HostCPUTimes(bytes.span)
            _ = try? MemoryPages(bytes.span)
        }
    }
}
