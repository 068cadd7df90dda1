internal import Libraries
internal import Telemetry

/// A histogram that a program keeps, seen from reading to reading.
struct Tally {
    /// Words of `struct tally`: the sum, then the buckets.
    static let words = 1 + LatencyBuckets.count

    private var last = [UInt64](repeating: 0, count: words)

    /// What was counted since the reading before.
    mutating func advance(to current: [UInt64]) -> LatencyHistogram {
        defer { last = current }
        return LatencyHistogram(
            from: last[1...], to: current[1...], sum: current[0] &- last[0])
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
