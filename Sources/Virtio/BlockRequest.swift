public import CKernel

/// virtio-blk request types (virtio 1.2 §5.2.6).
public enum BlockRequestType {
    @inlinable public static var read: UInt32 { 0 }
    @inlinable public static var write: UInt32 { 1 }
    @inlinable public static var flush: UInt32 { 4 }
    @inlinable public static var getID: UInt32 { 8 }
    @inlinable public static var discard: UInt32 { 11 }
    @inlinable public static var writeZeroes: UInt32 { 13 }
    /// Legacy drivers may set this bit; it means nothing any more.
    @inlinable public static var barrier: UInt32 { 0x8000_0000 }
}

/// virtio-blk status bytes (virtio 1.2 §5.2.6).
public enum BlockStatus {
    @inlinable public static var ok: UInt8 { 0 }
    @inlinable public static var ioError: UInt8 { 1 }
    @inlinable public static var unsupported: UInt8 { 2 }
}

/// What a virtio-blk device accepts (virtio 1.2 §5.2.4, as far as requests depend on it).
public struct BlockLimits: Sendable {
    /// Capacity in 512-byte sectors.
    public var sectors: UInt64
    public var isReadOnly: Bool
    /// Data bytes must be a multiple of this power of two, at least 512.
    public var blockSize: Int
    /// The longest data transfer, bytes.
    public var maximumTransfer: UInt64
    /// The most sectors one DISCARD or WRITE ZEROES may name.
    public var maximumDiscardSectors: UInt32
    /// The serial that GET_ID returns, at most 20 bytes.
    public var serial: String

    /// Limits of a disk of `sectors` sectors.
    public init(
        sectors: UInt64, isReadOnly: Bool = false, blockSize: Int = 512,
        maximumTransfer: UInt64 = 1 << 25, maximumDiscardSectors: UInt32 = 1 << 22,
        serial: String = ""
    ) {
        precondition(blockSize >= 512 && blockSize & (blockSize - 1) == 0)
        self.sectors = sectors
        self.isReadOnly = isReadOnly
        self.blockSize = blockSize
        self.maximumTransfer = maximumTransfer
        self.maximumDiscardSectors = maximumDiscardSectors
        self.serial = serial
    }
}

/// A virtio-blk request, taken apart and checked.
@frozen
public struct BlockRequest: Sendable, BitwiseCopyable {
    /// What is to be done.
    public enum Operation: UInt8, Sendable, BitwiseCopyable {
        case read, write, flush, getID, discard, writeZeroes
        /// WRITE ZEROES that may give the space back.
        case writeZeroesUnmapping
    }
    public var operation: Operation
    /// First 512-byte sector; the range is inside the disk.
    public var sector: UInt64
    /// Bytes to move, or to discard or zero.
    public var byteCount: UInt64
    /// The data's segments in the list it was parsed from.
    public var firstSegment: Int
    public var segmentCount: Int
    /// Where the status byte goes.
    public var statusAddress: UInt
}

/// What a chain turned out to be.
public enum ParsedRequest: Sendable {
    /// Execute it.
    case execute(BlockRequest)
    /// Answer `status` at `statusAddress` and give the chain back with length 1 (outcome STATUS).
    case answer(status: UInt8, statusAddress: UInt)
    /// There is no valid header or status byte: give the chain back with length 0 (outcome RETURN).
    case malformed
}

extension BlockLimits {
    /// Takes the request in `list` apart. Framing is free (§2.7.4.1): the header is the first 16
    /// bytes the device reads, the status the last byte it writes, however they are cut into
    /// descriptors. Where data begin or end inside a segment, the segment in `list` is narrowed to
    /// them.
    @inlinable
    @inline(__always)
    public func parse(_ list: borrowing SegmentList) -> ParsedRequest {
        guard list.readableBytes >= 16, list.writableBytes >= 1 else { return .malformed }
        let last = list[list.count &- 1]
        let statusAddress = last.address &+ last.byteCount &- 1
        var header = ck_block_header()
        var firstData = 1
        if list[0].byteCount == 16 {
            header = ck_load_block_header(list[0].address)
        } else {
            (header, firstData) = list.segments.gatherHeader(readableCount: list.readableCount)
        }
        let type = header.type & ~BlockRequestType.barrier
        switch type {
        case BlockRequestType.read, BlockRequestType.write:
            return transfer(
                header, type, list, firstData: firstData, statusAddress: statusAddress)
        case BlockRequestType.flush:
            return .execute(
                BlockRequest(.flush, sector: 0, byteCount: 0, statusAddress: statusAddress))
        case BlockRequestType.getID:
            let count = list.narrowWritable()
            return .execute(
                BlockRequest(
                    .getID, sector: 0, byteCount: min(20, list.writableBytes - 1),
                    firstSegment: list.readableCount, segmentCount: count,
                    statusAddress: statusAddress))
        case BlockRequestType.discard, BlockRequestType.writeZeroes:
            return clear(
                isDiscard: type == BlockRequestType.discard,
                list.readableBytes == 32
                    ? list.segments.gather(from: firstData, readableCount: list.readableCount)
                    : nil,
                statusAddress: statusAddress)
        default:
            return .answer(status: BlockStatus.unsupported, statusAddress: statusAddress)
        }
    }

    @inlinable
    func transfer(
        _ header: ck_block_header, _ type: UInt32, _ list: borrowing SegmentList,
        firstData: Int, statusAddress: UInt
    ) -> ParsedRequest {
        let isRead = type == BlockRequestType.read
        let byteCount = isRead ? list.writableBytes &- 1 : list.readableBytes &- 16
        let sectorCount = byteCount / 512
        guard byteCount > 0, byteCount & UInt64(blockSize &- 1) == 0,
            byteCount <= maximumTransfer, header.sector <= sectors,
            sectorCount <= sectors &- header.sector, isRead || !isReadOnly,
            // A read whose data are readable, or a write whose data are writable, moves no byte.
            isRead ? list.readableBytes == 16 : list.writableBytes == 1
        else { return .answer(status: BlockStatus.ioError, statusAddress: statusAddress) }
        let first = isRead ? list.readableCount : firstData
        let count = isRead ? list.narrowWritable() : list.readableCount &- firstData
        return .execute(
            BlockRequest(
                isRead ? .read : .write, sector: header.sector, byteCount: byteCount,
                firstSegment: first, segmentCount: count, statusAddress: statusAddress))
    }

    /// DISCARD and WRITE ZEROES (§5.2.6.2): one segment of 16 bytes names the range; nil if there
    /// is none, or more.
    @inlinable
    @inline(__always)
    func clear(
        isDiscard: Bool, _ segment: ck_block_header?, statusAddress: UInt
    ) -> ParsedRequest {
        let refusal = ParsedRequest.answer(
            status: BlockStatus.ioError, statusAddress: statusAddress)
        guard !isReadOnly, let payload = segment else { return refusal }
        let sector = UInt64(payload.type) | UInt64(payload.reserved) << 32
        let count = UInt32(truncatingIfNeeded: payload.sector)
        let flags = UInt32(truncatingIfNeeded: payload.sector >> 32)
        let unmap: UInt32 = 1
        guard flags & ~unmap == 0, !(isDiscard && flags & unmap != 0) else {
            return .answer(status: BlockStatus.unsupported, statusAddress: statusAddress)
        }
        guard count > 0, count <= maximumDiscardSectors, sector <= sectors,
            UInt64(count) <= sectors - sector
        else { return refusal }
        let operation: BlockRequest.Operation =
            isDiscard ? .discard : flags & unmap != 0 ? .writeZeroesUnmapping : .writeZeroes
        return .execute(
            BlockRequest(
                operation, sector: sector, byteCount: UInt64(count) * 512,
                statusAddress: statusAddress))
    }
}

extension BlockRequest {
    /// A request that asks for nothing, to fill tables with.
    public static let none = BlockRequest(.flush, sector: 0, byteCount: 0, statusAddress: 0)

    /// A request from another front end than virtio-blk. Whoever makes one has checked what
    /// `BlockLimits.parse` checks: the range is inside the disk and the data are in the segments.
    /// `statusAddress` is 0 where the outcome is told by other means.
    @inlinable
    public init(
        _ operation: Operation, sector: UInt64, byteCount: UInt64, firstSegment: Int = 0,
        segmentCount: Int = 0, statusAddress: UInt = 0
    ) {
        self.operation = operation
        self.sector = sector
        self.byteCount = byteCount
        self.firstSegment = firstSegment
        self.segmentCount = segmentCount
        self.statusAddress = statusAddress
    }
}

// What is rarely needed takes the segments, not their list: a list whose address is taken would
// have to be copied to the stack for every request.
extension FixedArray<Segment> {
    /// The header when it is not a segment of its own, and the first segment of data after it. The
    /// segment in which the header ends is narrowed to the data behind it.
    @usableFromInline
    func gatherHeader(readableCount: Int) -> (ck_block_header, firstData: Int) {
        let header = gather(from: 0, readableCount: readableCount)
        var remaining: UInt = 16
        var index = 0
        while index < readableCount, self[index].byteCount <= remaining {
            remaining -= self[index].byteCount
            index += 1
        }
        if remaining > 0 {
            self[index].address += remaining
            self[index].byteCount -= remaining
        }
        return (header, index)
    }

    /// The 16 readable bytes from segment `first` on, copied once each; fewer are followed by
    /// zeroes.
    @usableFromInline
    func gather(from first: Int, readableCount: Int) -> ck_block_header {
        var header = ck_block_header()
        // SAFETY: at most the 16 bytes of `header` are written, from segments that were translated.
        unsafe withUnsafeMutablePointer(to: &header) { header in
            let to = UInt(bitPattern: header)
            var filled: UInt = 0
            var index = first
            while filled < 16, index < readableCount {
                let segment = self[index]
                let count = min(segment.byteCount, 16 - filled)
                ck_copy_once(to + filled, segment.address, Int(count))
                filled += count
                index += 1
            }
        }
        return header
    }
}

extension SegmentList {
    /// Takes the status byte off the last segment: how many writable segments hold data.
    @inlinable
    func narrowWritable() -> Int {
        let last = count &- 1
        segments[last].byteCount &-= 1
        return (segments[last].byteCount == 0 ? last : count) &- readableCount
    }
}
