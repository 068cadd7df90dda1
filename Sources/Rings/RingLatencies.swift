public import Telemetry

/// How long followed requests took, as far as the looks tell.
public struct RingLatencies: Sendable, Equatable {
    /// Requests that were under way for longer than it is uncertain when they began and ended.
    private var counts = BucketCounts()
    private var sum: UInt64 = 0
    /// The others: they began and ended between two looks or so. How many, and the nanoseconds
    /// they took at a guess.
    private var briefCount: UInt64 = 0
    private var briefSum: UInt64 = 0

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
            briefSum &+= latency
        }
    }

    /// All of these, and of `others` a `share` of 0…1, as a histogram whose mean is `mean`,
    /// microseconds, where somebody counts it: the brief ones then took what the rest leaves of the
    /// whole time. A guess has a mean of its own.
    public func histogram(
        with others: RingLatencies = RingLatencies(), share: Double = 0, mean: Double?
    ) -> LatencyHistogram {
        var all = others.slow.scaled(by: share)
        all.add(slow)
        let brief = Double(briefCount) + (Double(others.briefCount) * share).rounded()
        guard brief > 0 else { return all }
        let guess =
            Double(briefSum &+ others.briefSum) / Double(briefCount &+ others.briefCount)
        var each = guess
        if let mean {
            let left = mean * 1000 * (Double(all.count) + brief) - Double(all.sum)
            each = left > 0 ? left / brief : min(guess, mean * 1000)
        }
        // A mean may be anything at all that QEMU says.
        each = min(max(0, each), Self.longest)
        let bucket = LatencyHistogram.Bucket(
            index: UInt16(LatencyBuckets.index(of: UInt64(each))),
            count: UInt32(min(brief, Double(UInt32.max))))
        let sum = UInt64(min((each * brief).rounded(), 1e19))
        all.add(LatencyHistogram(buckets: [bucket], sum: sum))
        return all
    }

    /// What the last bucket begins with, nanoseconds.
    private static let longest = 1.37e11

    private var slow: LatencyHistogram { counts.histogram(since: BucketCounts(), sum: sum) }
}
