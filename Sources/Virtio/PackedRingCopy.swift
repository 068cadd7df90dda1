private import CKernel

/// A packed virtqueue of a foreign VM, as it was copied at some instant (virtio 1.2 §2.8).
///
///     descriptor ring    size × { address u64, length u32, id u16, flags u16 }
///     event suppression  offset and wrap u16, flags u16     one of the driver, one of the device
///
/// The copies are owned elsewhere and must outlive this value.
public struct PackedRingCopy: Sendable {
    /// One descriptor of the ring.
    public struct Slot: Sendable, Equatable {
        /// Guest-physical address of the buffer.
        public var address: UInt64
        /// Bytes of the buffer, or written, once it is used.
        public var byteCount: UInt32
        /// The buffer's id: of a chain, its last descriptor has it, and the used one.
        public var id: UInt16
        public var flags: DescriptorFlags
        /// The AVAIL bit (7).
        public var avail: Bool
        /// The USED bit (15).
        public var used: Bool

        /// A slot of these contents.
        public init(
            address: UInt64, byteCount: UInt32, id: UInt16, flags: DescriptorFlags, avail: Bool,
            used: Bool
        ) {
            self.address = address
            self.byteCount = byteCount
            self.id = id
            self.flags = flags
            self.avail = avail
            self.used = used
        }
    }

    /// Descriptors, 1…32,768, not always a power of two.
    public let size: Int
    private let descriptors: UInt
    private let driver: UInt
    private let device: UInt

    /// The ring of `size` descriptors copied to `descriptors`, 8-aligned, and both sides' event
    /// suppression, 2-aligned.
    public init(size: Int, descriptors: UInt, driver: UInt, device: UInt) {
        precondition(size > 0 && size <= 32_768)
        self.size = size
        self.descriptors = descriptors
        self.driver = driver
        self.device = device
    }

    /// The descriptor at `index`, in `0..<size`.
    public subscript(index: Int) -> Slot {
        precondition(index >= 0 && index < size)
        let copy = ck_load_descriptor(descriptors &+ UInt(index) &* 16)
        // The words stand in another order than in a split ring's descriptor.
        return Slot(
            address: copy.address, byteCount: copy.length, id: copy.flags,
            flags: DescriptorFlags(rawValue: copy.next & 0x7), avail: copy.next & 0x80 != 0,
            used: copy.next & 0x8000 != 0)
    }

    /// Whether the device says it wants no kick.
    public var refusesKicks: Bool { ck_load16_relaxed(device &+ 2) & 3 == 1 }
    /// Whether the driver says it wants no interrupt.
    public var refusesInterrupts: Bool { ck_load16_relaxed(driver &+ 2) & 3 == 1 }
}

extension DescriptorCopy {
    /// The descriptor whose 16 bytes were copied to `address` from an indirect table of a packed
    /// ring: of its flags WRITE alone means something, and there are no links (virtio 1.2 §2.8.7).
    public init(packedAt address: UInt) {
        let copy = ck_load_descriptor(address)
        self.init(
            address: copy.address, byteCount: copy.length,
            flags: DescriptorFlags(rawValue: copy.next).intersection(.write), next: 0)
    }
}
