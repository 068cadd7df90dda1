/// A disk behind a virtio-scsi controller, as its target sees it.
@frozen
public struct SCSIUnit: Sendable, BitwiseCopyable {
    /// Blocks of the disk, at least 1.
    public let blockCount: UInt64
    /// Bytes of a logical block, a power of two from 512 on.
    public let blockSize: Int
    public let isReadOnly: Bool
    /// Blocks of the longest READ or WRITE, and of the longest UNMAP or WRITE SAME.
    @usableFromInline let transferLimit: UInt64
    @usableFromInline let clearLimit: UInt64
    /// Whether completed writes may be lost with the power until SYNCHRONIZE CACHE: the WCE bit of
    /// the caching page, from which a guest learns that it must flush.
    public let hasVolatileCache: Bool
    @usableFromInline let serial: InlineArray<20, UInt8>
    @usableFromInline let serialCount: Int

    /// The disk of these limits, which must be a block at least; of its serial the first 20 bytes.
    public init(_ limits: BlockLimits, hasVolatileCache: Bool) {
        let perBlock = UInt64(limits.blockSize / 512)
        precondition(limits.sectors >= perBlock, "a disk of less than a block")
        blockCount = limits.sectors / perBlock
        blockSize = limits.blockSize
        isReadOnly = limits.isReadOnly
        transferLimit = min(limits.maximumTransfer / UInt64(blockSize), UInt64(UInt32.max))
        clearLimit = UInt64(limits.maximumDiscardSectors) / perBlock
        self.hasVolatileCache = hasVolatileCache
        let bytes = Array(limits.serial.utf8.prefix(20))
        serial = InlineArray { $0 < bytes.count ? bytes[$0] : 0x20 }
        serialCount = bytes.count
    }

    /// 512-byte sectors of a block.
    @inlinable
    var sectorsPerBlock: UInt64 { UInt64(blockSize) / 512 }

    /// Whether `count` blocks from `lba` on are on the disk; with a count of 0, whether `lba` is.
    @inlinable
    func holds(_ lba: UInt64, _ count: UInt64) -> Bool {
        lba < blockCount && count <= blockCount &- lba
    }
}
