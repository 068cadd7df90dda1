private import CKernel

// Commands for the disk that are not worth a place in the hot path.

extension SCSITarget {
    @usableFromInline
    func parseOther(
        _ unit: Int, _ command: SCSICommandBlock, _ list: borrowing SegmentList,
        _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        switch command.operation {
        case SCSIOperation.read6, SCSIOperation.write6:
            // A count of 0 means 256 here, and here alone.
            let count = command.field(4, 1)
            return transfer(
                unit, command, lba: command.field(1, 3) & 0x1F_FFFF,
                count: count == 0 ? 256 : count, list, buffers)
        case SCSIOperation.read12, SCSIOperation.write12:
            return transfer(
                unit, command, lba: command.field(2, 4), count: command.field(6, 4), list, buffers)
        case SCSIOperation.synchronizeCache10:
            return flush(unit, lba: command.field(2, 4), count: command.field(7, 2), buffers)
        case SCSIOperation.synchronizeCache16:
            return flush(unit, lba: command.field(2, 8), count: command.field(10, 4), buffers)
        case SCSIOperation.verify10:
            return verify(
                unit, command, lba: command.field(2, 4), count: command.field(7, 2), buffers)
        case SCSIOperation.verify12:
            return verify(
                unit, command, lba: command.field(2, 4), count: command.field(6, 4), buffers)
        case SCSIOperation.verify16:
            return verify(
                unit, command, lba: command.field(2, 8), count: command.field(10, 4), buffers)
        case SCSIOperation.unmap:
            return unmap(unit, command, list, buffers)
        case SCSIOperation.writeSame16:
            return writeSame(unit, command, list, buffers)
        default:
            return answer(unit, command, buffers)
        }
    }

    /// A command that failed with `sense`.
    private func refuse(_ sense: SCSISense, _ buffers: SCSIBuffers) -> ParsedCommand {
        .answer(SCSIAnswer(sense: sense, buffers))
    }

    /// SYNCHRONIZE CACHE: all of the cache, whatever range is named, as long as it is on the disk.
    /// A count of 0 means up to the end.
    private func flush(
        _ unit: Int, lba: UInt64, count: UInt64, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        guard units[unit].holds(lba, count) else { return refuse(.lbaOutOfRange, buffers) }
        return .execute(
            SCSIRequest(
                unit: unit,
                block: BlockRequest(.flush, sector: 0, byteCount: 0, statusAddress: 0),
                isForced: false, dataCapacity: buffers.byteCount, dataBytes: 0))
    }

    /// VERIFY without a comparison (BYTCHK 0), which moves no data: the range is checked, and what
    /// the medium holds is left to the next read.
    private func verify(
        _ unit: Int, _ command: SCSICommandBlock, lba: UInt64, count: UInt64,
        _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        guard command[1] & 0xE6 == 0 else { return refuse(.invalidFieldInCDB, buffers) }
        guard units[unit].holds(lba, count) else { return refuse(.lbaOutOfRange, buffers) }
        return .answer(SCSIAnswer(buffers))
    }

    /// UNMAP of at most one range: the block limits page says that one descriptor is the most.
    private func unmap(
        _ unit: Int, _ command: SCSICommandBlock, _ list: borrowing SegmentList,
        _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        guard command[1] & 1 == 0 else { return refuse(.invalidFieldInCDB, buffers) }
        if units[unit].isReadOnly { return refuse(.writeProtected, buffers) }
        let listBytes = command.field(7, 2)
        if listBytes == 0 { return .answer(SCSIAnswer(buffers)) }
        guard listBytes >= 8 else { return refuse(.parameterListLength, buffers) }
        guard listBytes <= UInt64(buffers.outBytes) else {
            return .answer(SCSIAnswer(response: SCSIResponseCode.overrun, buffers))
        }
        // The parameters look like a command block; they are read by the same means.
        var parameters = SCSICommandBlock.empty
        // SAFETY: at most the 32 bytes of `parameters` are written, from translated segments.
        unsafe withUnsafeMutablePointer(to: &parameters) {
            _ = list.segments.takeBytes(
                UInt(min(listBytes, UInt64(SCSIDriver.unmapParameterBytes))),
                to: UInt(bitPattern: $0), from: buffers.firstOut, readableCount: buffers.endOut)
        }
        let rangeBytes = parameters.field(2, 2)
        guard rangeBytes <= listBytes - 8 else { return refuse(.parameterListLength, buffers) }
        guard rangeBytes / 16 <= 1 else { return refuse(.invalidFieldInParameters, buffers) }
        let (lba, count) = (parameters.field(8, 8), parameters.field(16, 4))
        if rangeBytes < 16 || count == 0 { return .answer(SCSIAnswer(buffers)) }
        guard count <= units[unit].clearLimit else {
            return refuse(.invalidFieldInParameters, buffers)
        }
        return clear(.discard, unit, lba: lba, count: count, dataBytes: listBytes, buffers)
    }

    /// WRITE SAME of a block of zeroes, with UNMAP if the space may go back; no other pattern, and
    /// a count of 0 names no range (WSNZ).
    private func writeSame(
        _ unit: Int, _ command: SCSICommandBlock, _ list: borrowing SegmentList,
        _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        let unmaps = command[1] & 8 != 0
        let hasData = command[1] & 1 == 0
        let (lba, count) = (command.field(2, 8), command.field(10, 4))
        guard command[1] & 0xF6 == 0, count > 0, count <= units[unit].clearLimit else {
            return refuse(.invalidFieldInCDB, buffers)
        }
        if units[unit].isReadOnly { return refuse(.writeProtected, buffers) }
        let dataBytes = hasData ? UInt64(units[unit].blockSize) : 0
        guard dataBytes <= UInt64(buffers.outBytes) else {
            return .answer(SCSIAnswer(response: SCSIResponseCode.overrun, buffers))
        }
        guard areZero(dataBytes, of: list, buffers) else {
            return refuse(.invalidFieldInCDB, buffers)
        }
        return clear(
            unmaps ? .writeZeroesUnmapping : .writeZeroes, unit, lba: lba, count: count,
            dataBytes: dataBytes, buffers)
    }

    private func areZero(
        _ byteCount: UInt64, of list: borrowing SegmentList, _ buffers: SCSIBuffers
    ) -> Bool {
        var left = byteCount
        var index = buffers.firstOut
        while left > 0, index < buffers.endOut {
            let segment = list.segments[index]
            let count = min(UInt(left), segment.byteCount)
            for offset in 0..<count where ck_load8_relaxed(segment.address + offset) != 0 {
                return false
            }
            left -= UInt64(count)
            index += 1
        }
        return true
    }

    private func clear(
        _ operation: BlockRequest.Operation, _ unit: Int, lba: UInt64, count: UInt64,
        dataBytes: UInt64, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        let disk = units[unit]
        guard disk.holds(lba, count) else { return refuse(.lbaOutOfRange, buffers) }
        return .execute(
            SCSIRequest(
                unit: unit,
                block: BlockRequest(
                    operation, sector: lba * disk.sectorsPerBlock,
                    byteCount: count * UInt64(disk.blockSize), statusAddress: 0),
                isForced: false, dataCapacity: buffers.byteCount, dataBytes: UInt32(dataBytes)))
    }
}
