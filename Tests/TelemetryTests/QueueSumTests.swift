import Telemetry
import Testing

private let second: Nanoseconds = 1_000_000_000

@Suite struct QueueSums {
    private static var counters: [WritableKeyPath<LUNCounters, UInt64>] {
        [
            \.reads, \.writes, \.flushes, \.discards, \.writeZeroes, \.others, \.readBytes,
            \.writeBytes, \.errors, \.kicks, \.kicksSuppressed, \.interrupts,
            \.interruptsSuppressed,
            \.fullTime, \.turns, \.readLatencySum, \.writeLatencySum, \.staged,
        ]
    }

    /// Every counter says `count`.
    private func queue(_ count: UInt64, at time: Nanoseconds = second) -> LUNCounters {
        var queue = LUNCounters(monotonic: time)
        for counter in Self.counters { queue[keyPath: counter] = count }
        queue.merges = count
        queue.exits = count
        queue.stageSums = (0..<5).map { count + $0 }
        queue.readLatencyBuckets = BucketCounts([count, 0])
        queue.writeLatencyBuckets = BucketCounts([0, count])
        queue.depthTimes = [0, count, count]
        queue.depth = Int(count)
        queue.oldest = count
        return queue
    }

    @Test func everyCounterIsTheSum() {
        var sum = queue(20, at: 5)
        sum.add(queue(3, at: 7))
        for counter in Self.counters { #expect(sum[keyPath: counter] == 23, "\(counter)") }
        #expect(sum.monotonic == 7)
        #expect(sum.merges == 23 && sum.exits == 23)
        #expect(sum.stageSums == [23, 25, 27, 29, 31])
        #expect(sum.readLatencyBuckets == BucketCounts([23, 0]))
        #expect(sum.writeLatencyBuckets == BucketCounts([0, 23]))
        #expect(sum.depth == 23)
        #expect(sum.oldest == 20)
    }

    @Test func whatOneQueueDoesNotCountIsNotKnownOfBoth() {
        var sum = queue(20)
        var other = queue(3)
        (other.merges, other.exits) = (nil, nil)
        other.readLatencyBuckets = nil
        sum.add(other)
        #expect(sum.merges == nil && sum.exits == nil)
        #expect(sum.readLatencyBuckets == nil)
        var unknown = other
        unknown.add(queue(3))
        #expect(unknown.merges == nil && unknown.exits == nil)
        #expect(unknown.reads == 6)
    }

    @Test func theOldestOfQueuesOfWhichOneIsIdle() {
        var idle = queue(1)
        idle.oldest = nil
        var busy = queue(5)
        busy.add(idle)
        #expect(busy.oldest == 5)
        idle.add(idle)
        #expect(idle.oldest == nil)
    }

    /// Depths over time are not known of both queues; the time in flight adds up, and by it the
    /// mean.
    @Test func theMeanDepthIsThatOfAllQueues() throws {
        var before = LUNCounters(monotonic: 0)
        before.depthTimes = [0, 0, 0, 0]
        let empty = before
        before.add(empty)
        before.add(empty)
        var one = LUNCounters(monotonic: second)
        one.depthTimes = [0, 0, second, 0]
        var three = LUNCounters(monotonic: second)
        three.depthTimes = [second / 2, 0, 0, second / 2]
        var after = one
        after.add(three)
        after.add(LUNCounters(monotonic: second))
        var lun = LUN(id: "vd00", device: "virtio-blk")
        lun.derive(from: before, to: after)
        #expect(lun.rates.queueDepth == QueueDepth(now: nil, mean: 3.5))
    }

    private func lun(queues: Int) -> LUN {
        var lun = LUN(id: "vd00", device: "virtio-blk")
        lun.virtqueues = (0..<queues).map {
            Virtqueue(index: $0, size: 256, availIndex: 0, usedIndex: 0, inFlight: 0)
        }
        return lun
    }

    @Test func everyQueueHasItsOwnRates() {
        let before = [LUNCounters(monotonic: 0), LUNCounters(monotonic: 0)]
        var after = [queue(30), queue(10)]
        after[0].turns = 20
        after[1].kicksSuppressed = 30
        after[1].interruptsSuppressed = 0
        after[1].fullTime = second / 4
        var lun = lun(queues: 2)
        lun.derive(fromQueues: before, to: after)
        #expect(lun.rates.kicks == 40)
        #expect(lun.rates.exits == nil, "not counted before")
        let queues = lun.virtqueues
        #expect(queues.map(\.kicks) == [30, 10])
        #expect(queues.map(\.interrupts) == [30, 10])
        #expect(queues.map(\.kicksSuppressedPercent) == [50, 75])
        #expect(queues.map(\.interruptsSuppressedPercent) == [50, 0])
        #expect(queues[1].fullPercent == 25)
        #expect(queues.map(\.batch) == [9, 6])
    }

    @Test func exitsAreARate() {
        var lun = lun(queues: 1)
        lun.derive(fromQueues: [queue(7, at: second)], to: [queue(30, at: 2 * second)])
        #expect(lun.rates.exits == 23)
        #expect(lun.virtqueues[0].kicks == 23)
    }

    @Test func withoutAReadingBeforeThereAreNoRates() {
        var lun = lun(queues: 2)
        lun.derive(
            fromQueues: [queue(1, at: 0), queue(1, at: 0)], to: [queue(2), queue(2)])
        #expect(lun.virtqueues.allSatisfy { $0.kicks == 1 })
        lun.derive(fromQueues: nil, to: [queue(2), queue(2)])
        #expect(lun.rates.iops == nil)
        #expect(lun.virtqueues.allSatisfy { $0.kicks == nil && $0.batch == nil })
        lun.derive(fromQueues: [queue(1, at: 0)], to: [queue(2), queue(2)])
        #expect(lun.rates.iops == nil, "of another number of queues")
        #expect(lun.virtqueues.allSatisfy { $0.kicks == nil })
    }

    @Test func aLUNWithoutVirtqueuesHasRatesAllTheSame() {
        var lun = lun(queues: 0)
        lun.derive(fromQueues: [queue(0, at: 0)], to: [queue(23)])
        #expect(lun.rates.reads == 23)
    }
}
