/// A run of host memory a request reads or writes; laid out as the kernel's `iovec`.
@frozen
public struct Segment: Sendable, BitwiseCopyable, Equatable {
    public var address: UInt
    public var byteCount: UInt

    /// `byteCount` bytes at `address`.
    @inlinable
    public init(address: UInt, byteCount: UInt) {
        self.address = address
        self.byteCount = byteCount
    }
}

/// The buffers of one descriptor chain, translated: first those the device reads, then those it
/// writes.
///
/// One list serves a queue: it is filled anew for every chain and never grows.
public struct SegmentList: ~Copyable {
    @usableFromInline let segments: FixedArray<Segment>
    @usableFromInline var tally = Tally()

    @usableFromInline
    struct Tally {
        @usableFromInline var count = 0
        @usableFromInline var readableCount = 0
        @usableFromInline var readableBytes: UInt64 = 0
        @usableFromInline var writableBytes: UInt64 = 0
        @inlinable init() {}
    }

    /// Segments in the list.
    @inlinable public var count: Int { tally.count }
    /// Of these the first ones, which the device reads; the rest it writes.
    @inlinable public var readableCount: Int { tally.readableCount }
    /// Bytes the device reads, at most 4 GiB.
    @inlinable public var readableBytes: UInt64 { tally.readableBytes }
    /// Bytes the device writes, at most 4 GiB.
    @inlinable public var writableBytes: UInt64 { tally.writableBytes }

    /// Room for `capacity` segments.
    public init(capacity: Int) {
        segments = FixedArray(repeating: Segment(address: 0, byteCount: 0), count: capacity)
    }

    /// Segment `index`, in `0..<count`.
    @inlinable
    public subscript(index: Int) -> Segment { segments[index] }

    /// Empties the list.
    @inlinable
    public mutating func removeAll() { tally = Tally() }

    /// Holds just `segment`, which the device writes or reads: a request's data that came in no
    /// chain.
    @inlinable
    public mutating func hold(_ segment: Segment, isWritable: Bool) {
        removeAll()
        _ = append(
            address: segment.address, byteCount: segment.byteCount, isWritable: isWritable)
    }

    /// Appends a segment, or returns false if the list is full.
    @inlinable
    mutating func append(address: UInt, byteCount: UInt, isWritable: Bool) -> Bool {
        guard count < segments.count else { return false }
        segments[count] = Segment(address: address, byteCount: byteCount)
        tally.count &+= 1
        if isWritable {
            tally.writableBytes &+= UInt64(byteCount)
        } else {
            tally.readableBytes &+= UInt64(byteCount)
            tally.readableCount &+= 1
        }
        return true
    }
}

extension SegmentList {
    /// Appends the guest's bytes from `address` on, cut where one region of its memory ends and the
    /// next begins. Returns false, with the list no longer of use, if they are not all in memory or
    /// the list is full.
    ///
    /// For devices whose buffers are named by other means than a descriptor chain. Readable
    /// segments must come before writable ones.
    public mutating func append(
        _ address: GuestAddress, byteCount: UInt64, isWritable: Bool, in memory: GuestMemory
    ) -> Bool {
        var address = address.rawValue
        var remaining = byteCount
        while remaining > 0 {
            guard let run = memory.prefix(address) else { return false }
            let count = min(run.byteCount, remaining)
            guard append(address: run.host, byteCount: UInt(count), isWritable: isWritable) else {
                return false
            }
            remaining -= count
            let (next, overflow) = address.addingReportingOverflow(count)
            if overflow, remaining > 0 { return false }
            address = next
        }
        return true
    }
}
