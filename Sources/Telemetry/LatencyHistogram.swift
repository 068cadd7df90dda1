/// The bucket layout latencies are counted in: log-linear as in HdrHistogram, 32 buckets a power of
/// two.
///
/// Values are nanoseconds. Below 64 every value has its own bucket; above, a bucket is at most 1/32
/// (3.1 %) wide, so that its middle is within 1.6 % of any value in it. Values from 2³⁷ ns (137 s)
/// on share the last bucket. Finding a bucket takes a count of leading zeros, a shift and an add:
/// the data plane counts in this layout in place.
public enum LatencyBuckets {
    /// Number of buckets.
    public static let count = 1056

    /// The bucket of 0 ns. No request takes that: where latencies come of looks, it counts those of
    /// which is known only that they were over too soon to tell how long they took.
    public static let untold = 0

    /// The bucket that counts `nanoseconds`, in `0..<count`.
    @inlinable
    public static func index(of nanoseconds: UInt64) -> Int {
        let value = min(nanoseconds, (1 << 37) - 1)
        let shift = max(0, 58 - value.leadingZeroBitCount)
        return shift &* 32 &+ Int(truncatingIfNeeded: value &>> UInt64(shift))
    }

    /// The values bucket `index` counts, nanoseconds.
    public static func range(of index: Int) -> ClosedRange<UInt64> {
        let index = UInt64(min(max(index, 0), count - 1))
        guard index >= 64 else { return index...index }
        let shift = index / 32 - 1
        let first = (index % 32 + 32) << shift
        return first...(first + (1 << shift) - 1)
    }
}

/// How many requests took how long during an interval: the non-empty buckets of `LatencyBuckets`.
///
/// Adding two histograms gives that of both intervals, or of both LUNs. A busy LUN has some 30
/// buckets in use, about a quarter of a kilobyte.
public struct LatencyHistogram: Sendable, Equatable {
    /// A non-empty bucket.
    public struct Bucket: Sendable, Equatable {
        /// Index in `LatencyBuckets`.
        public var index: UInt16
        public var count: UInt32

        /// A bucket with its count.
        public init(index: UInt16, count: UInt32) {
            self.index = index
            self.count = count
        }
    }
    /// By ascending index, no count 0.
    public private(set) var buckets: [Bucket]
    /// Sum of the values, nanoseconds: means are exact.
    public private(set) var sum: UInt64

    /// An empty histogram.
    public init() {
        buckets = []
        sum = 0
    }

    /// A histogram of these buckets, with the `sum` of the values in nanoseconds. A bucket that
    /// does not follow those before it, counts nothing, or that the layout has not, is left out.
    public init(buckets: [Bucket], sum: UInt64) {
        self.sum = sum
        var next = 0
        // Nearly always nothing is left out, and the array can be kept.
        let isInOrder = buckets.allSatisfy { bucket in
            let index = Int(bucket.index)
            guard index >= next, index < LatencyBuckets.count, bucket.count > 0 else {
                return false
            }
            next = index + 1
            return true
        }
        self.buckets = buckets
        if isInOrder { return }
        next = 0
        self.buckets = buckets.filter { bucket in
            let index = Int(bucket.index)
            guard index >= next, index < LatencyBuckets.count, bucket.count > 0 else {
                return false
            }
            next = index + 1
            return true
        }
    }

    /// Requests counted.
    public var count: UInt64 { buckets.reduce(0) { $0 + UInt64($1.count) } }

    /// Those of them that were over too soon to tell how long they took, where latencies come of
    /// looks.
    public var untoldCount: UInt64 {
        guard let first = buckets.first, first.index == LatencyBuckets.untold else { return 0 }
        return UInt64(first.count)
    }

    /// Counts one request that took `nanoseconds`.
    public mutating func record(_ nanoseconds: UInt64) {
        add(LatencyHistogram(single: nanoseconds))
    }

    private init(single nanoseconds: UInt64) {
        buckets = [Bucket(index: UInt16(LatencyBuckets.index(of: nanoseconds)), count: 1)]
        sum = nanoseconds
    }

    /// Adds the requests of `other`.
    public mutating func add(_ other: LatencyHistogram) {
        var merged: [Bucket] = []
        merged.reserveCapacity(max(buckets.count, other.buckets.count))
        var mine = buckets[...]
        var theirs = other.buckets[...]
        while let left = mine.first, let right = theirs.first {
            if left.index == right.index {
                let (total, overflow) = left.count.addingReportingOverflow(right.count)
                merged.append(Bucket(index: left.index, count: overflow ? .max : total))
                mine.removeFirst()
                theirs.removeFirst()
            } else if left.index < right.index {
                merged.append(left)
                mine.removeFirst()
            } else {
                merged.append(right)
                theirs.removeFirst()
            }
        }
        buckets = merged + mine + theirs
        sum &+= other.sum
    }
}

/// Latencies of an interval in microseconds.
public struct LatencySummary: Sendable, Equatable {
    /// Mean, exact where it is counted; `nil` where some were over too soon to tell and nobody
    /// counts their time.
    public var mean: Double?
    /// Half of the requests took at most this; `nil` where only means are known, or not this.
    public var p50: Double?
    public var p99: Double?
    public var p999: Double?
    /// The slowest request, within the bucket width of 3.1 %.
    public var max: Double?

    /// A summary, percentiles where known.
    public init(
        mean: Double?, p50: Double? = nil, p99: Double? = nil, p999: Double? = nil,
        max: Double? = nil
    ) {
        self.mean = mean
        self.p50 = p50
        self.p99 = p99
        self.p999 = p999
        self.max = max
    }
}

extension LatencySummary {
    /// Mean and percentiles of `latencies`, `nil` when it tells nothing. Of looks, which may be
    /// off by `uncertainty`, microseconds, no percentile is known that is not above that, so none
    /// that lies among the requests too soon over to tell; and no mean, where there are such.
    ///
    /// A percentile is the upper end of the bucket in which it lies, as HdrHistogram has it (its
    /// Swift library is the oracle in the tests): the stated share of requests took at most that
    /// long.
    public init?(of latencies: LatencyHistogram?, within uncertainty: Double? = nil) {
        guard let latencies, let last = latencies.buckets.last else { return nil }
        let count = latencies.count
        var seen: UInt64 = 0
        var at = latencies.buckets.startIndex
        /// The upper end of the bucket that holds request number ⌈share × count⌉; shares must grow.
        func microseconds(_ share: Double) -> Double {
            let wanted = UInt64((share * Double(count)).rounded(.up))
            while seen + UInt64(latencies.buckets[at].count) < wanted,
                at < latencies.buckets.endIndex - 1
            {
                seen += UInt64(latencies.buckets[at].count)
                at += 1
            }
            return Self.upperEnd(of: latencies.buckets[at])
        }
        func known(_ value: Double) -> Double? {
            uncertainty.map { value > $0 } ?? true ? value : nil
        }
        let isWhole = uncertainty == nil || latencies.untoldCount == 0
        self.init(
            mean: isWhole ? Double(latencies.sum) / Double(count) / 1000 : nil,
            p50: known(microseconds(0.5)),
            p99: known(microseconds(0.99)), p999: known(microseconds(0.999)),
            max: known(Self.upperEnd(of: last)))
        // The slowest is the last of them that may be known.
        if mean == nil, max == nil { return nil }
    }

    private static func upperEnd(of bucket: LatencyHistogram.Bucket) -> Double {
        Double(LatencyBuckets.range(of: Int(bucket.index)).upperBound) / 1000
    }
}
