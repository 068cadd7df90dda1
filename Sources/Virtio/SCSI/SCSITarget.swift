/// The one target of a virtio-scsi controller, number 0, and its logical units: takes command
/// requests apart (virtio 1.2 §5.6.6.1) and writes their responses.
///
/// Reads, writes, flushes and the like become `BlockRequest`s for a backend; whatever a disk can
/// say from its description alone (INQUIRY, READ CAPACITY, MODE SENSE, …) is answered here. One
/// thread owns a target; nothing is allocated per request.
///
/// There is no unit attention: a unit never changes its size, is never reset, and loses no setting,
/// so that there is nothing to attract attention to; a driver copes with none.
public struct SCSITarget: ~Copyable {
    /// Bytes of a response: 12 and the sense data (VIRTIO_SCSI_SENSE_DEFAULT_SIZE, 96).
    @inlinable public static var responseBytes: Int { 108 }

    @usableFromInline let units: FixedArray<SCSIUnit>
    /// The data of a command that is answered here.
    @usableFromInline let reply: FixedArray<UInt8>
    /// Where the response to each head goes: its one segment, or the number of its pieces at
    /// address 0.
    @usableFromInline let places: FixedArray<Segment>
    /// A row of `responseBytes` pieces for each head: a driver may cut a response at every byte.
    @usableFromInline let pieces: FixedArray<Segment>

    /// A target of `units`, whose numbers are their indices, for queues of `queueSize` heads.
    public init(units: [SCSIUnit], queueSize: Int) {
        precondition(!units.isEmpty && units.count <= 1 << 14)
        let first = units[0]
        self.units = FixedArray(repeating: first, count: units.count)
        for (index, unit) in units.enumerated() { self.units[index] = unit }
        reply = FixedArray(repeating: 0, count: max(256, 8 + 8 * units.count))
        let none = Segment(address: 0, byteCount: 0)
        places = FixedArray(repeating: none, count: queueSize)
        pieces = FixedArray(repeating: none, count: queueSize * Self.responseBytes)
    }

    /// Takes the command in `list`, popped with `head`, apart.
    ///
    /// Framing is free: the header is the first 51 bytes the device reads and data-out what
    /// follows; the response is the first 108 bytes it writes and data-in what follows, however
    /// they are cut into descriptors. Segments in `list` are narrowed to the data of the command.
    @inlinable
    public func parse(_ list: borrowing SegmentList, head: UInt16) -> ParsedCommand {
        guard list.readableBytes >= UInt64(SCSIRequestHeader.byteCount),
            list.writableBytes >= UInt64(Self.responseBytes)
        else { return .malformed }
        var header = SCSIRequestHeader()
        // SAFETY: exactly the bytes of `header` are written, from segments that were translated.
        let firstOut = unsafe withUnsafeMutablePointer(to: &header) {
            list.segments.takeBytes(
                UInt(SCSIRequestHeader.byteCount), to: UInt(bitPattern: $0),
                readableCount: list.readableCount)
        }
        let buffers = SCSIBuffers(
            list, firstOut: firstOut, firstIn: takeResponse(of: head, off: list))
        // Data both ways are another feature (VIRTIO_SCSI_F_INOUT), which is not offered.
        guard buffers.outBytes == 0 || buffers.inBytes == 0 else {
            return .answer(SCSIAnswer(response: SCSIResponseCode.failure, buffers))
        }
        guard header.target == 0 else {
            return .answer(SCSIAnswer(response: SCSIResponseCode.badTarget, buffers))
        }
        let command = header.command
        guard let unit = header.unit, unit < units.count else {
            return answerAbsentUnit(command, buffers)
        }
        switch command.operation {
        case SCSIOperation.read10, SCSIOperation.write10:
            return transfer(
                unit, command, lba: command.field(2, 4), count: command.field(7, 2), list, buffers)
        case SCSIOperation.read16, SCSIOperation.write16:
            return transfer(
                unit, command, lba: command.field(2, 8), count: command.field(10, 4), list,
                buffers)
        default:
            return parseOther(unit, command, list, buffers)
        }
    }

    /// Remembers where the response to `head` goes; returns the first segment of data behind it.
    @inlinable
    @inline(__always)
    func takeResponse(of head: UInt16, off list: borrowing SegmentList) -> Int {
        let first = list.readableCount
        let needed = UInt(Self.responseBytes)
        let segment = list.segments[first]
        guard segment.byteCount >= needed else { return takePieces(of: head, off: list) }
        places[Int(head)] = Segment(address: segment.address, byteCount: needed)
        if segment.byteCount == needed { return first &+ 1 }
        list.segments[first].address &+= needed
        list.segments[first].byteCount &-= needed
        return first
    }

    /// `takeResponse` for a response in several segments.
    @usableFromInline
    func takePieces(of head: UInt16, off list: borrowing SegmentList) -> Int {
        let row = Int(head) * Self.responseBytes
        var left = UInt(Self.responseBytes)
        var index = list.readableCount
        var count = 0
        while left > 0, index < list.count {
            let segment = list.segments[index]
            let taken = min(segment.byteCount, left)
            pieces[row + count] = Segment(address: segment.address, byteCount: taken)
            count += 1
            left -= taken
            if taken < segment.byteCount {
                list.segments[index].address += taken
                list.segments[index].byteCount -= taken
            } else {
                index += 1
            }
        }
        places[Int(head)] = Segment(address: 0, byteCount: UInt(count))
        return index
    }

    /// READ and WRITE of any length (SBC-3 §5.8 ff.).
    @inlinable
    func transfer(
        _ unit: Int, _ command: SCSICommandBlock, lba: UInt64, count: UInt64,
        _ list: borrowing SegmentList, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        let disk = units[unit]
        // READ has its codes two below those of WRITE.
        let isWrite = command.operation & 2 != 0
        let flags = command.operation < 0x20 ? 0 : command[1]
        // RDPROTECT or WRPROTECT: there is no protection information to go with the data.
        guard flags & 0xE0 == 0, count <= disk.transferLimit else {
            return .answer(SCSIAnswer(sense: .invalidFieldInCDB, buffers))
        }
        guard disk.holds(lba, count) else {
            return .answer(SCSIAnswer(sense: .lbaOutOfRange, buffers))
        }
        if isWrite, disk.isReadOnly {
            return .answer(SCSIAnswer(sense: .writeProtected, buffers))
        }
        let byteCount = count &* UInt64(disk.blockSize)
        guard byteCount <= UInt64(isWrite ? buffers.outBytes : buffers.inBytes) else {
            return .answer(SCSIAnswer(response: SCSIResponseCode.overrun, buffers))
        }
        if count == 0 { return .answer(SCSIAnswer(buffers)) }
        let first = isWrite ? buffers.firstOut : buffers.firstIn
        let end = isWrite ? buffers.endOut : buffers.endIn
        let segments = list.segments.trim(first..<end, to: byteCount)
        return .execute(
            SCSIRequest(
                unit: unit,
                block: BlockRequest(
                    isWrite ? .write : .read, sector: lba &* disk.sectorsPerBlock,
                    byteCount: byteCount, firstSegment: first, segmentCount: segments,
                    statusAddress: 0),
                isForced: isWrite && flags & SCSICommandBlock.forceUnitAccess != 0,
                dataCapacity: buffers.byteCount, dataBytes: UInt32(byteCount)))
    }
}
