/// The three parts of a split virtqueue in guest memory (virtio 1.2 §2.7), found and checked once.
///
///     descriptor table   size × { address u64, length u32, flags u16, next u16 }
/// 16-aligned     avail ring         flags u16, idx u16, size × head u16, used_event u16
///    2-aligned     used ring          flags u16, idx u16, size × { id u32, len u32 }, avail_event
/// u16   4-aligned
///
/// The driver writes the table and the avail ring, the device the used ring. Indices wrap at
/// 65,536; a slot is the index modulo `size`, a power of two.
public struct SplitRing: Sendable {
    /// Why ring addresses were refused.
    public enum SetupError: Error, Sendable, Equatable {
        /// Not a power of two in 1…1024.
        case size(Int)
        case misaligned(Part)
        /// Not wholly inside one region of guest memory.
        case outsideMemory(Part)
    }

    /// The parts of a ring.
    public enum Part: Sendable, Equatable { case descriptors, avail, used }

    /// The largest queue we serve, as QEMU's (VIRTQUEUE_MAX_SIZE).
    public static let maximumSize = 1024

    public let size: UInt16
    @usableFromInline let descriptors: UInt
    @usableFromInline let avail: UInt
    @usableFromInline let used: UInt
    @usableFromInline let mask: UInt16

    /// Finds the ring of `size` descriptors whose parts stand at the given guest addresses.
    public init(
        size: Int, descriptors: GuestAddress, avail: GuestAddress, used: GuestAddress,
        in memory: GuestMemory
    ) throws(SetupError) {
        guard size > 0, size <= Self.maximumSize, size & (size - 1) == 0 else { throw .size(size) }
        func find(
            _ part: Part, _ address: GuestAddress, alignment: UInt64
        ) throws(SetupError) -> UInt {
            guard address.rawValue % alignment == 0 else { throw .misaligned(part) }
            let byteCount = UInt64(Self.byteCount(of: part, size: size))
            guard let host = memory.translate(address.rawValue, byteCount: byteCount),
                UInt64(host) % alignment == 0
            else { throw .outsideMemory(part) }
            return host
        }
        self.size = UInt16(size)
        self.mask = UInt16(size - 1)
        self.descriptors = try find(.descriptors, descriptors, alignment: 16)
        self.avail = try find(.avail, avail, alignment: 2)
        self.used = try find(.used, used, alignment: 4)
    }

    /// The two rings alone, of `size` entries each, copied to `avail` and `used`: of the table
    /// there is no copy, and it must not be looked at.
    init(size: UInt16, copiedTo avail: UInt, _ used: UInt) {
        self.size = size
        mask = size &- 1
        descriptors = 0
        self.avail = avail
        self.used = used
    }

    /// Bytes of one part of a ring of `size` descriptors.
    public static func byteCount(of part: Part, size: Int) -> Int {
        switch part {
        case .descriptors: 16 * size
        case .avail: 6 + 2 * size
        case .used: 6 + 8 * size
        }
    }

    /// Where the parts of a ring stand when laid out one after the other from `start`, and its end.
    public static func consecutive(
        size: Int, from start: GuestAddress
    ) -> (descriptors: GuestAddress, avail: GuestAddress, used: GuestAddress, end: GuestAddress) {
        let avail = start + UInt64(byteCount(of: .descriptors, size: size))
        let availEnd = avail.rawValue + UInt64(byteCount(of: .avail, size: size))
        let used = GuestAddress(rawValue: (availEnd + 3) & ~3)
        return (start, avail, used, used + UInt64(byteCount(of: .used, size: size)))
    }

    // The words of the ring. `index` is free-running; its slot is found here and nowhere else.

    @inlinable func descriptorAddress(_ index: UInt16) -> UInt {
        descriptors &+ UInt(index & mask) &* 16
    }
    @inlinable var availFlags: UInt { avail }
    @inlinable var availIndex: UInt { avail &+ 2 }
    @inlinable func availEntry(_ index: UInt16) -> UInt { avail &+ 4 &+ UInt(index & mask) &* 2 }
    @inlinable var usedEvent: UInt { avail &+ 4 &+ UInt(size) &* 2 }
    @inlinable var usedFlags: UInt { used }
    @inlinable var usedIndex: UInt { used &+ 2 }
    @inlinable func usedEntry(_ index: UInt16) -> UInt { used &+ 4 &+ UInt(index & mask) &* 8 }
    @inlinable var availEvent: UInt { used &+ 4 &+ UInt(size) &* 8 }
}

/// The flags of a descriptor (virtio 1.2 §2.7.5).
public struct DescriptorFlags: OptionSet, Sendable {
    public let rawValue: UInt16

    /// Flags by their bits; unknown bits are kept and ignored.
    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The chain goes on at `next`.
    @inlinable public static var next: DescriptorFlags { DescriptorFlags(rawValue: 1) }
    /// The device writes the buffer; otherwise it reads it.
    @inlinable public static var write: DescriptorFlags { DescriptorFlags(rawValue: 2) }
    /// The buffer is a table of descriptors.
    @inlinable public static var indirect: DescriptorFlags { DescriptorFlags(rawValue: 4) }
}

/// `avail.flags` / `used.flags` bit 0: do not notify me (VIRTQ_AVAIL_F_NO_INTERRUPT,
/// VIRTQ_USED_F_NO_NOTIFY). Only meaningful without EVENT_IDX.
@inlinable var doNotNotify: UInt16 { 1 }
