/// A command descriptor block, copied out of guest memory: 32 bytes (VIRTIO_SCSI_CDB_DEFAULT_SIZE),
/// of which a command uses the first 6, 10, 12 or 16. Fields are big-endian.
@frozen
public struct SCSICommandBlock: Sendable, BitwiseCopyable {
    @usableFromInline var bytes: InlineArray<32, UInt8>

    /// The command whose first bytes are `bytes`, at most 32; zeroes follow.
    public init(_ bytes: [UInt8] = []) {
        precondition(bytes.count <= 32)
        self.bytes = InlineArray { $0 < bytes.count ? bytes[$0] : 0 }
    }

    /// Byte `index`, in `0..<32`.
    @inlinable
    public subscript(index: Int) -> UInt8 {
        get { bytes[index] }
        set { bytes[index] = newValue }
    }

    /// The operation code.
    @inlinable public var operation: UInt8 { bytes[0] }

    /// The field of `byteCount` bytes, 1…8, at byte `start`.
    @inlinable
    @inline(__always)
    func field(_ start: Int, _ byteCount: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in start..<start &+ byteCount { value = value &<< 8 | UInt64(bytes[index]) }
        return value
    }

    /// Sets the field of `byteCount` bytes, 1…8, at byte `start`; bits beyond it are left out.
    @inlinable
    @inline(__always)
    mutating func setField(_ start: Int, _ byteCount: Int, to value: UInt64) {
        for index in 0..<byteCount {
            let shift = UInt64(8 &* (byteCount &- 1 &- index))
            bytes[start &+ index] = UInt8(truncatingIfNeeded: value &>> shift)
        }
    }
}

// The commands a driver composes.

extension SCSICommandBlock {
    /// READ or WRITE of `blockCount` blocks from `lba` on; `isForced` sets FUA. As Linux's sd does,
    /// of 10 bytes where the numbers fit, else of 16.
    @inlinable
    public static func transfer(
        isWrite: Bool, lba: UInt64, blockCount: UInt32, isForced: Bool = false
    ) -> SCSICommandBlock {
        var block = SCSICommandBlock.empty
        if lba <= UInt64(UInt32.max), blockCount <= 0xFFFF {
            block[0] = isWrite ? SCSIOperation.write10 : SCSIOperation.read10
            block.setField(2, 4, to: lba)
            block.setField(7, 2, to: UInt64(blockCount))
        } else {
            block[0] = isWrite ? SCSIOperation.write16 : SCSIOperation.read16
            block.setField(2, 8, to: lba)
            block.setField(10, 4, to: UInt64(blockCount))
        }
        if isForced { block[1] = SCSICommandBlock.forceUnitAccess }
        return block
    }

    /// SYNCHRONIZE CACHE(10) of the whole disk.
    @inlinable
    public static func synchronizeCache() -> SCSICommandBlock {
        var block = SCSICommandBlock.empty
        block[0] = SCSIOperation.synchronizeCache10
        return block
    }

    /// UNMAP with a parameter list of one range (`SCSIDriver.storeUnmapParameters`).
    @inlinable
    public static func unmap() -> SCSICommandBlock {
        var block = SCSICommandBlock.empty
        block[0] = SCSIOperation.unmap
        block.setField(7, 2, to: UInt64(SCSIDriver.unmapParameterBytes))
        return block
    }

    /// WRITE SAME(16) of `blockCount` blocks from `lba` on, which may give the space back.
    @inlinable
    public static func writeSame(
        lba: UInt64, blockCount: UInt32, unmaps: Bool
    ) -> SCSICommandBlock {
        var block = SCSICommandBlock.empty
        block[0] = SCSIOperation.writeSame16
        block[1] = unmaps ? 8 : 0
        block.setField(2, 8, to: lba)
        block.setField(10, 4, to: UInt64(blockCount))
        return block
    }

    /// A command of zeroes, which is TEST UNIT READY.
    @inlinable
    static var empty: SCSICommandBlock { SCSICommandBlock(bytes: InlineArray(repeating: 0)) }

    @inlinable
    init(bytes: InlineArray<32, UInt8>) { self.bytes = bytes }

    /// The FUA bit of byte 1: done means on the medium.
    @inlinable static var forceUnitAccess: UInt8 { 8 }
}
