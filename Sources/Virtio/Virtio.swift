// The rules of the ring: memory layout, split virtqueues — driver end, device end and read-only
// observer end — virtio-blk requests and virtio-scsi commands, after virtio 1.2. A pure room: it
// makes no system call.
//
// What stands in guest memory may change at any time and is never believed: every ring word,
// descriptor and header is loaded once, through the C shim, validated, and only the copy is used.
// The outcome of a violation depends on what can still be trusted (docs/virtqueue.md):
//
// - STATUS: header and status byte are valid; the request completes with IOERR or UNSUPP.
// - RETURN: the chain is bad but its head is valid; the head goes back with length 0.
// - BREAK:  the ring itself is incoherent; the queue stops until it is reset.

/// An address in the guest's physical memory.
public struct GuestAddress: RawRepresentable, Sendable, Hashable, BitwiseCopyable {
    public var rawValue: UInt64

    /// The guest address `rawValue`.
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The address `offset` bytes on; wraps as 64-bit guest arithmetic does.
    @inlinable
    public static func + (address: GuestAddress, offset: UInt64) -> GuestAddress {
        GuestAddress(rawValue: address.rawValue &+ offset)
    }
}

/// The features of a virtqueue that change what its words mean (virtio 1.2 §6).
public struct QueueFeatures: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    /// Features by their bits.
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// VIRTIO_F_INDIRECT_DESC (28): a descriptor may point to a table of descriptors.
    @inlinable public static var indirect: QueueFeatures { QueueFeatures(rawValue: 1) }
    /// VIRTIO_F_EVENT_IDX (29): each side says at which index it wants the next notification.
    @inlinable public static var eventIndex: QueueFeatures { QueueFeatures(rawValue: 2) }
}

/// Whether moving an index from `old` to `new` passes the index at which the other side asked for a
/// notification (virtio 1.2 §2.7.10, `vring_need_event`). All three wrap at 65,536.
@inlinable
public func passesEvent(_ event: UInt16, old: UInt16, new: UInt16) -> Bool {
    new &- event &- 1 < new &- old
}
