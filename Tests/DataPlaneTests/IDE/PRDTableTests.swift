import Testing
import Virtio

@testable import DataPlane

/// PRD tables, right and wrong.
@Suite struct PRDTableTests {
    private func gather(
        _ entries: [(base: UInt64, count: UInt64, isLast: Bool)], sectors: UInt32,
        table: UInt32 = IDEMachine.table, capacity: Int = 64
    ) throws -> (fault: PRDTable.Fault?, segments: [Segment]) {
        let machine = try IDEMachine()
        for (index, entry) in entries.enumerated() {
            HostMemory.storeUnalignedWord(
                entry.base | entry.count << 32 | (entry.isLast ? 1 << 63 : 0),
                at: machine.host(UInt64(table)) + UInt(index * 8))
        }
        var list = SegmentList(capacity: capacity)
        let fault = PRDTable.gather(
            IDERequest(operation: .read, sectorCount: sectors, table: table), in: machine.memory,
            into: &list)
        return (fault, (0..<list.count).map { list[$0] })
    }

    private let buffer = IDEMachine.buffer

    @Test func countsAndEnds() throws {
        let whole = try gather([(buffer, 0, true)], sectors: 128)
        #expect(whole.fault == nil && whole.segments.map(\.byteCount) == [65536])
        // More memory than data: the rest is left alone.
        let long = try gather([(buffer, 1024, false), (buffer, 1024, true)], sectors: 3)
        #expect(long.fault == nil && long.segments.map(\.byteCount) == [1024, 512])
        // Less: by the mark of the last entry.
        #expect(
            try gather([(buffer, 1024, true), (buffer, 1024, true)], sectors: 3).fault == .tooShort)
        // Bit 0 of base and count means nothing.
        let odd = try gather([(buffer | 1, 513, true)], sectors: 1)
        #expect(odd.fault == nil && odd.segments.map(\.byteCount) == [512])
    }

    @Test func outsideMemory() throws {
        #expect(try gather([(0, 512, true)], sectors: 1).fault == .dataOutsideMemory)
        let end = IDEMachine.base + 1 << 20
        #expect(try gather([(end - 256, 512, true)], sectors: 1).fault == .dataOutsideMemory)
        #expect(try gather([(0xFFFF_FFFE, 0, true)], sectors: 1).fault == .dataOutsideMemory)
        #expect(try gather([], sectors: 1, table: 0xFFFF_FFF8).fault == .tableOutsideMemory)
        #expect(try gather([], sectors: 1, table: UInt32(end) - 4).fault == .tooShort)
        let many = Array(repeating: (base: buffer, count: UInt64(2), isLast: false), count: 300)
        #expect(try gather(many, sectors: 1).fault == .dataOutsideMemory)
        #expect(try gather(many, sectors: 1, capacity: 256).fault == nil)
    }

    /// No entry is the last: the walk ends with the 64 KiB that hold the table.
    @Test func withoutAnEnd() throws {
        let entries = Array(repeating: (base: buffer, count: UInt64(2), isLast: false), count: 4)
        #expect(
            try gather(entries, sectors: 1, table: IDEMachine.table + 0xFFE0).fault == .tooShort)
    }

    @Test func whatADriverWrites() throws {
        let machine = try IDEMachine()
        let start = machine.host(IDEMachine.base)
        var writer = PRDTable.Writer(at: start, capacity: 3)
        // Across two boundaries of 64 KiB, the middle piece being all of its 64 KiB.
        let address = GuestAddress(rawValue: 0x12_FF00)
        #expect(writer.append(address, byteCount: 0x1_0200) == true)
        writer.finish()
        let entries = (0..<3).map { HostMemory.loadUnalignedWord(at: start + UInt($0 * 8)) }
        let expected: [UInt64] = [
            0x12_FF00 | 0x100 << 32, 0x13_0000, 0x14_0000 | 0x100 << 32 | 1 << 63,
        ]
        #expect(entries == expected)
        let isFull = !writer.append(address, byteCount: 2)
        #expect(isFull)
        var beyond = PRDTable.Writer(at: start, capacity: 3)
        let far = beyond.append(GuestAddress(rawValue: 1 << 32), byteCount: 2)
        let across = beyond.append(GuestAddress(rawValue: 1 << 32 - 2), byteCount: 4)
        let last = beyond.append(GuestAddress(rawValue: 1 << 32 - 2), byteCount: 2)
        #expect(!far && !across && last)
    }
}
