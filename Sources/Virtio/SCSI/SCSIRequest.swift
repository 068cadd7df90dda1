/// A command to execute, taken apart and checked.
@frozen
public struct SCSIRequest: Sendable, BitwiseCopyable {
    /// The disk, an index into the units of the target.
    public var unit: Int
    /// What is to be done there; backends take it as they take one of virtio-blk. Its status
    /// address is 0.
    public var block: BlockRequest
    /// A write that is done only when it is on the medium (FUA).
    public var isForced: Bool
    /// Bytes of data buffers in the request, and how many of them the command uses.
    @usableFromInline var dataCapacity: UInt32
    @usableFromInline var dataBytes: UInt32

    /// A request that asks for nothing, to fill tables with.
    public static let none = SCSIRequest(
        unit: 0, block: .none, isForced: false, dataCapacity: 0, dataBytes: 0)

    @inlinable
    init(
        unit: Int, block: BlockRequest, isForced: Bool, dataCapacity: UInt32, dataBytes: UInt32
    ) {
        self.unit = unit
        self.block = block
        self.isForced = isForced
        self.dataCapacity = dataCapacity
        self.dataBytes = dataBytes
    }
}

/// How a command that needs no disk ends. Its data stand in the target until the next `parse`.
@frozen
public struct SCSIAnswer: Sendable, BitwiseCopyable, Equatable {
    /// One of `SCSIResponseCode`.
    public var response: UInt8
    /// Why it failed; the status is CHECK CONDITION unless this is `.none`.
    public var sense: SCSISense
    /// Bytes for the driver.
    public var dataBytes: Int
    /// Where they go, in the list the command was parsed from.
    @usableFromInline var firstSegment: Int
    @usableFromInline var dataCapacity: UInt32

    /// The SCSI status that goes with it.
    @inlinable public var status: UInt8 {
        sense == .none ? SCSIStatus.good : SCSIStatus.checkCondition
    }

    @inlinable
    init(
        response: UInt8 = SCSIResponseCode.ok, sense: SCSISense = .none, dataBytes: Int = 0,
        _ buffers: SCSIBuffers
    ) {
        self.response = response
        self.sense = sense
        self.dataBytes = dataBytes
        firstSegment = buffers.firstIn
        dataCapacity = buffers.byteCount
    }
}

/// What a chain turned out to be.
public enum ParsedCommand: Sendable {
    /// Execute it, then `finish` it with the result.
    case execute(SCSIRequest)
    /// `finish` it.
    case answer(SCSIAnswer)
    /// There is no room for a header or for a response: give the chain back with length 0 (outcome
    /// RETURN).
    case malformed
}

/// The data buffers of a request, with header and response taken off. At most one of the two has
/// any.
@frozen
@usableFromInline
struct SCSIBuffers {
    /// The first segment of data the device reads, how many there are, and their bytes.
    @usableFromInline var firstOut: Int
    @usableFromInline var endOut: Int
    @usableFromInline var outBytes: UInt32
    /// The same for data the device writes.
    @usableFromInline var firstIn: Int
    @usableFromInline var endIn: Int
    @usableFromInline var inBytes: UInt32

    @inlinable
    init(_ list: borrowing SegmentList, firstOut: Int, firstIn: Int) {
        self.firstOut = firstOut
        endOut = list.readableCount
        outBytes = UInt32(list.readableBytes) &- UInt32(SCSIRequestHeader.byteCount)
        self.firstIn = firstIn
        endIn = list.count
        inBytes = UInt32(list.writableBytes) &- UInt32(SCSITarget.responseBytes)
    }

    /// Bytes of all of them.
    @inlinable
    var byteCount: UInt32 { outBytes &+ inBytes }
}
