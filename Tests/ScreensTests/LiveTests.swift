import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Live VMs")
struct LiveTests {
    private func bench(
        _ history: SnapshotHistory = LiveFixture.standard, columns: Int = 200, rows: Int = 50,
        now: Nanoseconds? = nil
    ) -> Bench {
        Bench(
            history, size: Size(columns: columns, rows: rows), options: DisplayOptions(now: now))
    }

    @Test(
        "filters on every screen",
        arguments: [
            ("2", "IOPS>1 guest2", 1), ("2", "paused", 1), ("3", "submits>0", 8),
            ("3", "io0 page_faults>=0 guest1", 1), ("7", "exit", 10), ("7", "top%>50", 32),
            ("7", "cpu1=12 nvme0q1", 8), ("8", "wait%>1", 2), ("8", "KVM", 2), ("8", "p99>100", 2),
            ("K", "%util>10", 2), ("K", "guest2/vd09", 1), ("K", "r_await>0.05ms r/s>0", 2),
            ("1", "guest2", 28), ("1", "nvme0n1 mrg/s>=0", 28), ("1", "~^guest1/vd0[02]$", 2),
        ])
    func filters(screen: Character, text: String, count: Int) {
        var bench = bench()
        bench.press(.character(screen), .function(4))
        bench.type(text)
        #expect(bench.state.message == nil)
        #expect(bench.state.table.visible.count == count)
    }

    @Test(
        "find, sort and hide idle on every screen",
        arguments: [
            ("2", "guest2", "lat", 2), ("3", "worker", "submits", 18), ("7", "irqfd", "cpu0", 32),
            ("8", "futex", "longest", 2), ("K", "nvme7", "r_await", 2),
        ])
    func table(screen: Character, name: String, word: String, busy: Int) throws {
        var bench = bench()
        bench.press(.character(screen), .character("/"))
        bench.type(name)
        #expect(bench.state.table.selectedKey?.contains("not found") == false)
        #expect(bench.state.message == nil)
        bench.press(.function(6))
        bench.type(word)
        #expect(bench.state.table.sortWord == word)
        bench.press(.character("z"))
        #expect(bench.state.table.visible.count == busy)
        let before = bench.state.table.visible
        bench.press(.character("I"))
        #expect(bench.state.table.visible != before)
    }

    @Test("a probe's column is in the table, in the sort menu and in the help")
    func probes() {
        var bench = bench()
        bench.press(.character("3"))
        #expect(bench.lines.contains { $0.contains(" io_submit ") && $0.contains(" faults") })
        let words = bench.state.sortableWords(of: bench.history.shown, shownAt: nil)
        #expect(words.suffix(2) == ["submits", "page_faults"])
        bench.size = Size(columns: 200, rows: 400)
        bench.press(.function(1))
        #expect(bench.text.contains("calls of io_submit(2) [1/s]; from: tracepoint"))
    }

    @Test("Enter on a VM shows its LUNs, Escape all again")
    func openVM() {
        var bench = bench()
        bench.press(.character("v"), .function(3))
        bench.type("guest2")
        bench.press(.enter)
        #expect(bench.state.screen == .luns)
        #expect(bench.state.luns.visible.count == 28)
        #expect(bench.lines[0].contains("only guest2"))
        bench.press(.character("3"))
        #expect(bench.state.table.visible.count == 32)
        bench.press(.character("K"))
        #expect(bench.state.table.visible.count == 8, "the host's disks are nobody's")
        bench.press(.character("1"), .escape)
        #expect(bench.state.luns.visible.count == 56)
        var only = self.bench(LiveFixture(lunCount: 3, vmCount: 1).history)
        only.press(.character("2"), .enter)
        #expect(only.state.lock == nil && only.state.luns.visible.count == 3)
    }

    @Test("LUNs of one id in two VMs are two: selection, tag, lock")
    func sameIDs() throws {
        var history = SnapshotHistory()
        for index in 0..<3 {
            var sample = LiveFixture(lunCount: 2).snapshot(index)
            for number in sample.luns.indices { sample.luns[number].id = "vd0" }
            for number in sample.threads.indices { sample.threads[number].luns = [] }
            sample.threads[6].luns = ["vd0"]
            sample.threads[15].luns = ["vd0"]
            history.append(sample)
        }
        var bench = bench(history)
        #expect(bench.lines.filter { $0.contains("/vd0 ") }.count >= 2)
        bench.press(.home, .insert)
        #expect(bench.state.tagged.count == 1)
        bench.press(.home, .character("l"))
        #expect(bench.state.luns.visible.count == 1)
        let locked = try #require(bench.state.lock)
        #expect(locked.lun == locked.vm.map { $0 + "/vd0" })
        bench.press(.character("3"))
        #expect(bench.state.table.visible.count == 1)
        bench.press(.character("8"))
        #expect(bench.state.table.visible.count == 2, "its VM's lock and the host's")
    }

    @Test("without percentiles the order is by the mean, until there are some")
    func fallback() {
        var bench = bench(LiveFixture(lunCount: 12).history)
        #expect(bench.state.luns.sortedBy == "lat")
        #expect(bench.state.luns.selectedKey == "guest1/vd08")
        for index in 12..<16 { bench.arrive(Fixture(lunCount: 12).snapshot(index)) }
        #expect(bench.state.luns.sortedBy == "p99")
        bench.press(.character("P"))
        #expect(bench.state.luns.sortedBy == "IOPS")
    }

    @Test("what a silent monitor said last is marked and dimmed, and is not judged")
    func stale() throws {
        let bench = bench(LiveFixture(lunCount: 10).history)
        let rows = bench.lines.indices.filter { bench.lines[$0].contains("guest2/vd") }
        #expect(rows.count == 5)
        for row in rows {
            #expect(bench.grid[row, 1].scalar == "~")
            #expect(bench.grid[row, 20].style.isDim)
        }
        let alive = try #require(bench.lines.firstIndex { $0.hasPrefix(">!guest1/vd08") })
        #expect(!bench.grid[alive, 20].style.isDim && bench.grid[alive, 1].scalar == "!")
    }

    @Test("the first line tells silent sources and their age now, halted VMs, and what happened")
    func status() {
        // 0.5 s after the sample.
        var bench = bench(now: 111_500_000_000)
        #expect(bench.lines[0].contains("guest2:qmp ~7.70s stale"))
        #expect(bench.lines[0].contains("proc slowed 2.0s"))
        #expect(bench.lines[0].contains("! 1 not running"))
        #expect(bench.lines[0].contains("# guest2: QMP does not answer (+1)"))
        bench.press(.character(" "))
        #expect(bench.lines[0].contains("guest2:qmp ~7.20s stale"), "paused: as it was")
        bench.press(.left, .left, .left)
        #expect(!bench.lines[0].contains("stale") && !bench.lines[0].contains("QMP does not"))
        let only = self.bench(LiveFixture(lunCount: 3, vmCount: 1).history)
        #expect(only.lines[0].contains("vm guest1  ! paused"))
        var late = SnapshotHistory()
        for index in 0..<24 { late.append(LiveFixture(lunCount: 1).snapshot(index)) }
        #expect(!self.bench(late).lines[0].contains("QMP does not answer"), "after 10 s")
    }

    @Test("a screen of 40 columns still tells what happened")
    func narrow() {
        let bench = bench(columns: 40, rows: 10)
        #expect(bench.lines[0].contains("# guest2: QMP"))
    }

    @Test("the help says how each source is doing, and what to do")
    func sources() {
        var bench = bench(columns: 132, rows: 60)
        bench.press(.function(1))
        #expect(bench.text.contains("ok, age 1.25ms, answers in 1.90ms, every 1.0s"))
        #expect(bench.text.contains("no reply to query-blockstats; look at the VM's main loop"))
        #expect(bench.text.contains("slowed, age 400µs"))
    }

    @Test("the pane shows the way down to the disk, and its share of the latency")
    func pane() throws {
        var bench = bench()
        bench.press(.function(4))
        bench.type("vd07")
        for text in [
            "0000:00:17.0", "throttle limit7", "qcow2 drive7 direct", "/images/disk7.qcow2",
            "iops-total=20000", "group=gold", "INDIRECT_DESC", "nvme1n1 sched=none", "of the LUN's",
        ] {
            #expect(bench.text.contains(text), "\(text)")
        }
    }
}
