public import CKernel

/// The driver's end of a split virtqueue: places chains, publishes them, and takes back used heads.
///
/// One thread owns it. Chains are linked from a private list of free descriptors, never from the
/// ring, so that a device cannot corrupt it. With INDIRECT each chain takes one descriptor of the
/// ring and up to `indirectCapacity` of a table of its own in guest memory.
public struct DriverQueue: ~Copyable {
    /// A part of a request in guest memory.
    public struct Buffer: Sendable, BitwiseCopyable {
        public var address: GuestAddress
        public var byteCount: UInt32
        /// The device writes it.
        public var isWritable: Bool

        /// A buffer of `byteCount` bytes at `address`.
        @inlinable
        public init(address: GuestAddress, byteCount: UInt32, isWritable: Bool) {
            self.address = address
            self.byteCount = byteCount
            self.isWritable = isWritable
        }
    }

    /// A chain the device has given back.
    public struct Used: Sendable, Equatable {
        public let head: UInt16
        /// Bytes the device says it wrote.
        public let written: UInt32

        @inlinable
        init(head: UInt16, written: UInt32) {
            self.head = head
            self.written = written
        }
    }

    /// What a device did that no device may do; the queue takes nothing from it any more.
    public enum Breakage: Error, Sendable, Equatable {
        /// `used.idx` moved by more than was in flight.
        case usedIndexJump(from: UInt16, to: UInt16)
        /// A used entry naming a head that is not in flight.
        case notInFlight(UInt32)
    }

    public let ring: SplitRing
    @usableFromInline let features: QueueFeatures
    @usableFromInline let nextFree: FixedArray<UInt16>
    /// Descriptors of the ring that a head's chain occupies; 0 when it is not in flight.
    @usableFromInline let chainLength: FixedArray<UInt16>
    @usableFromInline var firstFree: UInt16 = 0
    @usableFromInline var freeDescriptors: Int
    /// Chains placed and not taken back.
    @inlinable public var inFlight: Int { inFlightCount }
    @usableFromInline var inFlightCount = 0
    /// Descriptors of the ring that no chain occupies.
    @inlinable public var freeCount: Int { freeDescriptors }
    @usableFromInline var availIndex: UInt16 = 0
    @usableFromInline var publishedAvail: UInt16 = 0
    @usableFromInline var lastUsed: UInt16 = 0
    @usableFromInline var usedIndex: UInt16 = 0
    /// Set once the device turned out incoherent.
    @inlinable public var breakage: Breakage? { stopped }
    @usableFromInline var stopped: Breakage?
    /// Where the indirect tables stand: `size` tables of `indirectCapacity` entries.
    @usableFromInline let indirectGuest: UInt64
    @usableFromInline let indirectHost: UInt
    public let indirectCapacity: Int

    /// The driver end of `ring`, from index 0.
    ///
    /// With INDIRECT negotiated, `indirectTables` must be room in `memory` for `ring.size` tables
    /// of `indirectCapacity` descriptors; without it, or where there is no such room, chains are
    /// direct.
    public init(
        ring: SplitRing, memory: GuestMemory, features: QueueFeatures,
        indirectTables: GuestAddress? = nil, indirectCapacity: Int = 0
    ) {
        self.ring = ring
        self.features = features
        let count = Int(ring.size)
        nextFree = FixedArray(repeating: 0, count: count)
        chainLength = FixedArray(repeating: 0, count: count)
        for index in 0..<count { nextFree[index] = UInt16(truncatingIfNeeded: index + 1) }
        freeDescriptors = count
        let byteCount = UInt64(count * max(0, indirectCapacity) * 16)
        if features.contains(.indirect), indirectCapacity > 0, let tables = indirectTables,
            let host = memory.translate(tables.rawValue, byteCount: byteCount)
        {
            indirectGuest = tables.rawValue
            indirectHost = host
            self.indirectCapacity = indirectCapacity
        } else {
            (indirectGuest, indirectHost, self.indirectCapacity) = (0, 0, 0)
        }
    }

    /// Places a chain of `buffers`, those the device reads first, and returns its head; nil if the
    /// ring has no room for it now. The device sees it after `publish`.
    @inlinable
    @inline(__always)
    public mutating func add(_ buffers: Span<Buffer>) -> UInt16? {
        precondition(buffers.count > 0)
        let isIndirect = buffers.count > 1 && buffers.count <= indirectCapacity
        let needed = isIndirect ? 1 : buffers.count
        guard needed <= freeDescriptors else { return nil }
        let head = firstFree
        if isIndirect { placeIndirect(buffers, head: head) } else { placeDirect(buffers) }
        chainLength[Int(head)] = UInt16(truncatingIfNeeded: needed)
        freeDescriptors &-= needed
        inFlightCount &+= 1
        ck_store16_relaxed(ring.availEntry(availIndex), head)
        availIndex &+= 1
        return head
    }

    @inlinable
    mutating func placeDirect(_ buffers: Span<Buffer>) {
        var index = firstFree
        for position in 0..<buffers.count {
            let next = nextFree[Int(index)]
            let isLast = position == buffers.count &- 1
            let link = isLast ? nil : next
            ck_store_descriptor(
                ring.descriptorAddress(index), descriptor(buffers[position], next: link))
            index = next
        }
        firstFree = index
    }

    @inlinable
    @inline(__always)
    mutating func placeIndirect(_ buffers: Span<Buffer>, head: UInt16) {
        let offset = UInt(head) &* UInt(indirectCapacity) &* 16
        for position in 0..<buffers.count {
            let isLast = position == buffers.count &- 1
            let link = isLast ? nil : UInt16(truncatingIfNeeded: position &+ 1)
            ck_store_descriptor(
                indirectHost &+ offset &+ UInt(position) &* 16,
                descriptor(buffers[position], next: link))
        }
        let table = ck_descriptor(
            address: indirectGuest &+ UInt64(offset),
            length: UInt32(truncatingIfNeeded: buffers.count &* 16),
            flags: DescriptorFlags.indirect.rawValue, next: 0)
        ck_store_descriptor(ring.descriptorAddress(head), table)
        firstFree = nextFree[Int(head)]
    }

    @inlinable
    func descriptor(_ buffer: Buffer, next: UInt16?) -> ck_descriptor {
        var flags: DescriptorFlags = buffer.isWritable ? .write : []
        if next != nil { flags.insert(.next) }
        return ck_descriptor(
            address: buffer.address.rawValue, length: buffer.byteCount, flags: flags.rawValue,
            next: next ?? 0)
    }

    /// Makes all placed chains visible at once. Returns whether the device wants a kick for them.
    @inlinable
    public mutating func publish() -> Bool {
        let old = publishedAvail
        guard availIndex != old else { return false }
        publishedAvail = availIndex
        ck_store16_release(ring.availIndex, availIndex)
        ck_fence()
        guard features.contains(.eventIndex) else {
            return ck_load16_relaxed(ring.usedFlags) & doNotNotify == 0
        }
        return passesEvent(ck_load16_relaxed(ring.availEvent), old: old, new: availIndex)
    }

    /// Takes back the next chain the device has completed, or nil.
    @inlinable
    @inline(__always)
    public mutating func reap() -> Used? {
        if lastUsed == usedIndex {
            guard breakage == nil else { return nil }
            let index = ck_load16_acquire(ring.usedIndex)
            guard index != lastUsed else { return nil }
            guard Int(index &- lastUsed) <= inFlight else {
                stopped = .usedIndexJump(from: lastUsed, to: index)
                return nil
            }
            usedIndex = index
        }
        let entry = ring.usedEntry(lastUsed)
        let id = ck_load32_relaxed(entry)
        let written = ck_load32_relaxed(entry &+ 4)
        guard id < UInt32(ring.size), chainLength[Int(id)] > 0 else {
            stopped = .notInFlight(id)
            usedIndex = lastUsed
            return nil
        }
        lastUsed &+= 1
        let head = UInt16(truncatingIfNeeded: id)
        free(head)
        return Used(head: head, written: written)
    }

    /// Puts the descriptors of `head`'s chain back. Those of a direct chain are still linked as
    /// they were taken, so the whole run goes to the front of the list.
    @inlinable
    mutating func free(_ head: UInt16) {
        let length = Int(chainLength[Int(head)])
        var last = head
        for _ in 1..<max(1, length) { last = nextFree[Int(last)] }
        nextFree[Int(last)] = firstFree
        firstFree = head
        chainLength[Int(head)] = 0
        freeDescriptors &+= length
        inFlightCount &-= 1
    }

    /// Whether the device has completed something that was not reaped. Costs one load.
    @inlinable
    public var hasUsed: Bool {
        breakage == nil
            && (lastUsed != usedIndex || ck_load16_acquire(ring.usedIndex) != lastUsed)
    }

    /// Asks the device not to interrupt while this end is awake (EVENT_IDX: nothing to do).
    @inlinable
    public func suppressInterrupts() {
        if !features.contains(.eventIndex) {
            ck_store16_relaxed(ring.availFlags, doNotNotify)
        }
    }

    /// Asks for an interrupt once `count` more chains are completed (1 without EVENT_IDX), and
    /// returns whether one came in meanwhile: then the caller must not sleep.
    @inlinable
    public func armInterrupts(after count: Int = 1) -> Bool {
        if features.contains(.eventIndex) {
            let ahead = UInt16(truncatingIfNeeded: max(1, min(count, inFlight)) &- 1)
            ck_store16_relaxed(ring.usedEvent, lastUsed &+ ahead)
        } else {
            ck_store16_relaxed(ring.availFlags, 0)
        }
        ck_fence()
        return hasUsed
    }
}
