import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Flags")
struct FlagTests {
    /// The live fixture with one VM, and what a doctor says of it.
    static func history(vmCount: Int = 1, isHostile: Bool = false) -> SnapshotHistory {
        var history = LiveFixture(lunCount: 9, vmCount: vmCount).history
        guard var sample = history.latest else { return history }
        let text = isHostile ? "\u{1B}[2J\u{202E}long " : ""
        let lun = vmCount > 1 ? "guest1/vd03" : "vd03"
        var findings = [
            finding("cache-unsafe", .critical, "lun:" + lun, text + "flushes dropped"),
            finding("iothread-saturated", .warning, "iothread:io0", text + "CPU-bound"),
            finding("dataplane-off", .advice, "lun:" + lun, text + "served by the main loop"),
            finding("nested-virtualization", .info, "vm", text + "the host is a VM itself"),
        ]
        findings[2].cause = "iothread-saturated"
        var gone = finding("flush-storm", .warning, "lun:vd01", text + "too many flushes")
        gone.cleared = sample.monotonic - 40_000_000_000
        sample.sequence += 1
        sample.findings = findings
        sample.clearedFindings = [gone]
        history.append(sample)
        return history
    }

    private static func finding(
        _ rule: String, _ severity: Finding.Severity, _ scope: String, _ title: String
    ) -> Finding {
        var finding = Finding(
            rule: rule, severity: severity, scope: scope, title: title,
            evidence: "cache.no-flush is true on node drive3, and the LUN is written to",
            fix: "-drive …,cache=none")
        finding.sources = ["query-block vd03 cache.no-flush"]
        finding.effect =
            "A crash of the host corrupts the guest's data: what the guest flushed may never have "
            + "reached the disk, which is also why it is so fast."
        finding.remedy = Remedy(
            qemu: "-drive …,cache=none", libvirt: "<driver cache='none'/>",
            verify: "query-block says no-flush: false")
        finding.since = 20_000_000_000
        return finding
    }

    @Test("the list and a page at every size", arguments: GoldenTests.sizes)
    func frames(size: Size) throws {
        var bench = Bench(Self.history(), size: size)
        bench.press(.character("9"))
        try Golden.check(
            bench.grid, "flags-\(size.columns)x\(size.rows)", styles: size.columns == 80)
        bench.press(.enter)
        try Golden.check(
            bench.grid, "flag-\(size.columns)x\(size.rows)", styles: size.columns == 80)
        bench.press(.escape, .character("1"))
        try Golden.check(bench.grid, "flagged-luns-\(size.columns)x\(size.rows)")
    }

    @Test("several VMs and hostile texts")
    func hostile() throws {
        var bench = Bench(
            Self.history(vmCount: 2, isHostile: true), size: Size(columns: 200, rows: 50))
        bench.press(.character("!"))
        try Golden.check(bench.grid, "hostile-flags-200x50")
    }

    @Test("nothing flagged says so")
    func nothing() {
        var bench = Bench(Fixture.standard, size: Size(columns: 80, rows: 24))
        bench.press(.character("9"))
        #expect(bench.text.contains("nothing is flagged"))
        bench.press(.enter, .character("y"))
        #expect(bench.text.contains("nothing is flagged"))
    }

    @Test("the first line counts what stands for itself, but for context")
    func counts() {
        let bench = Bench(Self.history(), size: Size(columns: 200, rows: 50))
        #expect(bench.lines[0].contains("#1  !1"))
        #expect(!bench.lines[0].contains(".1"))
    }

    @Test("the worst is first, consequences after their causes, what cleared last")
    func order() throws {
        var bench = Bench(Self.history(), size: Size(columns: 200, rows: 50))
        bench.press(.character("9"))
        let rows = FlagRow.rows(of: try #require(bench.history.shown))
        let shown = bench.state.table.visible.map { rows[$0].finding.rule }
        #expect(
            shown == [
                "cache-unsafe", "iothread-saturated", "dataplane-off", "nested-virtualization",
                "flush-storm",
            ])
    }

    @Test("a opens the selected LUN's worst flag, Escape goes back")
    func ofALUN() {
        var bench = Bench(Self.history(), size: Size(columns: 132, rows: 43))
        bench.press(.character("/"))
        bench.type("vd03")
        bench.press(.character("a"))
        #expect(bench.state.screen == .finding)
        #expect(bench.text.contains("flushes dropped"))
        bench.press(.escape)
        #expect(bench.state.screen == .luns)
        bench.press(.character("/"))
        bench.type("vd05")
        bench.press(.function(9))
        #expect(bench.state.screen == .luns)
        #expect(bench.state.message == "nothing is flagged on vd05")
    }

    @Test("y copies the fix, on the list and on a page")
    func copying() {
        var bench = Bench(Self.history(), size: Size(columns: 132, rows: 43))
        bench.press(.character("9"))
        #expect(bench.press(.character("y")) == .copy("-drive …,cache=none"))
        bench.press(.enter)
        #expect(bench.press(.character("y")) == .copy("-drive …,cache=none"))
        #expect(bench.state.message?.contains("copied") == true)
    }

    @Test("a flag that clears while it is open stays open")
    func clearing() throws {
        var bench = Bench(Self.history(), size: Size(columns: 132, rows: 43))
        bench.press(.character("9"), .enter)
        var sample = try #require(bench.history.latest)
        var gone = sample.findings.removeFirst()
        sample.sequence += 1
        sample.monotonic += 1_000_000_000
        gone.cleared = sample.monotonic
        sample.clearedFindings.append(gone)
        bench.arrive(sample)
        #expect(bench.text.contains("cleared 00:00 ago"))
        sample.clearedFindings = []
        sample.sequence += 1
        bench.arrive(sample)
        #expect(bench.text.contains("this flag is no more"))
    }

    @Test("a page scrolls no further than its end")
    func scrolling() {
        var bench = Bench(Self.history(), size: Size(columns: 40, rows: 10))
        bench.press(.character("9"), .enter, .end)
        #expect(bench.text.contains("verify"))
        bench.press(.pageDown, .down)
        #expect(bench.text.contains("verify"))
        bench.press(.home)
        #expect(bench.text.contains("flushes dropped"))
    }

    @Test("locked to a LUN, only its flags are listed")
    func locked() {
        var bench = Bench(Self.history(), size: Size(columns: 132, rows: 43))
        bench.press(.character("/"))
        bench.type("vd03")
        bench.press(.character("l"), .character("9"))
        #expect(bench.text.contains("cache-unsafe"))
        #expect(!bench.text.contains("flush-storm"))
    }
}
