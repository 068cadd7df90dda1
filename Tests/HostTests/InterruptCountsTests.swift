import Host
import SystemPackage
import Telemetry
import Testing

private let second: Nanoseconds = 1_000_000_000

@Suite struct InterruptCountsTests {
    private let proc = FakeProc()

    init() { proc["/proc/softirqs"] = "CPU0 CPU1\n HI: 0 0\n" }

    private func setInterrupts(_ lines: String, cpus: String = "CPU0 CPU1") {
        proc["/proc/interrupts"] = "           \(cpus)\n" + lines
    }

    @Test func ratesOfAllLinesThatCounted() {
        var counts = InterruptCounts(open: proc.opener)
        setInterrupts(
            """
             36:  100  7  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0, virtio1-req.1
             37:    5  5  IO-APIC   5-edge      idle
            LOC: 1000 2000   Local timer interrupts
            ERR:    3

            """)
        proc["/proc/softirqs"] = "CPU0 CPU1 CPU2\n BLOCK: 10 20 0\n HI: 1 1 0\n"
        #expect(counts.sample { second }.isEmpty)
        setInterrupts(
            """
             36:  146  7  PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0, virtio1-req.1
             37:    5  5  IO-APIC   5-edge      idle
            LOC: 2000 3000   Local timer interrupts
            ERR:    5

            """)
        proc["/proc/softirqs"] = "CPU0 CPU1 CPU2\n BLOCK: 20 40 0\n HI: 1 1 0\n"
        let found = counts.sample { 3 * second }
        #expect(found.map(\.name) == ["LOC", "36", "ERR", "BLOCK"])
        #expect(found.map(\.rate) == [1000, 23, 1, 15])
        #expect(found.map(\.perCPU) == [[500, 500], [23, 0], [], [5, 10]])
        #expect(found.map(\.kind) == [.interrupt, .interrupt, .interrupt, .softirq])
        #expect(
            found.map(\.detail)
                == ["Local timer interrupts", "virtio1-req.0, virtio1-req.1", nil, nil])
        #expect(found.map(\.source).suffix(2) == ["/proc/interrupts", "/proc/softirqs"])
        #expect(counts.unavailable.isEmpty)
        #expect(proc.openCount("/proc/interrupts") == 1)
    }

    @Test func onlyTheBusiest() {
        var counts = InterruptCounts(open: proc.opener)
        let lines = { (step: Int) in
            (1...40).map { "\($0): \($0 * step) 0  chip  dev\($0)\n" }.joined()
        }
        setInterrupts(lines(1))
        _ = counts.sample { second }
        setInterrupts(lines(2))
        let found = counts.sample { 2 * second }
        #expect(found.map(\.name) == (9...40).reversed().map { "\($0)" })
        #expect(found.last?.rate == 9)
    }

    /// A line keeps its counts when others come and go around it; a new device at an old number is
    /// a new line.
    @Test func linesComeAndGo() {
        var counts = InterruptCounts(open: proc.opener)
        setInterrupts("1: 10 0  chip  old\n2: 10 0  chip  gone\n3: 10 0  chip  stays\n")
        _ = counts.sample { second }
        setInterrupts("1: 99 0  chip  new\n3: 33 0  chip  stays\n4: 5 5  chip  came\n")
        let found = counts.sample { 2 * second }
        #expect(found.map(\.name) == ["3"])
        #expect(found.map(\.rate) == [23])
        setInterrupts("1: 122 0  chip  new\n3: 33 0  chip  stays\n4: 5 5  chip  came\n")
        #expect(counts.sample { 3 * second }.map(\.rate) == [23])
    }

    @Test func aLineThatWentDownAndCPUsThatCameHaveNoRate() {
        var counts = InterruptCounts(open: proc.opener)
        setInterrupts("1: 10 10  chip  a\n2: 10 10  chip  b\n")
        _ = counts.sample { second }
        setInterrupts("1: 500 5  chip  a\n2: 33 10  chip  b\n")
        #expect(counts.sample { 2 * second }.map(\.name) == ["2"])
        setInterrupts("1: 600 6 0  chip  a\n2: 66 20 0  chip  b\n", cpus: "CPU0 CPU1 CPU2")
        #expect(counts.sample { 3 * second }.isEmpty)
        setInterrupts("1: 600 6 0  chip  a\n2: 66 20 23  chip  b\n", cpus: "CPU0 CPU1 CPU2")
        #expect(counts.sample { 4 * second }.map(\.perCPU) == [[0, 0, 23]])
    }

    @Test func aReadingThatFailedIsExplainedAndStartsAnew() {
        var counts = InterruptCounts(open: proc.opener)
        setInterrupts("1: 10 0  chip  a\n")
        _ = counts.sample { second }
        proc["/proc/interrupts"] = "CPU0 CPU1\n1: 20"
        #expect(counts.sample { 2 * second }.isEmpty)
        #expect(counts.unavailable.map(\.metric) == ["event_counts"])
        setInterrupts("1: 20 0  chip  a\n")
        #expect(counts.sample { 3 * second }.isEmpty)
        #expect(counts.unavailable.isEmpty)
        setInterrupts("1: 43 0  chip  a\n")
        #expect(counts.sample { 4 * second }.map(\.rate) == [23])
        proc["/proc/interrupts"] = nil
        #expect(counts.sample { 5 * second }.isEmpty)
        setInterrupts("1: 66 0  chip  a\n")
        #expect(counts.sample { 6 * second }.isEmpty)
        proc.refuse("/proc/interrupts", .permissionDenied)
        var refused = InterruptCounts(open: proc.opener)
        #expect(refused.sample { second }.isEmpty)
        #expect(refused.unavailable.first?.remedy == "as told")
    }
}
