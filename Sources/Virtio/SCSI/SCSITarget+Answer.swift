// Commands that a disk answers from its description (SPC-4 §6, SBC-3 §5): what Linux asks when it
// finds a disk, and little else.

extension SCSITarget {
    func answer(
        _ unit: Int, _ command: SCSICommandBlock, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        switch command.operation {
        case SCSIOperation.testUnitReady:
            return .answer(SCSIAnswer(buffers))
        case SCSIOperation.requestSense:
            return requestSense(command, .none, buffers)
        case SCSIOperation.inquiry:
            guard command[1] & 1 != 0 else { return inquiry(command, isPresent: true, buffers) }
            return vitalData(unit, command, buffers)
        case SCSIOperation.readCapacity10:
            return readCapacity10(unit, command, buffers)
        case SCSIOperation.serviceActionIn16 where command[1] & 0x1F == 0x10:
            return readCapacity16(unit, command, buffers)
        case SCSIOperation.modeSense6:
            return modeSense(unit, command, headerBytes: 4, room: command.field(4, 1), buffers)
        case SCSIOperation.modeSense10:
            return modeSense(unit, command, headerBytes: 8, room: command.field(7, 2), buffers)
        case SCSIOperation.reportLUNs:
            return reportLUNs(command, buffers)
        default:
            return refuse(.invalidOperationCode, buffers)
        }
    }

    /// A logical unit that is not there still says so (SPC-4 §6.6, §6.33): its target answers for
    /// it.
    @usableFromInline
    func answerAbsentUnit(
        _ command: SCSICommandBlock, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        switch command.operation {
        case SCSIOperation.inquiry where command[1] & 1 == 0:
            return inquiry(command, isPresent: false, buffers)
        case SCSIOperation.requestSense:
            return requestSense(command, .logicalUnitNotSupported, buffers)
        case SCSIOperation.reportLUNs:
            return reportLUNs(command, buffers)
        default:
            return refuse(.logicalUnitNotSupported, buffers)
        }
    }

    private func refuse(_ sense: SCSISense, _ buffers: SCSIBuffers) -> ParsedCommand {
        .answer(SCSIAnswer(sense: sense, buffers))
    }

    /// The first `byteCount` bytes of `reply`, as far as the command has `room` for them.
    private func replied(
        _ byteCount: Int, room: UInt64, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        guard room <= UInt64(buffers.inBytes) else {
            return .answer(SCSIAnswer(response: SCSIResponseCode.overrun, buffers))
        }
        return .answer(SCSIAnswer(dataBytes: min(byteCount, Int(room)), buffers))
    }

    // MARK: Writing into `reply`

    private func clearReply(_ byteCount: Int) {
        for index in 0..<byteCount { reply[index] = 0 }
    }

    private func put(_ value: UInt64, _ byteCount: Int, at start: Int) {
        for index in 0..<byteCount {
            let shift = UInt64(8 * (byteCount - 1 - index))
            reply[start + index] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }

    private func put(_ text: StaticString, at start: Int) {
        // SAFETY: the bytes of a literal, as many as it has.
        text.withUTF8Buffer { bytes in
            for index in 0..<bytes.count { reply[start + index] = unsafe bytes[index] }
        }
    }

    /// The serial of a unit: how many bytes it has.
    private func putSerial(_ unit: Int, at start: Int) -> Int {
        let count = units[unit].serialCount
        for index in 0..<count { reply[start + index] = units[unit].serial[index] }
        return count
    }

    // MARK: Who is there

    /// REQUEST SENSE: nothing is kept between commands, as each response carries its own sense.
    private func requestSense(
        _ command: SCSICommandBlock, _ sense: SCSISense, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        // DESC asks for descriptor format, which is not offered.
        guard command[1] & 1 == 0 else { return refuse(.invalidFieldInCDB, buffers) }
        clearReply(SCSISense.byteCount)
        let bytes = sense.fixedFormat
        for index in 0..<SCSISense.byteCount { reply[index] = bytes[index] }
        return replied(SCSISense.byteCount, room: command.field(4, 1), buffers)
    }

    /// Standard INQUIRY data: a direct-access device that claims SPC-3, by which Linux asks for
    /// pages and for READ CAPACITY(16).
    private func inquiry(
        _ command: SCSICommandBlock, isPresent: Bool, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        guard command[1] == 0, command[2] == 0 else { return refuse(.invalidFieldInCDB, buffers) }
        clearReply(36)
        // Qualifier 3 and type 1Fh: no unit can be here.
        reply[0] = isPresent ? 0x00 : 0x7F
        reply[2] = 5
        // HISUP, and the format of these data.
        reply[3] = 0x12
        reply[4] = 36 - 5
        // CMDQUE: commands may be queued.
        reply[7] = 0x02
        put("VBLKTOP ", at: 8)
        put("VIRTUAL DISK    ", at: 16)
        put("1.0 ", at: 32)
        return replied(36, room: command.field(3, 2), buffers)
    }

    private func reportLUNs(
        _ command: SCSICommandBlock, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        // Of well-known units alone (1) there are none.
        guard command[2] <= 2, command.field(6, 4) >= 16 else {
            return refuse(.invalidFieldInCDB, buffers)
        }
        let count = command[2] == 1 ? 0 : units.count
        clearReply(8)
        put(UInt64(count * 8), 4, at: 0)
        for unit in 0..<count {
            // Up to 255 by the peripheral device method, beyond by flat space addressing.
            put(UInt64(unit < 256 ? unit : 0x4000 | unit) << 48, 8, at: 8 + 8 * unit)
        }
        return replied(8 + 8 * count, room: command.field(6, 4), buffers)
    }

    // MARK: Vital product data

    private func vitalData(
        _ unit: Int, _ command: SCSICommandBlock, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        let page = command[2]
        clearReply(64)
        reply[1] = page
        let count: Int
        switch page {
        case 0x00:
            put(0x0080_83B0_B2, 5, at: 4)
            count = 5
        case 0x80: count = putSerial(unit, at: 4)
        case 0x83: count = putIdentification(unit)
        case 0xB0: count = putBlockLimits(unit)
        case 0xB2:
            // LBPU and LBPWS: UNMAP and WRITE SAME(16) give space back. Thin provisioning.
            reply[5] = 0xC0
            reply[6] = 0x02
            count = 4
        default: return refuse(.invalidFieldInCDB, buffers)
        }
        put(UInt64(count), 2, at: 2)
        return replied(4 + count, room: command.field(3, 2), buffers)
    }

    /// One designator: vendor and serial, by T10's form.
    private func putIdentification(_ unit: Int) -> Int {
        // ASCII; of the logical unit, T10 vendor identification.
        reply[4] = 0x02
        reply[5] = 0x01
        put("VBLKTOP ", at: 8)
        let count = 8 + putSerial(unit, at: 16)
        reply[7] = UInt8(count)
        return 4 + count
    }

    private func putBlockLimits(_ unit: Int) -> Int {
        let disk = units[unit]
        // WSNZ: WRITE SAME of 0 blocks is refused.
        reply[4] = 1
        put(disk.transferLimit, 4, at: 8)
        put(disk.clearLimit, 4, at: 20)
        // Ranges in one UNMAP.
        put(1, 4, at: 24)
        put(1, 4, at: 28)
        put(disk.clearLimit, 8, at: 36)
        return 60
    }

    // MARK: Capacity and mode

    private func readCapacity10(
        _ unit: Int, _ command: SCSICommandBlock, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        // An address is obsolete, as is PMI.
        guard command.field(2, 4) == 0, command[8] & 1 == 0 else {
            return refuse(.invalidFieldInCDB, buffers)
        }
        clearReply(8)
        // All ones send the driver to READ CAPACITY(16).
        put(min(units[unit].blockCount - 1, UInt64(UInt32.max)), 4, at: 0)
        put(UInt64(units[unit].blockSize), 4, at: 4)
        return replied(8, room: 8, buffers)
    }

    private func readCapacity16(
        _ unit: Int, _ command: SCSICommandBlock, _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        guard command.field(2, 8) == 0, command[14] & 1 == 0 else {
            return refuse(.invalidFieldInCDB, buffers)
        }
        clearReply(32)
        put(units[unit].blockCount - 1, 8, at: 0)
        put(UInt64(units[unit].blockSize), 4, at: 8)
        // LBPME: blocks can be unmapped, see page B2h.
        reply[14] = 0x80
        return replied(32, room: command.field(10, 4), buffers)
    }

    /// MODE SENSE of the caching page, or of all pages, which is the same; without block
    /// descriptors.
    private func modeSense(
        _ unit: Int, _ command: SCSICommandBlock, headerBytes: Int, room: UInt64,
        _ buffers: SCSIBuffers
    ) -> ParsedCommand {
        let (page, control, subpage) = (command[2] & 0x3F, command[2] >> 6, command[3])
        guard page == 0x08 || page == 0x3F, subpage == 0 || page == 0x3F && subpage == 0xFF else {
            return refuse(.invalidFieldInCDB, buffers)
        }
        guard control != 3 else { return refuse(.savingNotSupported, buffers) }
        let byteCount = headerBytes + 20
        clearReply(byteCount)
        // WP, and DPOFUA: FUA is understood.
        let deviceSpecific: UInt8 = (units[unit].isReadOnly ? 0x80 : 0) | 0x10
        if headerBytes == 4 {
            reply[0] = UInt8(byteCount - 1)
            reply[2] = deviceSpecific
        } else {
            put(UInt64(byteCount - 2), 2, at: 0)
            reply[3] = deviceSpecific
        }
        reply[headerBytes] = 0x08
        reply[headerBytes + 1] = 18
        // Values that could be changed (1): none of them. Else WCE says whether writes are cached.
        if control != 1, units[unit].hasVolatileCache { reply[headerBytes + 2] = 0x04 }
        return replied(byteCount, room: room, buffers)
    }
}
