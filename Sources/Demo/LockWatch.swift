import DataPlane
import Kernel
import Telemetry

/// What waiting for the Big QEMU Lock cost between two samples.
struct LockWatch {
    /// A thread that takes the lock, and what it had to do with it since the start.
    struct Taker: Sendable {
        var tid: Int
        var name: String
        var counts: LockCounts
    }

    /// What one thread waited in the interval.
    struct Waits: Sendable, Equatable {
        var perSecond: Double?
        /// Percent of the interval.
        var percent: Double?
    }

    private var previous: [Int: LockCounts] = [:]
    private var previousBuckets: BucketCounts?
    private var previousTime: Nanoseconds?
    /// By thread id, of those that take the lock.
    private(set) var waits: [Int: Waits] = [:]

    /// What all waited since the call before. `buckets` are waits since the start by their length,
    /// read at `now` as the counts of `takers` were.
    mutating func update(
        _ takers: [Taker], buckets: BucketCounts, now: Nanoseconds
    ) -> LockActivity {
        let interval = previousTime.flatMap { RateInterval(from: $0, to: now) }
        var lock = LockActivity(
            name: "BQL", waits: nil, waitPercent: nil, longest: nil, waiters: [])
        var waiters: [(name: String, time: Nanoseconds)] = []
        waits = [:]
        for taker in takers {
            var mine = Waits()
            if let interval, let before = previous[taker.tid] {
                let counts = taker.counts
                mine.perSecond = interval.rate(before.waits, counts.waits)
                mine.percent = interval.percent(before.waitTime, counts.waitTime)
                if counts.waits > before.waits {
                    waiters.append((taker.name, counts.waitTime &- before.waitTime))
                }
            }
            waits[taker.tid] = mine
            previous[taker.tid] = taker.counts
        }
        if interval != nil {
            lock.waits = waits.values.compactMap(\.perSecond).reduce(0, +)
            lock.waitPercent =
                waits.values.compactMap(\.percent).reduce(0, +).roundedToThousandths
        }
        // Who waited longest comes first: a screen has room for some.
        lock.waiters = waiters.sorted { $0.time > $1.time }.map(\.name)
        if let previousBuckets {
            let summary = LatencySummary(of: buckets.histogram(since: previousBuckets, sum: 0))
            (lock.p99, lock.longest) = (summary?.p99, summary?.max)
        }
        (previousBuckets, previousTime) = (buckets, now)
        return lock
    }
}
