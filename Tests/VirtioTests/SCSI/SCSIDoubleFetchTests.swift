import Synchronization
import Testing
import Virtio

/// A driver that changes a header while the device looks at it: what comes out is right for one of
/// the two, and on the disk.
struct SCSIDoubleFetchTests {
    private final class Shared: @unchecked Sendable {
        let rig: SCSIRig
        let isOver = Atomic<Bool>(false)
        var served: [Served] = []
        init(_ rig: SCSIRig) { self.rig = rig }
    }

    /// Serves reads of one block at 9 again and again while `offset` of the header is now `value`
    /// and now what it was.
    private func outcomes(byte offset: UInt64, between value: UInt8) throws -> [Served] {
        let shared = Shared(try SCSIRig())
        let memory = shared.rig.memory
        shared.rig.layOut(
            SCSISending(command: [0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], dataInBytes: 512))
        let usual = memory.load(UInt8.self, at: SCSIRig.header + offset)
        atTheSameTime({
            for _ in 0..<10_000 {
                let served = shared.rig.serve([
                    .out(51, at: SCSIRig.header), .into(108, at: SCSIRig.response),
                    .into(512, at: 0x1_A000),
                ])
                if !shared.served.contains(served) { shared.served.append(served) }
            }
            shared.isOver.store(true, ordering: .releasing)
        }) {
            var isOther = false
            while !shared.isOver.load(ordering: .acquiring) {
                isOther.toggle()
                memory.store(isOther ? value : usual, at: SCSIRig.header + offset)
            }
        }
        return shared.served
    }

    /// The top byte of the LBA; the count; the operation (WRITE without data); the unit.
    @Test(arguments: [
        (21, 0xFF, SCSIResponse.check(.lbaOutOfRange, residual: 512)),
        (27, 0xFF, .check(.invalidFieldInCDB, residual: 512)),
        (19, 0x2A, .transport(SCSIResponseCode.overrun, residual: 512)),
        (3, 0xFF, .check(.logicalUnitNotSupported, residual: 512)),
    ])
    func headerChanges(_ offset: UInt64, _ value: UInt8, _ refusal: SCSIResponse) throws {
        for served in try outcomes(byte: offset, between: value) {
            guard let request = served.request else {
                #expect(served.response == refusal)
                continue
            }
            #expect(request.block.sector == 9 && request.block.byteCount == 512)
            #expect(request.unit == 0 && request.block.operation == .read)
        }
    }
}
