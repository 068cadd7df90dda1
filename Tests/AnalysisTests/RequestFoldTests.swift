import Analysis
import Telemetry
import Testing

/// Requests become the samples a live source would have given.
@Suite struct RequestFoldTests {
    private static let second: UInt64 = 1_000_000_000

    /// A request of LUN 0; times in milliseconds.
    private func io(
        _ type: UInt32, from start: UInt64, to end: UInt64, lun: UInt16 = 0, bytes: UInt32 = 4096,
        status: UInt8 = 0
    ) -> IOEvent {
        IOEvent(
            type: type, status: status, lun: lun, head: 0, sector: 0, byteCount: bytes,
            queued: 0, kicked: 0, popped: 0, submitted: start * 1_000_000,
            completed: end * 1_000_000, published: 0, notified: 0, reaped: 0)
    }

    private func fold(
        _ events: [IOEvent], origin: Int64? = 0, hasCompletions: Bool = true,
        limit: Int = RequestFold.requestLimit
    ) -> (samples: [Snapshot], marks: [Mark], fold: RequestFold) {
        var fold = RequestFold(
            name: "t", origin: origin, hasCompletions: hasCompletions, limit: limit)
        var (samples, marks): ([Snapshot], [Mark]) = ([], [])
        let emit: (Folded) -> Void = {
            switch $0 {
            case .sample(let sample): samples.append(sample)
            case .mark(let mark): marks.append(mark)
            }
        }
        fold.name("vd0", ofLUN: 0)
        for event in events { fold.take(event, emit) }
        fold.finish(emit)
        return (samples, marks, fold)
    }

    @Test func whatLooksDoNotTellIsNoLatency() throws {
        var events = (0..<20).map { io(0, from: 100 + 20 * UInt64($0), to: 109 + 20 * UInt64($0)) }
        for index in events.indices where index > 1 { events[index].endError = 9_000_000 }
        let lun = try #require(fold(events).samples.last?.luns.first)
        let latency = try #require(lun.rates.readLatency)
        #expect(latency.mean == nil && latency.p50 == nil && latency.max ?? 0 > 8900)
        #expect(lun.rates.queueDepth == nil && lun.rates.reads ?? 0 > 0)
        #expect(abs((lun.rates.latencyUncertainty ?? 0) - 8100) < 1)
    }

    @Test func aRequestCountsInTheSecondInWhichItCompletes() throws {
        let (samples, marks, _) = fold(
            [
                io(0, from: 1_100, to: 1_102), io(1, from: 1_900, to: 2_100, bytes: 8192),
                io(4, from: 2_500, to: 2_501, bytes: 0), io(11, from: 2_500, to: 2_501, status: 1),
            ], origin: 5)
        #expect(samples.count == 2)
        #expect(marks == [])
        let first = try #require(samples.first)
        #expect(first.source == Source(kind: .replay, name: "t"))
        #expect(first.sequence == 1)
        #expect(first.interval == 1)
        #expect(first.monotonic == 2 * Self.second)
        #expect(first.wallClock == 2_000_000_005)
        #expect(first.luns.map(\.id) == ["vd0"])
        #expect(first.total.reads == 1)
        #expect(first.total.writes == 0)
        #expect(first.total.readBytes == 4096)
        #expect(first.total.readLatency?.mean == 2000)
        #expect(first.luns[0].readLatencies?.count == 1)
        #expect(first.total.writeLatency == nil)
        #expect(first.total.queueDepth?.now == 1)
        #expect(first.total.oldestInFlight == 100_000)
        #expect(first.total.stages?.storage == 2000)
        #expect(first.total.stages?.ringWait == nil)
        let second = samples[1].total
        #expect(second.writes == 1)
        #expect(second.flushes == 1)
        #expect(second.discards == 1)
        #expect(second.iops == 3)
        #expect(second.errors == 1)
        #expect(second.writeBytes == 8192)
        #expect(second.queueDepth?.now == 0)
        #expect(second.oldestInFlight == nil)
    }

    @Test func theQueueDepthIsWeightedByTime() throws {
        // 0 for 500 ms, 1 for 250 ms, 2 for 250 ms.
        let (samples, _, _) = fold([
            io(0, from: 1_500, to: 2_000), io(0, from: 1_750, to: 2_000),
        ])
        let depth = try #require(samples.first?.luns[0].rates.queueDepth)
        #expect(depth == QueueDepth(now: 2, mean: 0.75, p50: 0, p99: 2, max: 2))
        #expect(samples[1].luns[0].rates.queueDepth?.mean == 0)
        #expect(samples[1].total.reads == 2)
    }

    @Test func idleSecondsAreSamplesAndALongGapIsAMark() throws {
        let day: UInt64 = 86_400_000
        let (samples, marks, _) = fold([
            io(0, from: 1_000, to: 1_001), io(0, from: 5_000, to: 5_001),
            io(0, from: 5_000 + day, to: 5_001 + day),
        ])
        #expect(samples.count == 6)
        #expect(samples[1].total.iops == 0)
        #expect(samples[1].luns[0].readLatencies == LatencyHistogram())
        #expect(samples[5].monotonic == 6 * Self.second + day * 1_000_000)
        #expect(samples[5].total.reads == 1)
        #expect(samples.map(\.sequence) == [1, 2, 3, 4, 5, 6])
        #expect(marks.map(\.kind) == [.gap])
        #expect(marks.first?.monotonic == 6 * Self.second)
    }

    @Test func withoutCompletionsRequestsCountWhenTheyStart() throws {
        let events = [
            io(0, from: 1_100, to: 0, status: 0xFF), io(1, from: 2_100, to: 0, status: 0xFF),
        ]
        let (samples, _, _) = fold(events, origin: nil, hasCompletions: false)
        #expect(samples.map(\.total.reads) == [1, 0])
        #expect(samples.map(\.total.writeBytes) == [0, 4096])
        let sample = try #require(samples.first)
        #expect(sample.total.readLatency == nil)
        #expect(sample.luns[0].readLatencies == nil)
        #expect(sample.total.queueDepth == nil)
        #expect(sample.total.errors == nil)
        #expect(sample.total.kicks == nil)
        let missing = Set(sample.unavailable.map(\.metric))
        #expect(
            missing.isSuperset(of: [
                "read_latency_us", "queue_depth", "errors_per_s", "stage_us", "time", "threads",
                "kicks_per_s",
            ]))
        let (none, _, fold) = fold(events, hasCompletions: true)
        #expect(none.isEmpty)
        #expect(fold.unfinished == 2)
    }

    /// Many requests of several LUNs, none longer than the window.
    private func load(seed: UInt64) -> [IOEvent] {
        var random = FoldRandom(seed: seed)
        return (0..<4000).map { _ in
            let start = UInt64.random(in: 1_000...31_000, using: &random)
            return io(
                [0, 1, 4, 11, 13, 8][Int.random(in: 0..<6, using: &random)], from: start,
                to: start + UInt64.random(in: 0...2_000, using: &random),
                lun: UInt16.random(in: 0..<3, using: &random),
                bytes: 512 * UInt32.random(in: 0...64, using: &random),
                status: UInt8.random(in: 0...1, using: &random))
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func theOrderWithinTheWindowDoesNotMatter(
        seed: UInt64
    ) {
        let events = load(seed: seed)
        let byStart = fold(events.sorted { $0.start < $1.start })
        let byEnd = fold(events.sorted { $0.end < $1.end })
        #expect(byStart.samples == byEnd.samples)
        var random = FoldRandom(seed: seed)
        // Up to five seconds out of order.
        let mixed = events.map { ($0, $0.start + .random(in: 0...5_000_000_000, using: &random)) }
            .sorted { $0.1 < $1.1 }.map(\.0)
        #expect(fold(mixed).samples == byStart.samples)
        #expect(byStart.fold.lost == 0)
    }

    @Test(arguments: [5, 6] as [UInt64]) func theSumsAreThoseOfTheRequests(seed: UInt64) {
        let events = load(seed: seed)
        let (samples, _, _) = fold(events.sorted { $0.end < $1.end })
        func sum(_ rate: (BlockRates) -> Double?) -> Double {
            samples.reduce(0) { $0 + (rate($1.total) ?? 0) }
        }
        func count(_ type: UInt32) -> Double { Double(events.count { $0.type == type }) }
        #expect(sum(\.iops) == Double(events.count))
        #expect(sum(\.reads) == count(0))
        #expect(sum(\.writes) == count(1))
        #expect(sum(\.flushes) == count(4))
        #expect(sum(\.discards) == count(11))
        #expect(sum(\.writeZeroes) == count(13))
        #expect(sum(\.errors) == Double(events.count { $0.status == 1 }))
        let bytes = events.filter { $0.type == 0 }.reduce(0) { $0 + Double($1.byteCount) }
        #expect(sum(\.readBytes) == bytes)
        // Little's law over the whole trace: depth times time is the sum of the latencies.
        let latencies = events.reduce(0) { $0 + Double($1.latency ?? 0) } / 1e9
        #expect(abs(sum { $0.queueDepth?.mean } - latencies) < 1e-6 * latencies)
    }

    @Test func whatComesTooLateIsLeftOutAndCounted() throws {
        let (samples, _, fold) = fold([
            io(0, from: 1_000, to: 1_001), io(0, from: 30_000, to: 30_001),
            io(0, from: 2_000, to: 2_001), io(0, from: 3_000, to: 30_002),
        ])
        #expect(fold.lost == 1)
        #expect(samples.last?.ownCost.lostEvents == 1)
        #expect(samples.reduce(0) { $0 + ($1.total.reads ?? 0) } == 3)
        // The request that is still in flight has its true latency.
        #expect(samples.last?.total.readLatency?.mean == 13_501_500)
    }

    @Test func nonsenseIsSurvived() {
        let (samples, marks, fold) = fold([
            io(0, from: 0, to: 0), io(0, from: 18_000_000_000_000, to: 1),
            io(0, from: 5_000, to: 4_000), io(0, from: 0, to: 6_000),
            io(0, from: 5_000, to: 9_000_000_000_000), io(0, from: 5_000, to: 5_001, lun: 60_000),
        ])
        #expect(fold.lost == 3)
        #expect(marks.count == 1)
        #expect(samples.reduce(0) { $0 + ($1.total.reads ?? 0) } == 3)
        #expect(samples[0].total.readLatency == nil)
    }

    @Test func moreRequestsThanAreHeldAreFoldedEarlier() {
        var random = FoldRandom(seed: 9)
        let count = 3000
        let events = (0..<count).map { _ in
            io(0, from: .random(in: 1_000...3_000, using: &random), to: 4_000)
        }.sorted { $0.start < $1.start }
        let (samples, _, fold) = fold(events, limit: 500)
        let reads = samples.reduce(0) { $0 + ($1.total.reads ?? 0) }
        #expect(UInt64(reads) + fold.lost == UInt64(count))
        #expect(fold.lost == 0)
    }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
private struct FoldRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
