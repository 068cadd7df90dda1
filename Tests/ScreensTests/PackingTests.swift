import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Packed samples")
struct PackingTests {
    /// Packs each of `samples` after the one before it, as the history does.
    private func pack(_ samples: [Snapshot]) -> [PackedSample] {
        samples.reduce(into: []) { $0.append(PackedSample($1, like: $0.last)) }
    }

    @Test("a sample comes back exactly as it was", arguments: [0, 1, 3, 56, 200])
    func exact(lunCount: Int) {
        let samples =
            (0..<6).map { Fixture(lunCount: lunCount).snapshot($0) }
            + (5..<12).map { LiveFixture(lunCount: lunCount).snapshot($0) }
            + (5..<7).map { LiveFixture(lunCount: lunCount, vmCount: 1).snapshot($0) }
            + (lunCount == 0 ? [] : (28..<33).map { RingFixture(lunCount: lunCount).snapshot($0) })
        for (sample, packed) in zip(samples, pack(samples)) { #expect(packed.snapshot == sample) }
    }

    @Test("numbers that are none, and texts that are traps, come back too")
    func hostile() throws {
        for history in [Fixture.hostile, LiveFixture.hostile, RingFixture.hostile] {
            let sample = try #require(history.shown)
            let packed = PackedSample(sample, like: nil)
            // Not equal to themselves, but written alike.
            #expect("\(packed.snapshot)" == "\(sample)")
        }
    }

    /// What `isSame` and `walk` must know of. A type that got a field more fails here first.
    @Test("no field is forgotten")
    func fields() {
        func count(_ value: Any) -> Int { Mirror(reflecting: value).children.count }
        #expect(count(LUN(id: "", device: "")) == 24)
        #expect(count(BlockRates()) == 20)
        #expect(count(StageTimes()) == 5)
        #expect(count(QueueDepth(now: 0, mean: 0)) == 5)
        #expect(count(LatencySummary(mean: 0)) == 5)
        let queue = Virtqueue(index: 0, size: 0, availIndex: 0, usedIndex: 0, inFlight: 0)
        #expect(count(queue) == 16)
        #expect(count(ThreadActivity(tid: 0, role: .main, name: "")) == 17)
        let lock = LockActivity(name: "", waits: 0, waitPercent: 0, longest: 0, waiters: [])
        #expect(count(lock) == 7)
        #expect(count(HostDisk(name: "")) == 22)
        #expect(count(EventCount(kind: .exit, name: "", source: "")) == 8)
        #expect(count(SourceStatus(name: "", state: .ok)) == 7)
        let start = Snapshot(
            source: Source(kind: .qmp, name: ""), sequence: 0, monotonic: 0, wallClock: 0)
        #expect(count(start) == 22)
        let request = InFlightRequest(
            lun: "", queue: 0, head: 0, since: 0, age: 0, place: .ring)
        #expect(count(request) == 10)
        let event = IOEvent(
            type: 0, status: 0, lun: 0, head: 0, sector: 0, byteCount: 0, queued: 0, kicked: 0,
            popped: 0, submitted: 0, completed: 0, published: 0, notified: 0, reaped: 0)
        #expect(count(event) == 17)
        #expect(count(start.host) == 2)
    }

    /// Each of these tells a row from the one in the sample before.
    static let changes: [@Sendable (inout Snapshot) -> Void] = [
        { $0.luns[3].vm = "x" }, { $0.luns[3].id = "x" }, { $0.luns[3].node = nil },
        { $0.luns[3].device = "x" }, { $0.luns[3].queues = 7 }, { $0.luns[3].queueSize = nil },
        { $0.luns[3].ioThread = nil }, { $0.luns[3].isOnMainLoop = true },
        { $0.luns[3].pciAddress = "x" }, { $0.luns[3].file = "x" },
        { $0.luns[3].format = "x" }, { $0.luns[3].cache = "x" }, { $0.luns[3].aio = nil },
        { $0.luns[3].graph.removeLast() }, { $0.luns[3].throttle = "x" },
        { $0.luns[3].features = [] }, { $0.luns[3].hostDisk = nil },
        { $0.luns[3].modelled = "x" }, { $0.luns[3].path = "x" }, { $0.luns.swapAt(1, 4) },
        { $0.luns.remove(at: 2) },
        {
            $0.luns[3].virtqueues = [
                Virtqueue(index: 1, size: 9, availIndex: 7, usedIndex: .max, inFlight: 4),
                Virtqueue(index: 2, size: 9, availIndex: 6, usedIndex: 1, inFlight: 5),
            ]
        },
        { $0.luns[3].rates.stages = StageTimes() },
        { $0.luns[3].readLatencies = LatencyHistogram() },
        { $0.threads[3].vm = nil }, { $0.threads[3].tid = 77 }, { $0.threads[3].role = .other },
        { $0.threads[3].name = "x" }, { $0.threads[3].luns = ["x"] },
        { $0.threads[3].probes = [] }, { $0.threads.insert($0.threads[9], at: 0) },
        { $0.threads.reverse() }, { $0.threads = [] },
        { $0.locks[0].name = "x" }, { $0.locks[0].vm = "x" }, { $0.locks[0].waiters = ["x"] },
        { $0.host.disks[0].name = "x" }, { $0.host.disks[0].scheduler = "x" },
        { $0.host.disks[0].queueSize = 1 }, { $0.host.disks[0].isRotational = nil },
        { $0.host.disks[0].luns = [] },
        { $0.eventCounts[0].kind = .exit }, { $0.eventCounts[0].vm = "x" },
        { $0.eventCounts[0].name = "x" }, { $0.eventCounts[0].detail = nil },
        { $0.eventCounts[0].source = "x" }, { $0.eventCounts[0].perCPU.append(1) },
        { $0.sources[0].name = "x" }, { $0.sources[0].vm = nil },
        { $0.sources[0].state = .failed }, { $0.sources[0].detail = "x" },
        { $0.vms[0].status = "x" }, { $0.unavailable[0].remedy = "x" },
        { $0.probeColumns.removeFirst() }, { $0.host.cpuPercent = nil },
    ]

    @Test("a change of anything comes back", arguments: changes.indices)
    func change(index: Int) {
        let before = LiveFixture(lunCount: 6).snapshot(8)
        var after = before
        Self.changes[index](&after)
        #expect(after != before)
        #expect(pack([before, after])[1].snapshot == after, "change \(index)")
        #expect(pack([after, before])[1].snapshot == before, "change \(index)")
    }

    @Test("every kind of number, missing or not", arguments: UInt64(0)..<40)
    func columns(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = Int.random(in: 0...90, using: &random)
        let kinds: [(inout SeededGenerator) -> Double?] = [
            { _ in nil }, { _ in 0 }, { _ in -0.0 }, { _ in 92 }, { _ in .nan },
            { _ in .infinity }, { _ in -.greatestFiniteMagnitude }, { _ in .leastNonzeroMagnitude },
            { Double(UInt32.random(in: 0...(.max), using: &$0)) },
            { Double(UInt64.random(in: 0...(.max), using: &$0)) },
            { Double(Int.random(in: 0...300, using: &$0)) },
            { Double(Int.random(in: 0...90_000_000, using: &$0)) / 1000 },
            { Double(Float($0.number(0...1e6))) }, { $0.number(-1e3...1e9) }, { _ in 0.35 },
        ]
        // Each column draws from a few kinds, some from one.
        let mixes = (0..<12).map { _ in
            (0..<Int.random(in: 1...3, using: &random)).map { _ in
                Int.random(in: 0..<kinds.count, using: &random)
            }
        }
        var taker = NumberWalker(.takeDoubles)
        for _ in 0..<rows {
            for mix in mixes {
                var number = kinds[mix.randomElement(using: &random) ?? 0](&random)
                taker.visit(&number)
            }
        }
        let packed = PackedColumns(taker.words, rowCount: rows)
        #expect(packed.bits == taker.words, "seed \(seed)")
        let starts = packed.starts(ofFirst: mixes.count)
        for (index, word) in taker.words.enumerated() {
            let (row, column) = index.quotientAndRemainder(dividingBy: mixes.count)
            #expect(packed.word(row: row, start: starts[column]) == word, "seed \(seed)")
        }
    }

    @Test("what stays the same is kept once, also where rows come and go")
    func shared() {
        let first = LiveFixture().snapshot(8)
        var second = LiveFixture().snapshot(9)
        second.luns.remove(at: 20)
        second.luns.insert(LUN(id: "new", device: ""), at: 30)
        let packed = pack([first, second, LiveFixture().snapshot(10)])
        let boxes = packed.map { $0.luns.boxes.map(ObjectIdentifier.init) }
        #expect(Set(boxes[1]).subtracting(boxes[0]).count == 1)
        #expect(Set(boxes[2]).subtracting(boxes[1]).count == 1)
    }

    /// Each of these changes a request that is told by itself.
    static let requestChanges: [@Sendable (inout Snapshot) -> Void] = [
        { $0.inFlight = [] }, { $0.slowest = [] }, { $0.inFlight[2].lun = "x" },
        { $0.inFlight[2].queue = -7 }, { $0.inFlight[2].head = .max },
        { $0.inFlight[2].type = nil }, { $0.inFlight[2].type = .max },
        { $0.inFlight[2].sector = nil }, { $0.inFlight[2].sector = .max },
        { $0.inFlight[2].byteCount = nil }, { $0.inFlight[2].byteCount = .max },
        { $0.inFlight[2].since = 0 }, { $0.inFlight[2].since = .max },
        { $0.inFlight[2].age = .infinity }, { $0.inFlight[2].ageUncertainty = nil },
        { $0.inFlight[2].ageUncertainty = 1 / 3 }, { $0.inFlight[2].place = .used },
        { $0.inFlight[2].place = .ring }, { $0.slowest[2].lun = "x" },
        { $0.slowest[2].request.type = IOEvent.unknownType },
        { $0.slowest[2].request.status = 0xFF }, { $0.slowest[2].request.lun = .max },
        { $0.slowest[2].request.queue = .max }, { $0.slowest[2].request.head = .max },
        { $0.slowest[2].request.sector = .max }, { $0.slowest[2].request.byteCount = .max },
        { $0.slowest[2].request.queued = 0 }, { $0.slowest[2].request.kicked = 7 },
        { $0.slowest[2].request.popped = .max }, { $0.slowest[2].request.submitted = 1 },
        { $0.slowest[2].request.completed = 1 << 63 }, { $0.slowest[2].request.published = 0 },
        { $0.slowest[2].request.notified = 5 }, { $0.slowest[2].request.reaped = 0 },
        { $0.slowest[2].request.queuedError = .max }, { $0.slowest[2].request.endError = .max },
        { $0.monotonic = .max },
    ]

    @Test("a change of a request comes back", arguments: requestChanges.indices)
    func requestChange(index: Int) {
        let before = RingFixture(lunCount: 12).snapshot(34)
        var after = before
        Self.requestChanges[index](&after)
        #expect(after != before)
        #expect(pack([before, after])[1].snapshot == after, "change \(index)")
        #expect(pack([after, before])[1].snapshot == before, "change \(index)")
    }

    @Test("requests take some forty bytes each, their names once, and no requests next to nothing")
    func requestSize() {
        let samples = pack((31..<36).map { RingFixture(lunCount: 12).snapshot($0) })
        #expect(samples[4].requests.byteCount < 15 * 40 + 32, "\(samples[4].requests.byteCount)")
        let none = pack((0..<3).map { Fixture().snapshot($0) })
        #expect(none[2].requests.byteCount == 0)
    }

    @Test("packed bytes have no spare room")
    func exactRoom() {
        var grown: [UInt8] = Array(repeating: 7, count: 1000)
        grown.reserveCapacity(100_000)
        #expect(grown.withoutSpareRoom == grown)
        #expect(grown.withoutSpareRoom.capacity < 1100)
    }

    @Test("a sample of 56 LUNs is small")
    func size() {
        let engine = pack((0..<5).map { Fixture().snapshot($0) })
        let live = pack((0..<5).map { LiveFixture().snapshot($0) })
        #expect(engine[4].byteCount <= 20 << 10, "\(engine[4].byteCount)")
        #expect(live[4].byteCount <= 12 << 10, "\(live[4].byteCount)")
    }

    @Test(
        "looking back shows what was shown",
        arguments: (GoldenTests.screens + GoldenTests.liveScreens).map { [$0.key] }
            + GoldenTests.ringScreens.map(\.keys))
    func sameFrame(keys: [Key]) {
        let makers: [(Int) -> Snapshot] = [
            Fixture(lunCount: 20).snapshot, LiveFixture(lunCount: 20).snapshot,
            RingFixture(lunCount: 20, stuckFrom: 8).snapshot,
        ]
        for make in makers {
            var live = Bench(SnapshotHistory(), size: Size(columns: 200, rows: 50))
            var frames: [[String]] = []
            for index in 0..<14 {
                live.history.append(make(index))
                live.state = ViewState()
                live.state.observe(live.history)
                for key in keys { live.press(key) }
                frames.append(live.body)
            }
            for frame in frames.reversed() {
                #expect(live.body == frame)
                live.history.step(by: -1)
                live.state = ViewState()
                live.state.observe(live.history)
                for key in keys { live.press(key) }
            }
        }
    }
}
