import Testing
import Virtio

/// What a driver composes is what a target executes.
struct SCSIDriverTests {
    private let addresses: [(lba: UInt64, count: UInt32, operation: UInt8)] = [
        (0, 1, 0x28), (0xFFFF_FFFF, 1, 0x28), (0x1_0000_0000, 1, 0x88), (5, 0x1_0000, 0x88),
        (77, 0xFFFF, 0x28),
    ]

    @Test func transfersOfTenBytesWhereTheyFit() {
        for (lba, count, operation) in addresses {
            let read = SCSICommandBlock.transfer(isWrite: false, lba: lba, blockCount: count)
            #expect(read.operation == operation)
            let write = SCSICommandBlock.transfer(
                isWrite: true, lba: lba, blockCount: count, isForced: true)
            #expect(write.operation == operation + 2 && write[1] == 8)
        }
        let read = SCSICommandBlock.transfer(isWrite: false, lba: 0x1234_5678, blockCount: 0x9A)
        #expect((0..<10).map { read[$0] } == [0x28, 0, 0x12, 0x34, 0x56, 0x78, 0, 0, 0x9A, 0])
    }

    private func served(_ command: SCSICommandBlock, out: [UInt8] = [], into: Int = 0) throws
        -> SCSIRequest?
    {
        let rig = try SCSIRig()
        return rig.serve(
            SCSISending(
                command: (0..<32).map { command[$0] }, unit: 2, dataOut: out, dataInBytes: into)
        ).request
    }

    @Test func roundTrips() throws {
        let read = try served(
            .transfer(isWrite: false, lba: 1 << 32, blockCount: 1), into: 4096)
        #expect(read?.unit == 2 && read?.block.sector == 8 << 32)
        let flush = try served(.synchronizeCache())
        #expect(flush?.block.operation == .flush)
        let zeroes = Array(repeating: UInt8(0), count: 4096)
        let same = try served(.writeSame(lba: 3, blockCount: 2, unmaps: true), out: zeroes)
        #expect(same?.block.operation == .writeZeroesUnmapping && same?.block.byteCount == 8192)
        let memory = try TestMemory()
        SCSIDriver.storeUnmapParameters(
            lba: 0x1_0000_0000, blockCount: 1, at: memory.host(ScriptedDriver.data))
        let parameters = (0..<24).map {
            memory.load(UInt8.self, at: ScriptedDriver.data + UInt64($0))
        }
        let unmap = try served(.unmap(), out: parameters)
        #expect(unmap?.block.operation == .discard && unmap?.block.sector == 8 << 32)
        #expect(unmap?.block.byteCount == 4096)
    }

    /// The header as virtio 1.2 §5.6.6.1 lays it out.
    @Test func header() throws {
        let memory = try TestMemory()
        SCSIDriver.storeHeader(
            unit: 0x1234, tag: 0x0807_0605_0403_0201, SCSICommandBlock([0xAB, 0xCD]),
            at: memory.host(ScriptedDriver.header))
        let bytes = (0..<51).map {
            memory.load(UInt8.self, at: ScriptedDriver.header + UInt64($0))
        }
        #expect(
            bytes == [1, 0, 0x52, 0x34, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0xAB, 0xCD]
                + Array(repeating: 0, count: 30))
    }
}
