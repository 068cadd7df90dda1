extension LUNCounters {
    /// Adds what another queue of the same LUN counted, read at about the same time.
    ///
    /// How long both together were at which depth cannot be told from the two: of the depth only
    /// the mean is known, as the time that requests were in flight.
    public mutating func add(_ other: LUNCounters) {
        monotonic = max(monotonic, other.monotonic)
        for counter in Self.sums { self[keyPath: counter] &+= other[keyPath: counter] }
        merges = Self.sum(merges, other.merges)
        exits = Self.sum(exits, other.exits)
        stageSums = Self.sum(stageSums, other.stageSums)
        readLatencyBuckets = Self.sum(readLatencyBuckets, other.readLatencyBuckets)
        writeLatencyBuckets = Self.sum(writeLatencyBuckets, other.writeLatencyBuckets)
        latencySum = timeInFlight &+ other.timeInFlight
        depthTimes = []
        depth += other.depth
        oldest = [oldest, other.oldest].compactMap(\.self).max()
    }

    /// What the queues of a LUN counted together; `nil` without any.
    public init?(summing queues: [LUNCounters]) {
        guard let first = queues.first else { return nil }
        self = first
        for queue in queues.dropFirst() { add(queue) }
    }

    private static var sums: [WritableKeyPath<LUNCounters, UInt64>] {
        [
            \.reads, \.writes, \.flushes, \.discards, \.writeZeroes, \.others, \.readBytes,
            \.writeBytes, \.errors, \.kicks, \.kicksSuppressed, \.interrupts,
            \.interruptsSuppressed, \.fullTime, \.turns, \.readLatencySum, \.writeLatencySum,
            \.staged,
        ]
    }

    /// Nanoseconds that requests were in flight, those of each added up.
    private var timeInFlight: UInt64 {
        latencySum
            ?? depthTimes.enumerated().reduce(0) { $0 &+ UInt64($1.offset) &* $1.element }
    }

    /// What only one of two counts is not known of both.
    private static func sum(_ a: UInt64?, _ b: UInt64?) -> UInt64? {
        guard let a, let b else { return nil }
        return a &+ b
    }

    private static func sum(_ a: BucketCounts?, _ b: BucketCounts?) -> BucketCounts? {
        guard var sum = a, let b else { return nil }
        sum.add(b)
        return sum
    }

    private static func sum(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        a.count == b.count ? zip(a, b).map { $0 &+ $1 } : []
    }
}

extension LUN {
    /// Fills rates, histograms and each queue's rates from two readings of what every queue of the
    /// LUN counted, each in the order of the queues. With no `previous`, or one of another number
    /// of queues, only the gauges are known.
    public mutating func derive(fromQueues previous: [LUNCounters]?, to current: [LUNCounters]) {
        // Nothing to add up, and counters take longer to copy than to derive from.
        if current.count == 1 {
            return derive(from: previous?.count == 1 ? previous?[0] : nil, to: current[0])
        }
        guard let now = LUNCounters(summing: current) else { return }
        let previous = previous.flatMap { $0.count == current.count ? $0 : nil }
        derive(from: previous.flatMap { LUNCounters(summing: $0) }, to: now)
        guard let previous, virtqueues.count == current.count else { return }
        for (index, (before, after)) in zip(previous, current).enumerated() {
            guard let interval = RateInterval(from: before.monotonic, to: after.monotonic) else {
                continue
            }
            virtqueues[index].derive(from: before, to: after, over: interval)
        }
    }
}
