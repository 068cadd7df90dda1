import ProcFS
import Testing

@Suite struct EventTableTests {
    /// Captured on Linux 6.18, x86-64, and shortened.
    private static let interrupts = """
                   CPU0       CPU2
         26:          0         14  IO-APIC   4-edge      ttyS0
         36:          7     224828 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
        LOC:     309846     309486   Local timer interrupts
        ERR:          5

        """
    private static let softirqs = """
                            CPU0       CPU1
                  HI:          0          0
              NET_RX:       1236       1684

        """

    private func read(_ text: String, file: String = "interrupts") throws -> EventTable {
        var table = EventTable(file: file)
        let bytes = Array(text.utf8)
        try table.read(bytes.span)
        return table
    }

    @Test func interrupts() throws {
        let table = try read(Self.interrupts)
        #expect(table.cpus == [0, 2])
        #expect(table.counts == [0, 14, 7, 224_828, 309_846, 309_486, 5, 0])
        #expect((0..<table.lineCount).map(table.name) == ["26", "36", "LOC", "ERR"])
        #expect((0..<table.lineCount).map(table.isPerCPU) == [true, true, true, false])
        #expect(table.detail(1) == "PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0")
        #expect(table.detail(2) == "Local timer interrupts")
        #expect(table.detail(3).isEmpty)
    }

    @Test func softirqs() throws {
        let table = try read(Self.softirqs, file: "softirqs")
        #expect((0..<table.lineCount).map(table.name) == ["HI", "NET_RX"])
        #expect(table.counts == [0, 0, 1236, 1684])
    }

    @Test func theLayoutIsTheSameUntilALineOrACPUChanges() throws {
        let table = try read(Self.interrupts)
        let counted = Self.interrupts.split(separator: "14").joined(separator: "99")
        #expect(table.hasSameLayout(as: try read(counted)))
        for (old, new) in [("ttyS0", "ttyS1"), ("CPU2", "CPU3"), ("26:", "27:")] {
            let other = Self.interrupts.split(separator: old).joined(separator: new)
            #expect(!table.hasSameLayout(as: try read(other)), "\(old) became \(new)")
        }
        // The same bytes, with the border between name and rest elsewhere.
        let one = try read("CPU0\nab: 1 c\n")
        #expect(!one.hasSameLayout(as: try read("CPU0\na: 1 bc\n")))
    }

    @Test(arguments: [
        ("", "CPU"), ("\n", "CPU"), ("CPU0", "CPU"), ("CPU\n1: 1\n", "CPU"), ("CPUx\n", "CPU"),
        ("0\n1: 1\n", "CPU"), ("CPU0\n\n", "name"), ("CPU0\n: 1\n", "name"),
        ("CPU0\n24 1\n", "name"), ("CPU0\n24: x\n", "count"), ("CPU0\n24: 1 ttyS0", "newline"),
        ("CPU0\n24: 1", "count"), ("CPU0\n24: 99999999999999999999 a\n", "count"),
    ])
    func badTextsNameTheFieldAndLeaveNothing(text: String, field: String) {
        var table = EventTable(file: "interrupts")
        let bytes = Array(text.utf8)
        do throws(ProcFSError) {
            try table.read(bytes.span)
            Issue.record("taken: \(text)")
        } catch {
            #expect(error == ProcFSError(file: "interrupts", field: field))
        }
        #expect(table.lineCount == 0)
        #expect(table.counts.isEmpty)
    }

    @Test func aDevicesNameCannotSendAnEscapeSequence() throws {
        #expect(try read("CPU0\n1: 1 a\u{1B}[2J\n").detail(0) == "a\u{FFFD}[2J")
    }
}
