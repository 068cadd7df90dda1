import Telemetry
import Testing

@testable import Analysis

@Suite struct RequestReportTests {
    /// Four reads that follow one another, a write elsewhere, a flush that fails.
    private let events = [
        request(at: second, took: 100_000, sector: 0),
        request(at: second + 1 * millisecond, took: 100_000, sector: 8),
        request(at: second + 2 * millisecond, took: 300_000, sector: 16),
        request(1, at: second + 3 * millisecond, took: 400_000, sector: 1000, bytes: 8192),
        request(at: second + 3 * millisecond, took: 500_000, sector: 30),
        request(4, at: second + 9 * millisecond, took: 1_000_000, bytes: 0, status: 1),
    ]

    @Test func countsRatesAndLatenciesAreThoseOfTheRequests() {
        var report = Report()
        report.add(events, names: ["vd0"])
        let result = report.finish()
        #expect(result.basis == .requests)
        #expect(result.recording.duration == 0.01)
        let lun = result.luns[0]
        #expect(lun.id == "vd0" && lun.sharePercent == 100)
        #expect(lun.counts == [4, 1, 1, 0, 0, 0])
        #expect(lun.requests == 6 && lun.errors == 1)
        #expect(lun.perSecond(lun[.read]) == 400)
        #expect(lun.readBytes == 16_384 && lun.writeBytes == 8192)
        #expect(lun.meanBytes(.write) == 8192)
        #expect(lun.readLatency?.count == 4)
        #expect(lun.readLatency?.mean == 250)
        #expect(lun.readLatency?.max == 500)
        let median = lun.readLatency?.p50 ?? 0
        #expect(median >= 100 && median < 103.2)
        #expect(lun.flushLatency?.max == 1000)
        #expect(result.total.counts == lun.counts)
    }

    /// Requests that were followed in a virtqueue, most of them over before the next look.
    private func followed(brief: Int, slow: Int) -> [IOEvent] {
        (0..<brief + slow).map { number in
            var event = request(
                at: UInt64(number + 1) * 20 * millisecond,
                took: number < brief ? millisecond / 3 : 9 * millisecond)
            event.queuedError = UInt32(millisecond / 3)
            event.endError = UInt32(millisecond / 3)
            return event
        }
    }

    @Test func whatLooksDoNotTellIsNoLatency() {
        var report = Report()
        report.add(followed(brief: 90, slow: 10), names: ["vd0"])
        let result = report.finish()
        let latency = result.luns[0].readLatency
        #expect(latency?.count == 100 && latency?.mean == nil && latency?.p50 == nil)
        #expect(latency?.p99 == 9000 && result.luns[0].depth == nil)
        #expect(result.latencies.first?.upTo == nil && result.latencies.first?.reads == 90)
        #expect(result.mix.allSatisfy { $0.meanLatency == nil || $0.meanLatency == 9000 })
        #expect(result.depths.isEmpty)
        #expect(result.text().contains("+-"))
        // What samples count is better then.
        report.add(sample(at: second, [lun("vd0", reads: 100, latency: 12)]))
        #expect(report.finish().basis == .samples)
        #expect(report.finish().luns[0].readLatency?.mean == 12)
    }

    @Test func fewThatLooksDoNotTellDoNotMatter() {
        var report = Report()
        report.add(followed(brief: 2, slow: 98), names: ["vd0"])
        let result = report.finish()
        #expect(result.basis == .requests && result.luns[0].readLatency?.p50 == 9000)
        #expect(result.luns[0].depth != nil && !result.depths.isEmpty)
        #expect(result.luns[0].readLatency?.mean == nil)
        // Of another kind all is told, and samples may count what requests do not tell.
        var flush = request(4, at: 3 * second, took: 2 * millisecond)
        flush.endError = 1000
        report.add([flush], names: ["vd0"])
        report.add(sample(at: second, [lun("vd0", reads: 98, latency: 8900)]))
        let both = report.finish()
        #expect(both.basis == .requests && both.luns[0].flushLatency?.mean == 2000)
        #expect(both.luns[0].readLatency?.mean == 8900 && both.total.readLatency?.mean == 8900)
    }

    /// Traces of others have requests of no time.
    @Test func aLatencyOfZeroIsOne() {
        var report = Report()
        report.add(
            [request(at: second, took: 0), request(at: 2 * second, took: 2000)], names: ["vd0"])
        let latency = report.finish().luns[0].readLatency
        #expect(latency?.mean == 1 && latency?.p50 == 0)
        #expect(report.finish().latencies.first?.upTo == 1)
    }

    @Test func depthIsWeightedByTime() {
        var report = Report()
        report.add(events, names: ["vd0"])
        let result = report.finish()
        // 0.1 + 0.1 + 0.3 + 0.4 + 0.5 + 1 ms of latency in 10 ms.
        #expect(abs((result.total.depth?.mean ?? 0) - 0.24) < 1e-9)
        #expect(result.total.depth?.max == 2)
        let idle = result.depths.first { $0.depths == 0...0 }?.percent ?? 0
        let two = result.depths.first { $0.depths == 2...2 }?.percent ?? 0
        // Nothing in flight for 8 of the 10 ms, two for 0.4 ms.
        #expect(abs(idle - 80) < 0.1)
        #expect(abs(two - 4) < 0.1)
    }

    @Test func aRequestIsSequentialWhereThePreviousOfItsDirectionEnded() {
        var report = Report()
        report.add(events, names: ["vd0"])
        let pattern = report.finish().total.pattern
        // Of the reads 8 and 16 follow on, 30 is near 24; the write has no predecessor.
        #expect(abs((pattern?.sequentialPercent ?? 0) - 200.0 / 3) < 1e-9)
        #expect(abs((pattern?.nearPercent ?? 0) - 100.0 / 3) < 1e-9)
        // 0, 0, then 24 → 1000, then 1016 → 30: reads before writes were there by their order.
        #expect(pattern?.seekMean == (976.0 + 986.0) / 4)
    }

    @Test func requestsAreJudgedInTheOrderOfTheirBegin() {
        let inOrder = (0..<500).map {
            request(at: second + UInt64($0) * 1000, took: 50_000, sector: UInt64($0) * 8)
        }
        // Completed in another order, as of a device with a deep queue.
        var random = Random(seed: 5)
        let shuffled = stride(from: 0, to: 500, by: 25).flatMap { start in
            Array(inOrder[start..<(start + 25)]).shuffled(using: &random)
        }
        var report = Report()
        report.add(shuffled, names: ["vd0"])
        #expect(report.finish().total.pattern?.sequentialPercent == 100)
    }

    @Test func idleGapsAreThoseWithNothingInFlight() {
        let events = [
            request(at: second, took: 10 * millisecond),
            request(at: second + 110 * millisecond, took: 10 * millisecond),
            request(at: second + 160 * millisecond, took: 10 * millisecond),
            // Begins in the first gap and outlasts the second.
            request(at: second + 60 * millisecond, took: 140 * millisecond),
        ]
        var report = Report()
        report.add(events, names: ["vd0"])
        let idle = report.finish().idle
        #expect(idle?.count == 1)
        #expect(idle?.longest == [.init(start: second + 10 * millisecond, seconds: 0.05)])
        #expect(idle?.percent == 25)
    }

    @Test func theSlowestComeFirst() {
        var options = Report.Options()
        options.slowest = 3
        var report = Report(options)
        report.add(load(2000, luns: 4, depth: 8, seed: 3), names: ["a", "b", "c", "d"])
        let all = load(2000, luns: 4, depth: 8, seed: 3).compactMap(\.latency).sorted(by: >)
        #expect(report.finish().slowest.map(\.latency) == Array(all.prefix(3)))
    }

    @Test func aLUNStallsWhileItHasARequestAndCompletesNone() {
        let events = [
            request(at: second, took: 1000),
            request(lun: 1, at: second, took: 3 * second),
            // Two at once: one stall, from the completion before.
            request(at: 2 * second, took: 2 * second),
            request(at: 2 * second, took: 2 * second + 5),
        ]
        var report = Report()
        report.add(events, names: ["vd0", "vd1"])
        let result = report.finish()
        #expect(result.stallCount == 2)
        #expect(result.stalls[0] == Stall(lun: "vd1", start: second, end: 4 * second, isOver: true))
        #expect(result.stalls[1].lun == "vd0" && result.stalls[1].length == 2 * second)
    }

    @Test func stagesAreSharesOfTheirSum() {
        var event = request(at: second, took: 100_000)
        event.popped = second + 10_000
        event.submitted = second + 20_000
        event.completed = second + 80_000
        event.published = second + 90_000
        var report = Report()
        report.add([event], names: ["vd0"])
        let stages = report.finish().total.stages
        #expect(stages.map(\.mean) == [10, 10, 60, 10, 10])
        #expect(stages.map(\.sharePercent) == [10, 10, 60, 10, 10])
    }

    @Test func theMixAddsUpToAllRequests() {
        let events = load(20_000, luns: 3, depth: 4, seed: 9)
        var report = Report()
        report.add(events, names: ["a", "b", "c"])
        let result = report.finish()
        #expect(result.mix.count <= 60 && result.mix.count > 30)
        let reads = result.mix.reduce(0) { $0 + $1.reads * $1.duration }
        #expect(abs(reads - Double(events.filter { $0.type == 0 }.count)) < 1e-3)
        let seconds = result.mix.reduce(0) { $0 + $1.duration }
        #expect(abs(seconds - (result.recording.duration ?? 0)) < 1e-6)
    }

    @Test func lunsAndTimesCanBeChosen() {
        var options = Report.Options()
        options.luns = ["b"]
        options.from = second + 5 * millisecond
        options.to = second + 10 * millisecond
        var report = Report(options)
        let events = load(2000, luns: 3, depth: 2, seed: 1)
        report.add(events, names: ["a", "b", "c"])
        let wanted = events.filter {
            $0.lun == 1 && $0.start >= second + 5 * millisecond
                && $0.start <= second + 10 * millisecond
        }
        let result = report.finish()
        #expect(result.luns.map(\.id) == ["b"])
        #expect(result.total.requests == UInt64(wanted.count))
    }
}

@Suite struct ReportPropertyTests {
    @Test(arguments: [1, 7, 99] as [UInt64])
    func splittingBatchesDoesNotMatter(seed: UInt64) {
        let events = load(5000, luns: 5, depth: 16, seed: seed)
        let names = ["a", "b", "c", "d", "e"]
        var whole = Report()
        whole.add(events, names: names)
        var split = Report()
        var random = Random(seed: seed)
        var rest = events[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...200, using: &random)
            split.add(Array(rest.prefix(count)), names: names)
            rest = rest.dropFirst(count)
        }
        #expect(whole.finish() == split.finish(), "seed \(seed)")
    }

    @Test(arguments: [2, 8] as [UInt64])
    func theOrderOfLUNsDoesNotMatter(seed: UInt64) {
        let events = load(5000, luns: 4, depth: 8, seed: seed)
        let other = events.map { event in
            var event = event
            event.lun = 3 - event.lun
            return event
        }
        var first = Report()
        first.add(events, names: ["a", "b", "c", "d"])
        var second = Report()
        second.add(other, names: ["d", "c", "b", "a"])
        let (left, right) = (first.finish(), second.finish())
        #expect(left.luns == right.luns, "seed \(seed)")
        #expect(left.depths == right.depths)
        #expect(left.slowest.map(\.lun) == right.slowest.map(\.lun))
    }

    /// The depth told is that of an exact sweep over begins and ends.
    @Test(arguments: [4, 5] as [UInt64])
    func depthSharesAreThoseOfAnExactSweep(seed: UInt64) {
        let events = load(3000, luns: 1, depth: 6, seed: seed)
        var steps = events.flatMap { [($0.start, 1), ($0.end, -1)] }
        steps.sort { $0.0 < $1.0 }
        var times: [Int: Double] = [:]
        var (depth, last) = (0, steps[0].0)
        for (time, step) in steps {
            times[depth, default: 0] += Double(time - last)
            (depth, last) = (depth + step, time)
        }
        var report = Report()
        report.add(events, names: ["a"])
        let result = report.finish()
        let all = times.values.reduce(0, +)
        for share in result.depths {
            let exact = share.depths.reduce(0) { $0 + (times[$1] ?? 0) } / all * 100
            #expect(abs(share.percent - exact) < 1, "seed \(seed), depths \(share.depths)")
        }
    }

    @Test func nothingTrapsOnHostileRequests() {
        var random = Random(seed: 11)
        let values: [UInt64] = [0, 1, 2, 1 << 20, 1 << 37, 1 << 63, .max - 1, .max]
        func any() -> UInt64 {
            Bool.random(using: &random)
                ? values[Int.random(in: 0..<values.count, using: &random)] : random.next()
        }
        for _ in 0..<10 {
            var report = Report()
            let events = (0..<100).map { _ in
                IOEvent(
                    type: UInt32(truncatingIfNeeded: any()),
                    status: UInt8(truncatingIfNeeded: any()),
                    lun: UInt16(truncatingIfNeeded: any()) & 0x800F, head: 0, sector: any(),
                    byteCount: UInt32(truncatingIfNeeded: any()), queued: any(), kicked: any(),
                    popped: any(), submitted: any(), completed: any(), published: any(),
                    notified: any(), reaped: any())
            }
            report.add(events, names: (0..<40_000).map { "l\($0)" })
            let result = report.finish()
            #expect(result.total.requests ?? 0 <= 100)
            #expect(!result.text(width: 100).isEmpty)
        }
    }

    @Test func timesInDescendingOrderMoveLittle() {
        var axis = TimeAxis()
        var moves = 0
        for step in 0..<20_000 {
            let time = 1 << 40 - UInt64(step) * 50_000
            if axis.note(time, time) != nil { moves += 1 }
        }
        #expect(moves < 200)
    }

    @Test func timesInAscendingOrderMoveTwiceForEachDoubling() {
        var axis = TimeAxis()
        var moves = 0
        for step in 0..<200_000 {
            let time = 1 << 40 + UInt64(step) * 50_000
            if axis.note(time, time) != nil { moves += 1 }
        }
        // 10 s in 16,384 cells that begin with 1024 ns: ten doublings.
        #expect(moves <= 21)
        #expect(axis.shift == 20)
    }

    @Test(arguments: [UInt64(0), 1, 700])
    func bordersKeepTheirCountsWhenTheAxisMoves(doublings: UInt64) {
        let oldBase: UInt64 = 1_000_003
        let move = TimeAxis.Move(
            doublings: min(doublings, 3), oldBase: oldBase,
            newBase: (oldBase >> min(doublings, 3)) + doublings)
        let counts = (0..<TimeAxis.cells).map { Int32($0 % 7) - 3 }
        var expected = [Int32](repeating: 0, count: TimeAxis.cells)
        for (index, count) in counts.enumerated() {
            let number = Int(((oldBase + UInt64(index) - 1) >> move.doublings) + 1)
            let place = number - Int(move.newBase)
            if expected.indices.contains(place) { expected[place] += count }
        }
        // Apart, so that a failure does not print thousands of numbers.
        let agrees = move.apply(toBorders: counts) == expected
        #expect(agrees)
    }
}
