import Virtio

/// The ports of one IDE channel: the command block, the control block, and the bus master beside it
/// (ATA/ATAPI-6 §7; SFF-8038i). One port may mean one register when read and another when written.
enum IDERegister: UInt8, CaseIterable, Sendable {
    /// 16 bits of PIO data.
    case data
    /// Read: error. Written: features.
    case feature
    case sectorCount, lbaLow, lbaMid, lbaHigh, device
    /// Read: status, which acknowledges the interrupt. Written: command.
    case command
    /// Read: alternate status. Written: device control.
    case control
    case busMasterCommand, busMasterStatus
    /// Guest-physical address of the PRD table, 32 bits.
    case prdTable
}

/// Bits of the status register.
enum IDEStatus {
    static let busy: UInt8 = 0x80
    /// Ready for a command (DRDY).
    static let ready: UInt8 = 0x40
    /// Seek complete (DSC), which nobody looks at and everybody sets.
    static let seekComplete: UInt8 = 0x10
    /// Data are waiting in the data register (DRQ).
    static let dataRequest: UInt8 = 0x08
    static let error: UInt8 = 0x01
}

/// Bits of the error register.
enum IDEError {
    /// Uncorrectable data (UNC).
    static let uncorrectable: UInt8 = 0x40
    /// An address that is not on the disk (IDNF).
    static let notFound: UInt8 = 0x10
    /// Command aborted (ABRT).
    static let aborted: UInt8 = 0x04
    /// After a reset: the drive is well.
    static let diagnosticPassed: UInt8 = 0x01
}

/// Command codes.
enum IDECommand {
    static let readDMAExt: UInt8 = 0x25
    static let writeDMAExt: UInt8 = 0x35
    static let readDMA: UInt8 = 0xC8
    static let writeDMA: UInt8 = 0xCA
    static let flushCacheExt: UInt8 = 0xEA
    static let identify: UInt8 = 0xEC
}

/// Bits of the device register.
enum IDEDevice {
    /// Set in old times, and by Linux still.
    static let obsolete: UInt8 = 0xA0
    /// The address is an LBA and not a cylinder.
    static let lba: UInt8 = 0x40
    /// The second drive of the channel.
    static let second: UInt8 = 0x10
}

/// Bits of the device control register.
enum IDEControl {
    /// Registers are read as they were before they were written last (HOB).
    static let previous: UInt8 = 0x80
    static let reset: UInt8 = 0x04
    /// No interrupts (nIEN).
    static let noInterrupts: UInt8 = 0x02
}

/// Bits of the bus master's registers.
enum IDEBusMaster {
    /// Command: go.
    static let start: UInt8 = 0x01
    /// Command: from the drive to memory.
    static let toMemory: UInt8 = 0x08
    /// Status: transferring.
    static let active: UInt8 = 0x01
    /// Status: the transfer failed; written as 1 to clear.
    static let error: UInt8 = 0x02
    /// Status: the drive has interrupted; written as 1 to clear.
    static let interrupt: UInt8 = 0x04
    /// Status: what the firmware says of both drives; free to write.
    static let capable: UInt8 = 0x60
}

/// A request of the one drive of a channel.
struct IDERequest: Sendable, BitwiseCopyable, Equatable {
    /// `.read`, `.write` or `.flush`.
    var operation: BlockRequest.Operation
    /// First 512-byte sector; the range is inside the disk when a channel starts it.
    var sector: UInt64 = 0
    /// Sectors, 1…65,536; 0 for a flush.
    var sectorCount: UInt32 = 0
    /// Guest-physical address of the PRD table, a multiple of 4.
    var table: UInt32 = 0

    /// Bytes to move.
    var byteCount: UInt64 { UInt64(sectorCount) * 512 }

    /// The request for a backend, whose data are `segmentCount` segments from the first on.
    func block(segmentCount: Int) -> BlockRequest {
        BlockRequest(
            operation, sector: sector, byteCount: byteCount, segmentCount: segmentCount,
            statusAddress: 0)
    }
}
