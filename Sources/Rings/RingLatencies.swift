public import Telemetry

/// How long followed requests took, as far as the looks tell.
public struct RingLatencies: Sendable, Equatable {
    /// Requests that were under way for longer than it is uncertain when they began and ended.
    private var counts = BucketCounts()
    /// What those took, nanoseconds.
    private var sum: UInt64 = 0
    /// The others: they began and ended between two looks or so. How long they took, looks do not
    /// tell, but how long together at most.
    private var briefCount: UInt64 = 0
    private var briefTime: UInt64 = 0

    /// None.
    public init() {}

    /// All requests.
    public var count: UInt64 { counts.total &+ briefCount }

    /// Counts a request of `latency` nanoseconds that may be off by `error`.
    public mutating func add(_ latency: Nanoseconds, error: Nanoseconds) {
        if error < latency {
            counts.add(to: LatencyBuckets.index(of: latency))
            sum &+= latency
        } else {
            briefCount &+= 1
            briefTime &+= latency &+ error
        }
    }

    /// Adds those of `other`.
    public mutating func add(_ other: RingLatencies) {
        counts.add(other.counts)
        sum &+= other.sum
        briefCount &+= other.briefCount
        briefTime &+= other.briefTime
    }

    /// What was counted; it begins anew without giving its memory back.
    mutating func take() -> RingLatencies {
        var taken = self
        taken.counts = counts.take()
        (sum, briefCount, briefTime) = (0, 0, 0)
        return taken
    }

    /// A `share` of 0…1 of these, and the rest of them. Counts are rounded; the rounding of each
    /// bucket goes into the next.
    public func divided(by share: Double) -> (RingLatencies, RingLatencies) {
        let share = share.isFinite ? min(max(share, 0), 1) : 0.5
        var carry = 0.0
        func part(_ count: UInt64) -> UInt64 {
            let exact = Double(count) * share + carry
            let part = min(count, UInt64(min(max(0, exact.rounded()), 9e18)))
            carry = exact - Double(part)
            return part
        }
        var (first, rest) = (RingLatencies(), RingLatencies())
        // What the requests of both took by their buckets' middles.
        var (own, all) = (0.0, 0.0)
        for bucket in counts.range where counts[bucket] > 0 {
            let (count, range) = (part(counts[bucket]), LatencyBuckets.range(of: bucket))
            first.counts.add(count, to: bucket)
            rest.counts.add(counts[bucket] - count, to: bucket)
            let middle = (Double(range.lowerBound) + Double(range.upperBound)) / 2
            own += Double(count) * middle
            all += Double(counts[bucket]) * middle
        }
        first.sum = Self.part(of: sum, own, of: all)
        rest.sum = sum - first.sum
        first.briefCount = part(briefCount)
        rest.briefCount = briefCount - first.briefCount
        first.briefTime = Self.part(
            of: briefTime, Double(first.briefCount), of: Double(briefCount))
        rest.briefTime = briefTime - first.briefTime
        return (first, rest)
    }

    /// As much of `time` as `own` is of `all`.
    private static func part(of time: UInt64, _ own: Double, of all: Double) -> UInt64 {
        guard own < all else { return time }
        return min(time, UInt64(min(Double(time) * own / all, 9e18)))
    }

    /// The mean in microseconds, where brief requests took too little together to matter: at most a
    /// twentieth of what the others took, half of which is the best guess. `nil` without requests.
    public var mean: Double? {
        guard count > 0, briefTime <= sum / 20 else { return nil }
        return (Double(sum) + Double(briefTime) / 2) / Double(count) / 1000
    }

    /// All of these. What looks do not tell of is counted as such; its time is what the others
    /// leave of that of all, where somebody counts a `mean` in microseconds.
    public func histogram(mean: Double?) -> LatencyHistogram {
        var all = LatencyHistogram()
        if briefCount > 0 {
            // A mean may be anything at all that QEMU says.
            let whole = min(max(0, (mean ?? 0) * 1000 * Double(count)), 9e18)
            let left = whole > Double(sum) ? UInt64(whole - Double(sum)) : 0
            let brief = LatencyHistogram.Bucket(
                index: UInt16(LatencyBuckets.untold), count: UInt32(clamping: briefCount))
            all = LatencyHistogram(buckets: [brief], sum: left)
        }
        all.add(counts.histogram(since: BucketCounts(), sum: sum))
        return all
    }
}
