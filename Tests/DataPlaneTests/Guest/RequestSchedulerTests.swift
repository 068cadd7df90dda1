import Testing

@testable import DataPlane

/// A scheduler in a box, as `#expect` cannot look into what is not copyable.
private final class SchedulerBox {
    var scheduler: RequestScheduler

    init(
        slots: Int = 256, limits: RequestScheduler.Limits = .init(),
        tuning: RequestScheduler.Tuning = .init()
    ) {
        scheduler = RequestScheduler(slotCount: slots, limits: limits, tuning: tuning)
    }
    var count: Int { scheduler.count }
    func insert(_ request: RequestScheduler.Request, now: UInt64 = 0)
        -> RequestScheduler.Inserted
    {
        scheduler.insert(request, now: now)
    }
    func dispatch(now: UInt64 = 0) -> RequestScheduler.Dispatched? {
        scheduler.dispatch(now: now)
    }
    func parts(_ dispatched: RequestScheduler.Dispatched) -> [UInt16] {
        var parts = [dispatched.first]
        while let next = scheduler.part(after: parts[parts.count - 1]) { parts.append(next) }
        return parts
    }
    /// The first slots of all that is left, in the order it goes out.
    func drain(now: UInt64 = 0) -> [UInt16] {
        var order: [UInt16] = []
        while let dispatched = dispatch(now: now) { order.append(dispatched.first) }
        return order
    }
}

/// The guest's request queue: what is merged, what goes first, and that nothing is lost.
@Suite struct RequestSchedulerTests {
    /// Requests of 4 KiB by block.
    private func request(
        _ slot: Int, block: UInt64, isWrite: Bool = false, segments: Int = 1
    ) -> RequestScheduler.Request {
        RequestScheduler.Request(
            slot: UInt16(slot), isWrite: isWrite, sector: block * 8, byteCount: 4096,
            segmentCount: segments)
    }

    // MARK: Merging

    @Test(arguments: [[0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 1, 3], [3, 0, 2, 1]])
    func neighboursBecomeOne(_ order: [Int]) throws {
        let box = SchedulerBox()
        for slot in order { _ = box.insert(request(slot, block: 100 + UInt64(slot))) }
        #expect(box.count == 1)
        let dispatched = try #require(box.dispatch())
        #expect(box.parts(dispatched) == [0, 1, 2, 3])
        #expect(dispatched.sector == 800 && dispatched.byteCount == 16384)
        #expect(dispatched.partCount == 4 && dispatched.segmentCount == 4)
        #expect(box.dispatch() == nil)
    }

    @Test func onlyNeighboursOfTheSameDirection() {
        let box = SchedulerBox()
        #expect(box.insert(request(0, block: 10)) == .queued)
        #expect(box.insert(request(1, block: 11, isWrite: true)) == .queued)
        #expect(box.insert(request(2, block: 12)) == .queued)
        #expect(box.insert(request(3, block: 10)) == .queued)
        #expect(box.insert(request(4, block: 9)) == .merged)
        #expect(box.count == 4)
    }

    @Test func boundsOfAMergedRequest() {
        let bytes = SchedulerBox(limits: .init(byteCount: 12288, segmentCount: 126))
        let segments = SchedulerBox(limits: .init(byteCount: 1 << 20, segmentCount: 6))
        for slot in 0..<8 {
            _ = bytes.insert(request(slot, block: UInt64(slot)))
            _ = segments.insert(request(slot, block: UInt64(slot), segments: 2))
        }
        #expect(bytes.count == 3 && segments.count == 3)
        #expect(bytes.dispatch()?.byteCount == 12288 && segments.dispatch()?.segmentCount == 6)
    }

    /// Sequential load becomes large requests; random load stays as it is.
    @Test(arguments: 1...4)
    func sequentialMergesAndRandomDoesNot(_ seed: UInt64) {
        var random = Random(seed: seed)
        let (sequential, scattered) = (SchedulerBox(), SchedulerBox())
        for slot in 0..<256 {
            _ = sequential.insert(request(slot, block: UInt64(slot)))
            _ = scattered.insert(request(slot, block: random.below(1 << 24)))
        }
        #expect(sequential.count == 3)
        #expect(scattered.count >= 255)
    }

    // MARK: Order

    @Test func byNumberOfSector() {
        let box = SchedulerBox()
        for (slot, block) in [50, 10, 40, 20, 30].enumerated() {
            _ = box.insert(request(slot, block: UInt64(block)))
        }
        // From the oldest upwards; then the oldest that is left, and upwards from there.
        #expect(box.drain() == [0, 1, 3, 4, 2])
    }

    /// Reads first, a batch at a time; writes after two batches of reads.
    @Test func writesAreNotStarved() {
        let box = SchedulerBox(tuning: .init(batch: 4))
        for slot in 0..<20 { _ = box.insert(request(slot, block: UInt64(2 * slot))) }
        for slot in 20..<26 {
            _ = box.insert(request(slot, block: UInt64(2 * slot), isWrite: true))
        }
        let isWrite = box.drain().map { $0 >= 20 }
        let runs = [8, 4, 8, 2, 4]
        let expected = runs.indices.flatMap { Array(repeating: $0 % 2 == 1, count: runs[$0]) }
        #expect(isWrite == expected)
    }

    /// A read that has waited for half a second is the first of the next batch.
    @Test func whoWaitsTooLongGoesFirst() {
        let box = SchedulerBox(tuning: .init(batch: 4))
        for slot in 0..<8 { _ = box.insert(request(slot, block: UInt64(100 + 2 * slot))) }
        _ = box.insert(request(8, block: 0), now: 1)
        for slot in 9..<17 { _ = box.insert(request(slot, block: UInt64(200 + 2 * slot)), now: 2) }
        let first = (0..<4).map { _ in box.dispatch(now: 3)?.first }
        #expect(first == [0, 1, 2, 3])
        // Requests 4 to 8 have expired, the oldest of which begins the batch.
        let late: UInt64 = 500_000_001
        #expect((0..<4).map { _ in box.dispatch(now: late)?.first } == [4, 5, 6, 7])
        #expect(box.dispatch(now: late)?.first == 8)
    }

    /// A request keeps its turn when it becomes part of a younger one.
    @Test func turnsOutliveMerging() {
        let box = SchedulerBox(tuning: .init(batch: 1))
        _ = box.insert(request(0, block: 12), now: 0)
        _ = box.insert(request(1, block: 50), now: 100)
        _ = box.insert(request(2, block: 10), now: 200)
        #expect(box.insert(request(3, block: 11), now: 300) == .merged)
        let order = box.drain(now: 1_000_000_000)
        #expect(order == [2, 1])
        // And the other way round.
        _ = box.insert(request(0, block: 10), now: 0)
        _ = box.insert(request(1, block: 50), now: 100)
        _ = box.insert(request(2, block: 12), now: 200)
        #expect(box.insert(request(3, block: 11), now: 300) == .merged)
        #expect(box.drain(now: 1_000_000_000) == [0, 1])
    }

    /// The request at which the batch was to go on becomes part of another: it goes on there.
    @Test func batchGoesOnWhereItsNextWent() throws {
        let box = SchedulerBox()
        _ = box.insert(request(0, block: 5))
        _ = box.insert(request(1, block: 12))
        #expect(box.dispatch()?.first == 0)
        _ = box.insert(request(2, block: 10))
        #expect(box.insert(request(3, block: 11)) == .merged)
        let dispatched = try #require(box.dispatch())
        #expect(box.parts(dispatched) == [2, 3, 1] && box.count == 0)
    }

    // MARK: Any load

    /// Whatever comes in goes out once, in requests that are contiguous and within bounds, and none
    /// that has expired is left behind for more than the batches that may go before it.
    @Test(arguments: 1...16)
    func nothingIsLostOrDoubled(_ seed: UInt64) {
        var random = Random(seed: seed)
        let limits = RequestScheduler.Limits(byteCount: 32768, segmentCount: 7)
        let box = SchedulerBox(slots: 64, limits: limits, tuning: .init(batch: 4))
        var waiting: [UInt16: RequestScheduler.Request] = [:]
        var free = Array(UInt16(0)..<64)
        var now: UInt64 = 0
        for _ in 0..<4000 {
            now += random.below(20_000_000)
            if random.below(5) < 2, !free.isEmpty {
                let slot = free.remove(at: Int(random.below(UInt64(free.count))))
                var new = request(
                    Int(slot), block: random.below(48), isWrite: random.below(3) == 0,
                    segments: 1 + Int(random.below(3)))
                if random.below(4) == 0 { new.byteCount = 8192 }
                _ = box.insert(new, now: now)
                waiting[slot] = new
            } else if let dispatched = box.dispatch(now: now) {
                let parts = box.parts(dispatched)
                check(dispatched, parts.compactMap { waiting.removeValue(forKey: $0) }, limits)
                #expect(parts.count == dispatched.partCount)
                free += parts
            } else {
                #expect(waiting.isEmpty)
            }
            #expect((box.count == 0) == waiting.isEmpty && box.count <= waiting.count)
        }
        while let dispatched = box.dispatch(now: now) {
            for part in box.parts(dispatched) { #expect(waiting.removeValue(forKey: part) != nil) }
        }
        #expect(waiting.isEmpty)
    }

    private func check(
        _ dispatched: RequestScheduler.Dispatched, _ parts: [RequestScheduler.Request],
        _ limits: RequestScheduler.Limits
    ) {
        var sector = dispatched.sector
        for part in parts {
            #expect(part.sector == sector && part.isWrite == dispatched.isWrite)
            sector += UInt64(part.byteCount / 512)
        }
        #expect(parts.count == dispatched.partCount)
        #expect(sector == dispatched.sector + UInt64(dispatched.byteCount / 512))
        #expect(parts.reduce(0) { $0 + $1.segmentCount } == dispatched.segmentCount)
        #expect(dispatched.byteCount <= limits.byteCount)
        #expect(dispatched.segmentCount <= limits.segmentCount)
    }

    /// A reader and a writer that never cease: the longest wait of an expired request is bounded by
    /// the batches that may come in between. Each dispatch takes a millisecond.
    @Test(arguments: 1...6)
    func nobodyWaitsForEver(_ seed: UInt64) {
        var random = Random(seed: seed)
        let tuning = RequestScheduler.Tuning(
            readExpiry: 20_000_000, writeExpiry: 40_000_000, batch: 4, writesStarved: 2)
        let box = SchedulerBox(slots: 64, limits: .init(byteCount: 4096), tuning: tuning)
        var since: [UInt64] = Array(repeating: 0, count: 64)
        for slot in 0..<64 {
            _ = box.insert(request(slot, block: random.below(1 << 20), isWrite: slot < 32))
        }
        var longest: [UInt64] = [0, 0]
        for round in 1...20_000 {
            let now = UInt64(round) * 1_000_000
            guard let dispatched = box.dispatch(now: now) else { continue }
            let slot = Int(dispatched.first)
            let index = dispatched.isWrite ? 1 : 0
            longest[index] = max(longest[index], now - since[slot])
            since[slot] = now
            let block = random.below(1 << 20)
            _ = box.insert(request(slot, block: block, isWrite: slot < 32), now: now)
        }
        // Of either direction 32 wait. Each is the oldest after 31 others at the most, one a batch
        // once they have expired; a batch of reads is followed by one of writes at the latest every
        // third time: 4 ms a batch.
        #expect(longest[0] <= 20_000_000 + 32 * 4_000_000 * 3 / 2 + 8_000_000)
        #expect(longest[1] <= 40_000_000 + 32 * 4_000_000 * 3 + 16_000_000)
    }
}
