internal import Libraries
internal import Telemetry

/// A histogram that a program keeps, seen from reading to reading.
struct Tally {
    /// Words of `struct tally`: the sum, then the buckets.
    static let words = 1 + LatencyBuckets.count

    private var last = (sum: UInt64(0), buckets: BucketCounts())

    /// What was counted since the reading before.
    mutating func advance(to current: [UInt64]) -> LatencyHistogram {
        let now = (sum: current[0], buckets: BucketCounts(Array(current[1...])))
        defer { last = now }
        return now.buckets.histogram(since: last.buckets, sum: now.sum &- last.sum)
    }

    /// Reads entry `key` of `map`; nothing is new where it cannot be read.
    mutating func advance(
        _ map: BPFMap, _ key: Int, scratch: inout [UInt64]
    ) -> LatencyHistogram {
        var sum: [UInt64] = []
        guard (try? map.read(UInt32(key), into: &sum, scratch: &scratch)) != nil else {
            return LatencyHistogram()
        }
        return advance(to: sum)
    }
}
