public import CKernel

/// The device's end of a split virtqueue: takes chains from the avail ring, gives heads back
/// through the used ring, and says when it wants to be kicked.
///
/// One thread owns it. Indices are 16 bit and wrap. Invariants: 1. `lastAvail` is the next avail
/// entry to take; `availIndex` the last `avail.idx` that was believed. 2. `availIndex − lastAvail ≤
/// size`, checked whenever `avail.idx` is loaded, else the queue breaks. 3. A head is in flight
/// from `pop` until `push`; taking it a second time breaks the queue. 4. `usedIndex` runs ahead of
/// `publishedUsed` by the entries pushed but not yet published.
public struct DeviceQueue: ~Copyable {
    /// Why a queue stopped (outcome BREAK); it stays so until it is set up anew.
    public enum Breakage: Error, Sendable, Equatable {
        /// `avail.idx` moved by more than the ring holds.
        case availIndexJump(from: UInt16, to: UInt16)
        /// A head at or above the queue size.
        case headOutOfRange(UInt16)
        /// A head that is still in flight.
        case headInFlight(UInt16)
    }

    /// What `pop` found.
    public enum Popped: Sendable, Equatable {
        /// Nothing that was not taken yet, as of the last `refresh`.
        case empty
        /// A chain whose buffers are in the segment list.
        case chain(head: UInt16)
        /// A chain that cannot be served: give the head back with length 0.
        case malformed(head: UInt16, ChainError)
        case broken(Breakage)
    }

    public let ring: SplitRing
    @usableFromInline let regions: RegionTable
    @usableFromInline let features: QueueFeatures
    @usableFromInline let isInFlight: FixedArray<Bool>
    /// Heads taken and not given back.
    @inlinable public var inFlight: Int { inFlightCount }
    @usableFromInline var inFlightCount = 0
    @usableFromInline var lastAvail: UInt16 = 0
    @usableFromInline var availIndex: UInt16 = 0
    @usableFromInline var usedIndex: UInt16 = 0
    @usableFromInline var publishedUsed: UInt16 = 0
    /// Set once the ring turned out incoherent.
    @inlinable public var breakage: Breakage? { stopped }
    @usableFromInline var stopped: Breakage?

    /// The device end of `ring`, from index 0.
    public init(ring: SplitRing, memory: GuestMemory, features: QueueFeatures) {
        self.ring = ring
        regions = RegionTable(memory)
        self.features = features
        isInFlight = FixedArray(repeating: false, count: Int(ring.size))
    }

    /// Loads `avail.idx` once: how many chains can be popped. 0 when the queue is broken.
    @inlinable
    public mutating func refresh() -> Int {
        guard breakage == nil else { return 0 }
        let index = ck_load16_acquire(ring.availIndex)
        guard index &- lastAvail <= ring.size else {
            stopped = .availIndexJump(from: lastAvail, to: index)
            return 0
        }
        availIndex = index
        return Int(index &- lastAvail)
    }

    /// Whether the driver has published something that was not popped. Costs one load.
    @inlinable
    public var hasWork: Bool {
        breakage == nil && ck_load16_acquire(ring.availIndex) != lastAvail
    }

    /// Takes the next chain that `refresh` saw and translates its buffers into `list`.
    @inlinable
    @inline(__always)
    public mutating func pop(into list: inout SegmentList) -> Popped {
        if let breakage { return .broken(breakage) }
        guard lastAvail != availIndex else { return .empty }
        let head = ck_load16_relaxed(ring.availEntry(lastAvail))
        guard head < ring.size else { return stop(.headOutOfRange(head)) }
        guard !isInFlight[Int(head)] else { return stop(.headInFlight(head)) }
        lastAvail &+= 1
        inFlightCount &+= 1
        isInFlight[Int(head)] = true
        let error = ChainWalk.walk(
            head: head, ring: ring, regions: regions, features: features, into: &list)
        if let error { return .malformed(head: head, error) }
        return .chain(head: head)
    }

    @usableFromInline
    mutating func stop(_ breakage: Breakage) -> Popped {
        stopped = breakage
        return .broken(breakage)
    }

    /// Gives `head` back; the driver sees it after the next `publish`. `written` counts the bytes
    /// written from the start of the writable part.
    @inlinable
    @inline(__always)
    public mutating func push(head: UInt16, written: UInt32) {
        precondition(head < ring.size && isInFlight[Int(head)], "a head that was not popped")
        isInFlight[Int(head)] = false
        inFlightCount &-= 1
        let entry = ring.usedEntry(usedIndex)
        ck_store32_relaxed(entry, UInt32(head))
        ck_store32_relaxed(entry &+ 4, written)
        usedIndex &+= 1
    }

    /// Makes all pushed heads visible at once. Returns whether the driver wants an interrupt for
    /// them.
    @inlinable
    public mutating func publish() -> Bool {
        let old = publishedUsed
        guard usedIndex != old else { return false }
        publishedUsed = usedIndex
        ck_store16_release(ring.usedIndex, usedIndex)
        ck_fence()
        guard features.contains(.eventIndex) else {
            return ck_load16_relaxed(ring.availFlags) & doNotNotify == 0
        }
        return passesEvent(ck_load16_relaxed(ring.usedEvent), old: old, new: usedIndex)
    }

    /// Heads pushed and not yet published.
    @inlinable
    public var unpublished: Int { Int(usedIndex &- publishedUsed) }

    /// Asks the driver not to kick while this end is awake. With EVENT_IDX there is nothing to do:
    /// the index at which a kick is wanted simply stays behind.
    @inlinable
    public func suppressKicks() {
        if !features.contains(.eventIndex) {
            ck_store16_relaxed(ring.usedFlags, doNotNotify)
        }
    }

    /// Asks for a kick at the next chain, and returns whether one came in meanwhile: then there
    /// will be no kick and the caller must not sleep. Called only where the thread would block.
    @inlinable
    public func armKicks() -> Bool {
        if features.contains(.eventIndex) {
            ck_store16_relaxed(ring.availEvent, lastAvail)
        } else {
            ck_store16_relaxed(ring.usedFlags, 0)
        }
        ck_fence()
        return hasWork
    }
}
