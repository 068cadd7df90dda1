extension LUNCounters {
    /// Adds what another queue of the same LUN counted, read at about the same time.
    ///
    /// How long both together were at which depth cannot be told from the two: of the depth only
    /// the mean is known, as the time that requests were in flight.
    public mutating func add(_ other: LUNCounters) {
        monotonic = max(monotonic, other.monotonic)
        for counter in Self.sums { self[keyPath: counter] &+= other[keyPath: counter] }
        if let mine = merges, let others = other.merges { merges = mine &+ others }
        stageSums = Self.sum(stageSums, other.stageSums)
        readLatencyBuckets = Self.sum(readLatencyBuckets, other.readLatencyBuckets)
        writeLatencyBuckets = Self.sum(writeLatencyBuckets, other.writeLatencyBuckets)
        latencySum = timeInFlight &+ other.timeInFlight
        depthTimes = []
        depth += other.depth
        oldest = [oldest, other.oldest].compactMap(\.self).max()
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

    private static func sum(_ a: [UInt64], _ b: [UInt64]) -> [UInt64] {
        a.count == b.count ? zip(a, b).map { $0 &+ $1 } : []
    }
}
