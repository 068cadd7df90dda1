/// How often each bucket of `LatencyBuckets` was counted since the start: those from the first to
/// the last that ever were, as most never are.
public struct BucketCounts: Sendable, Equatable {
    /// The bucket that `counts` begins with.
    private var first = 0
    private var counts: [UInt64] = []

    /// Nothing counted yet.
    public init() {}

    /// The counts of the buckets from `first` on.
    public init(_ counts: [UInt64], from first: Int = 0) {
        guard let start = counts.firstIndex(where: { $0 != 0 }),
            let last = counts.lastIndex(where: { $0 != 0 })
        else { return }
        self.first = first + start
        self.counts = last - start + 1 == counts.count ? counts : Array(counts[start...last])
    }

    /// The buckets from the first to the last that were counted; empty where none was.
    public var range: Range<Int> { first..<first + counts.count }

    /// How many were counted in all.
    public var total: UInt64 { counts.reduce(0, &+) }

    /// How often one bucket was.
    public subscript(bucket: Int) -> UInt64 {
        range.contains(bucket) ? counts[bucket - first] : 0
    }

    /// Counts `count` more in one bucket.
    public mutating func add(_ count: UInt64 = 1, to bucket: Int) {
        guard count > 0 else { return }
        if counts.isEmpty { first = bucket }
        if bucket < first {
            counts.insert(contentsOf: repeatElement(0, count: first - bucket), at: 0)
            first = bucket
        }
        if bucket >= range.upperBound {
            counts.append(contentsOf: repeatElement(0, count: bucket - range.upperBound + 1))
        }
        counts[bucket - first] &+= count
    }

    /// What was counted; counting begins anew, with room for as much. The room is made here, not
    /// where requests are counted.
    public mutating func take() -> BucketCounts {
        let taken = self
        for place in counts.indices { counts[place] = 0 }
        return taken
    }

    /// Adds what `other` counted.
    public mutating func add(_ other: BucketCounts) {
        for bucket in other.range { add(other[bucket], to: bucket) }
    }

    /// What was counted after `previous` and up to here, as the histogram of `sum` nanoseconds. A
    /// bucket that went down was reset, and counts nothing.
    public func histogram(since previous: BucketCounts, sum: UInt64) -> LatencyHistogram {
        var buckets: [LatencyHistogram.Bucket] = []
        let shift = first - previous.first
        for (place, now) in counts.enumerated() {
            let old = place + shift
            let before = previous.counts.indices.contains(old) ? previous.counts[old] : 0
            guard now > before else { continue }
            buckets.append(
                .init(
                    index: UInt16(clamping: first + place), count: UInt32(clamping: now - before)))
        }
        return LatencyHistogram(buckets: buckets, sum: sum)
    }
}
