private import CKernel

/// A split virtqueue of a foreign VM, as it was copied at some instant: the words of its avail and
/// used rings (virtio 1.2 §2.7.6, §2.7.8).
///
/// What stands in it is the guest's word, to be believed as far as it makes sense. The copies are
/// owned elsewhere and must outlive this value.
public struct SplitRingCopy: Sendable {
    private let ring: SplitRing
    /// Entries, a power of two up to `SplitRing.maximumSize`.
    public var size: UInt16 { ring.size }

    /// The rings of `size` entries copied to `avail` and `used`, whole, both 2-aligned.
    public init(size: Int, avail: UInt, used: UInt) {
        precondition(size > 0 && size <= SplitRing.maximumSize && size & (size - 1) == 0)
        ring = SplitRing(size: UInt16(size), copiedTo: avail, used)
    }

    /// Entries published by the driver, modulo 65,536.
    public var availIndex: UInt16 { ck_load16_relaxed(ring.availIndex) }
    /// Entries published by the device, modulo 65,536.
    public var usedIndex: UInt16 { ck_load16_relaxed(ring.usedIndex) }
    /// The head in avail entry `index`, which wraps.
    public func availHead(_ index: UInt16) -> UInt16 { ck_load16_relaxed(ring.availEntry(index)) }
    /// The head in used entry `index`, which wraps; `nil` for what is no head.
    public func usedHead(_ index: UInt16) -> UInt16? {
        let entry = ring.usedEntry(index)
        let low = ck_load16_relaxed(entry)
        return ck_load16_relaxed(entry &+ 2) == 0 && low < size ? low : nil
    }
    /// Index of the used entry at which the driver wants an interrupt (EVENT_IDX).
    public var usedEvent: UInt16 { ck_load16_relaxed(ring.usedEvent) }
    /// Index of the avail entry at which the device wants a kick (EVENT_IDX).
    public var availEvent: UInt16 { ck_load16_relaxed(ring.availEvent) }
    /// Whether the device says it wants no kick (without EVENT_IDX).
    public var refusesKicks: Bool { ck_load16_relaxed(ring.usedFlags) & doNotNotify != 0 }
    /// Whether the driver says it wants no interrupt (without EVENT_IDX).
    public var refusesInterrupts: Bool { ck_load16_relaxed(ring.availFlags) & doNotNotify != 0 }
}

/// A descriptor of a foreign VM, copied out.
public struct DescriptorCopy: Sendable, Equatable {
    /// Guest-physical address of the buffer.
    public var address: UInt64
    /// Bytes of the buffer.
    public var byteCount: UInt32
    public var flags: DescriptorFlags
    /// Index of the next one of the chain in its table, where `flags` has `next`.
    public var next: UInt16

    /// A descriptor of these contents.
    public init(address: UInt64, byteCount: UInt32, flags: DescriptorFlags, next: UInt16) {
        self.address = address
        self.byteCount = byteCount
        self.flags = flags
        self.next = next
    }

    /// The descriptor whose 16 bytes were copied to `address`.
    public init(at address: UInt) {
        let copy = ck_load_descriptor(address)
        self.address = copy.address
        byteCount = copy.length
        flags = DescriptorFlags(rawValue: copy.flags)
        next = copy.next
    }
}

/// The header of a virtio-blk request of a foreign VM (virtio 1.2 §5.2.6), copied out.
public struct BlockHeaderCopy: Sendable, Equatable {
    /// The request's type, without the legacy BARRIER bit.
    public var type: UInt32
    /// First 512-byte sector.
    public var sector: UInt64

    /// The header whose 16 bytes were copied to `address`.
    public init(at address: UInt) {
        let copy = ck_load_block_header(address)
        type = copy.type & ~BlockRequestType.barrier
        sector = copy.sector
    }
}
