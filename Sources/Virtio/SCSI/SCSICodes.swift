/// Operation codes of the commands a disk of ours knows (SPC-4, SBC-3).
public enum SCSIOperation {
    @inlinable public static var testUnitReady: UInt8 { 0x00 }
    @inlinable public static var requestSense: UInt8 { 0x03 }
    @inlinable public static var read6: UInt8 { 0x08 }
    @inlinable public static var write6: UInt8 { 0x0A }
    @inlinable public static var inquiry: UInt8 { 0x12 }
    @inlinable public static var modeSense6: UInt8 { 0x1A }
    @inlinable public static var readCapacity10: UInt8 { 0x25 }
    @inlinable public static var read10: UInt8 { 0x28 }
    @inlinable public static var write10: UInt8 { 0x2A }
    @inlinable public static var verify10: UInt8 { 0x2F }
    @inlinable public static var synchronizeCache10: UInt8 { 0x35 }
    @inlinable public static var unmap: UInt8 { 0x42 }
    @inlinable public static var modeSense10: UInt8 { 0x5A }
    @inlinable public static var read16: UInt8 { 0x88 }
    @inlinable public static var write16: UInt8 { 0x8A }
    @inlinable public static var verify16: UInt8 { 0x8F }
    @inlinable public static var synchronizeCache16: UInt8 { 0x91 }
    @inlinable public static var writeSame16: UInt8 { 0x93 }
    /// SERVICE ACTION IN(16); the only action known is READ CAPACITY(16).
    @inlinable public static var serviceActionIn16: UInt8 { 0x9E }
    @inlinable public static var reportLUNs: UInt8 { 0xA0 }
    @inlinable public static var read12: UInt8 { 0xA8 }
    @inlinable public static var write12: UInt8 { 0xAA }
    @inlinable public static var verify12: UInt8 { 0xAF }
}

/// SCSI status bytes (SAM-5 §5.3).
public enum SCSIStatus {
    @inlinable public static var good: UInt8 { 0x00 }
    /// The sense data say what is wrong.
    @inlinable public static var checkCondition: UInt8 { 0x02 }
}

/// What became of a request on its way to the logical unit (virtio 1.2 §5.6.6.1).
public enum SCSIResponseCode {
    /// The logical unit answered; status and sense are its own.
    @inlinable public static var ok: UInt8 { 0 }
    /// The command moves more bytes than the request has buffers for.
    @inlinable public static var overrun: UInt8 { 1 }
    /// There is no such target.
    @inlinable public static var badTarget: UInt8 { 3 }
    /// The request cannot be carried out for a reason of its form.
    @inlinable public static var failure: UInt8 { 9 }
}

/// Why a command failed: sense key, additional sense code and its qualifier (SPC-4 §4.5).
@frozen
public struct SCSISense: Sendable, BitwiseCopyable, Equatable {
    /// Sense key, 0…15.
    public var key: UInt8
    /// Additional sense code (ASC).
    public var code: UInt8
    /// Additional sense code qualifier (ASCQ).
    public var qualifier: UInt8

    /// The sense data of these three numbers.
    @inlinable
    public init(key: UInt8, code: UInt8, qualifier: UInt8 = 0) {
        self.key = key
        self.code = code
        self.qualifier = qualifier
    }

    /// Bytes of fixed-format sense data.
    public static var byteCount: Int { 18 }

    // The sense keys in use: 3 MEDIUM ERROR, 5 ILLEGAL REQUEST, 7 DATA PROTECT.

    /// Nothing is wrong.
    @inlinable public static var none: SCSISense { .init(key: 0, code: 0) }
    @inlinable public static var invalidOperationCode: SCSISense { .init(key: 5, code: 0x20) }
    @inlinable public static var lbaOutOfRange: SCSISense { .init(key: 5, code: 0x21) }
    @inlinable public static var invalidFieldInCDB: SCSISense { .init(key: 5, code: 0x24) }
    @inlinable public static var logicalUnitNotSupported: SCSISense { .init(key: 5, code: 0x25) }
    @inlinable public static var parameterListLength: SCSISense { .init(key: 5, code: 0x1A) }
    @inlinable public static var invalidFieldInParameters: SCSISense { .init(key: 5, code: 0x26) }
    @inlinable public static var savingNotSupported: SCSISense { .init(key: 5, code: 0x39) }
    @inlinable public static var writeProtected: SCSISense { .init(key: 7, code: 0x27) }
    /// The backing has no space left: a thin disk that cannot grow (27h/07h).
    @inlinable public static var spaceAllocationFailed: SCSISense {
        .init(key: 7, code: 0x27, qualifier: 7)
    }
    @inlinable public static var writeError: SCSISense { .init(key: 3, code: 0x0C) }
    @inlinable public static var unrecoveredReadError: SCSISense { .init(key: 3, code: 0x11) }

    /// What to tell of a backend that failed with this positive `errno` (28 is ENOSPC).
    @inlinable
    public static func failure(errno: Int32, of operation: BlockRequest.Operation) -> SCSISense {
        if operation == .read { return .unrecoveredReadError }
        return errno == 28 ? .spaceAllocationFailed : .writeError
    }
}
