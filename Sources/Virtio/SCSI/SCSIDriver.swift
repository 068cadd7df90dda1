public import CKernel

/// The driver's end of virtio-scsi requests: headers and parameters into guest memory, responses
/// out of it. Addresses are host addresses that `GuestMemory` has translated.
public enum SCSIDriver {
    /// Bytes of the header in front of data-out.
    @inlinable public static var headerBytes: Int { SCSIRequestHeader.byteCount }
    /// Bytes of the response in front of data-in.
    @inlinable public static var responseBytes: Int { SCSITarget.responseBytes }
    /// Bytes of the parameters of UNMAP: 8 of header, 16 of one range.
    @inlinable public static var unmapParameterBytes: Int { 24 }

    /// Writes the header of a request to unit `unit` (0…16383) of target `target`, addressed as
    /// Linux does, by the flat space method.
    @inlinable
    public static func storeHeader(
        target: UInt8 = 0, unit: Int, tag: UInt64, _ command: SCSICommandBlock, at address: UInt
    ) {
        var bytes = InlineArray<51, UInt8>(repeating: 0)
        bytes[0] = 1
        bytes[1] = target
        bytes[2] = UInt8(truncatingIfNeeded: unit &>> 8) & 0x3F | 0x40
        bytes[3] = UInt8(truncatingIfNeeded: unit)
        for index in 0..<8 {
            bytes[8 &+ index] = UInt8(truncatingIfNeeded: tag &>> UInt64(8 &* index))
        }
        for index in 0..<32 { bytes[19 &+ index] = command[index] }
        // SAFETY: the 51 bytes of `bytes` are read.
        unsafe withUnsafePointer(to: bytes) {
            ck_copy_once(address, UInt(bitPattern: $0), SCSIRequestHeader.byteCount)
        }
    }

    /// Writes the parameters of an UNMAP of `blockCount` blocks from `lba` on.
    @inlinable
    public static func storeUnmapParameters(lba: UInt64, blockCount: UInt32, at address: UInt) {
        var parameters = SCSICommandBlock.empty
        parameters.setField(0, 2, to: UInt64(unmapParameterBytes - 2))
        parameters.setField(2, 2, to: 16)
        parameters.setField(8, 8, to: lba)
        parameters.setField(16, 4, to: UInt64(blockCount))
        // SAFETY: 24 of the 32 bytes of `parameters` are read.
        unsafe withUnsafePointer(to: parameters) {
            ck_copy_once(address, UInt(bitPattern: $0), unmapParameterBytes)
        }
    }

    /// Reads a response.
    @inlinable
    public static func loadResponse(at address: UInt) -> SCSIResponse {
        var bytes = InlineArray<32, UInt8>(repeating: 0)
        // SAFETY: the 32 bytes of `bytes` are written: the header, and fixed-format sense data.
        unsafe withUnsafeMutablePointer(to: &bytes) {
            ck_copy_once(UInt(bitPattern: $0), address, 32)
        }
        var residual: UInt32 = 0
        for index in 0..<4 { residual |= UInt32(bytes[4 &+ index]) &<< UInt32(8 &* index) }
        return SCSIResponse(
            response: bytes[11], status: bytes[10], residual: residual,
            sense: bytes[0] >= 14 && bytes[12] & 0x7F == 0x70
                ? SCSISense(key: bytes[14] & 0x0F, code: bytes[24], qualifier: bytes[25]) : .none)
    }
}

/// A response, copied out.
@frozen
public struct SCSIResponse: Sendable, BitwiseCopyable, Equatable {
    /// One of `SCSIResponseCode`.
    public var response: UInt8
    /// One of `SCSIStatus`.
    public var status: UInt8
    /// Bytes of the data buffers that were not used.
    public var residual: UInt32
    /// `.none` where there are no sense data of fixed format.
    public var sense: SCSISense

    /// A response of these parts.
    @inlinable
    public init(response: UInt8, status: UInt8, residual: UInt32, sense: SCSISense) {
        self.response = response
        self.status = status
        self.residual = residual
        self.sense = sense
    }

    /// Whether the command was carried out.
    @inlinable public var isGood: Bool {
        response == SCSIResponseCode.ok && status == SCSIStatus.good
    }
}
