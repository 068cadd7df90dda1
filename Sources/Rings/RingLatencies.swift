public import Telemetry

/// How long followed requests took, as far as the looks tell.
public struct RingLatencies: Sendable, Equatable {
    /// Requests that were under way for longer than it is uncertain when they began and ended.
    private var counts = BucketCounts()
    /// What those took, nanoseconds.
    private var sum: UInt64 = 0
    /// The others: they began and ended between two looks or so. How long they took, looks do not
    /// tell.
    private var briefCount: UInt64 = 0

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
        }
    }

    /// Adds those of `other`.
    public mutating func add(_ other: RingLatencies) {
        counts.add(other.counts)
        sum &+= other.sum
        briefCount &+= other.briefCount
    }

    /// What was counted; it begins anew without giving its memory back.
    mutating func take() -> RingLatencies {
        var taken = self
        taken.counts = counts.take()
        (sum, briefCount) = (0, 0)
        return taken
    }

    /// A `share` of 0…1 of these, and the rest of them.
    public func divided(by share: Double) -> (RingLatencies, RingLatencies) {
        let share = min(max(share, 0), 1)
        func part(_ value: UInt64) -> UInt64 {
            min(value, UInt64(min((Double(value) * share).rounded(), 1e19)))
        }
        var (first, rest) = (RingLatencies(), RingLatencies())
        for bucket in counts.range {
            first.counts.add(part(counts[bucket]), to: bucket)
            rest.counts.add(counts[bucket] - part(counts[bucket]), to: bucket)
        }
        (first.sum, rest.sum) = (part(sum), sum - part(sum))
        (first.briefCount, rest.briefCount) = (part(briefCount), briefCount - part(briefCount))
        return (first, rest)
    }

    /// The mean in microseconds, where the looks tell the latency of all; `nil` without requests.
    public var mean: Double? {
        count > 0 && briefCount == 0 ? Double(sum) / Double(count) / 1000 : nil
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
