internal import Telemetry

/// Latencies in powers of two of a microsecond, reads and writes apart: what a histogram on a
/// screen shows. A fine bucket counts where its middle lies, which is at most 1.6 % off.
struct PowerHistogram {
    /// Requests that took at least half of `upperBound` and less than it.
    struct Bucket {
        /// Microseconds; a power of two, or 0: of requests that were over too soon to tell.
        let upperBound: Double
        var reads: UInt64 = 0
        var writes: UInt64 = 0
        var count: UInt64 { reads &+ writes }

        /// Whether a latency of so many microseconds is counted here.
        func holds(_ microseconds: Double) -> Bool {
            microseconds < upperBound && (microseconds >= upperBound / 2 || upperBound == 1)
        }
    }
    /// From the fastest to the slowest that counts anything, with the empty ones between; before
    /// them what is not told.
    let buckets: [Bucket]
    let count: UInt64

    init(reads: LatencyHistogram, writes: LatencyHistogram) {
        // 2^28 us are beyond the last fine bucket (2^37 ns).
        var all = [Bucket(upperBound: 0)] + (0...28).map { Bucket(upperBound: Double(1 << $0)) }
        for bucket in reads.buckets { all[Self.index(of: bucket)].reads += UInt64(bucket.count) }
        for bucket in writes.buckets { all[Self.index(of: bucket)].writes += UInt64(bucket.count) }
        count = all.reduce(0) { $0 &+ $1.count }
        let told = all.indices.dropFirst().filter { all[$0].count > 0 }
        let untold = all[0].count > 0 ? [all[0]] : []
        buckets = untold + (told.last.map { Array(all[told[0]...$0]) } ?? [])
    }

    private static func index(of bucket: LatencyHistogram.Bucket) -> Int {
        if Int(bucket.index) == LatencyBuckets.untold { return 0 }
        let range = LatencyBuckets.range(of: Int(bucket.index))
        let middle = range.lowerBound + (range.upperBound - range.lowerBound) / 2
        let microseconds = middle / 1000
        return 1 + min(28, UInt64.bitWidth - microseconds.leadingZeroBitCount)
    }
}
