import DataPlane
import Kernel
import Telemetry
import Testing

@testable import Demo

@Suite struct LockWatchTests {
    private let second: Nanoseconds = 1_000_000_000

    private func taker(
        _ tid: Int, _ name: String, waits: UInt64, time: Nanoseconds
    ) -> LockWatch.Taker {
        var counts = LockCounts()
        (counts.acquisitions, counts.waits, counts.waitTime) = (waits * 2, waits, time)
        return LockWatch.Taker(tid: tid, name: name, counts: counts)
    }

    private func buckets(_ waits: [Nanoseconds]) -> BucketCounts {
        var buckets = BucketCounts()
        for wait in waits { buckets.add(to: LatencyBuckets.index(of: wait)) }
        return buckets
    }

    @Test func waitsOfTheIntervalAndWhoWaitedLongest() throws {
        var watch = LockWatch()
        let first = watch.update(
            [
                taker(1, "vcpu0", waits: 100, time: 7 * second),
                taker(2, "main loop", waits: 5, time: 0),
            ],
            buckets: buckets([50_000]), now: second)
        #expect(first.waits == nil && first.waitPercent == nil && first.longest == nil)
        #expect(first.waiters.isEmpty)
        let lock = watch.update(
            [
                taker(1, "vcpu0", waits: 120, time: 7 * second + second / 5),
                taker(2, "main loop", waits: 6, time: second),
                taker(3, "vcpu1", waits: 0, time: 0),
            ], buckets: buckets([50_000, 1000, 2000]), now: 3 * second)
        #expect(lock.name == "BQL")
        #expect(lock.waits == 10.5)
        #expect(lock.waitPercent == 60)
        #expect(lock.waiters == ["main loop", "vcpu0"])
        #expect(abs((lock.longest ?? 0) - 2) < 2 * 0.032, "the one of 50 µs was before")
        #expect(watch.waits[1] == LockWatch.Waits(perSecond: 10, percent: 10))
        #expect(watch.waits[3] == LockWatch.Waits(), "it has been seen once")
    }

    @Test func whoDoesNotWaitIsNoWaiter() {
        var watch = LockWatch()
        for time in 1...2 {
            let lock = watch.update(
                [taker(1, "vcpu0", waits: 3, time: 5)], buckets: buckets([5]),
                now: Nanoseconds(time) * second)
            #expect(lock.waiters.isEmpty)
            #expect(lock.waits == (time == 1 ? nil : 0))
            #expect(lock.p99 == nil)
        }
    }
}
