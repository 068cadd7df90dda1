import Foundation
import Telemetry
import Testing

@testable import Analysis

@Suite struct SampleReportTests {
    @Test func ratesTimesIntervalsAreCounts() {
        var report = Report()
        report.add(sample(at: second, sequence: 1, interval: nil, [LUN(id: "vd0", device: "d")]))
        report.add(sample(at: 2 * second, [lun("vd0", reads: 100, latency: 50)]))
        report.add(sample(at: 4 * second, interval: 2, [lun("vd0", reads: 400, latency: 200)]))
        let result = report.finish()
        #expect(result.basis == .samples)
        #expect(result.recording.duration == 3)
        let row = result.luns[0]
        #expect(row.seconds == 3 && row[.read] == 900 && row.requests == 900)
        #expect(row.readBytes == 900 * 4096)
        // 100 at 50 us and 800 at 200 us.
        #expect(abs((row.readLatency?.mean ?? 0) - 165_000.0 / 900) < 1e-9)
        #expect(row.readLatency?.p99 == nil && row.busiest == 400)
        // 0.005 for a second, 0.08 for two.
        #expect(abs((row.depth?.mean ?? 0) - 0.165 / 3) < 1e-9)
        #expect(result.total[.read] == 900)
        #expect(result.slowest.isEmpty && result.idle == nil)
        #expect(result.unavailable.contains { $0.metric.contains("slowest") })
    }

    @Test func aRepeatedReadingCountsOnce() {
        var report = Report()
        for (time, age) in [(1, 0), (2, 0), (3, 1), (4, 0)] as [(UInt64, UInt64)] {
            var snapshot = sample(at: time * second, [lun("vd0", reads: 100)])
            snapshot.sources = [SourceStatus(name: "qmp", state: .ok, age: age * second)]
            report.add(snapshot)
        }
        // The third repeats the second; the fourth covers two seconds.
        #expect(report.finish().luns[0][.read] == 400)
        #expect(report.finish().total[.read] == 400)
    }

    @Test func histogramsOfSamplesGivePercentiles() {
        var report = Report()
        for time in 1...2 as ClosedRange<UInt64> {
            var disk = lun("vd0", reads: 100)
            var latencies = LatencyHistogram()
            for step in 1...100 as ClosedRange<UInt64> { latencies.record(step * 1000 * time) }
            disk.readLatencies = latencies
            disk.rates.readLatency = LatencySummary(of: latencies)
            report.add(sample(at: time * second, [disk]))
        }
        let latency = report.finish().luns[0].readLatency
        #expect(latency?.count == 200 && latency?.mean == 75.75)
        #expect(abs((latency?.p99 ?? 0) - 198) < 198 * 0.032)
    }

    /// 95 of 100 were over before the next look: their time is QEMU's, and no percentile is theirs.
    @Test func whatLooksDoNotTellIsNoPercentile() {
        var disk = lun("vd0", reads: 100)
        let slow = LatencyBuckets.index(of: 9_000_000)
        disk.readLatencies = LatencyHistogram(
            buckets: [
                .init(index: UInt16(LatencyBuckets.untold), count: 95),
                .init(index: UInt16(slow), count: 5),
            ], sum: 46_000_000)
        disk.rates.latencyUncertainty = 300
        disk.rates.readLatency = LatencySummary(of: disk.readLatencies, within: 300)
        disk.rates.readLatency?.mean = 460
        var report = Report()
        // One second that nobody could look at does not hide what others tell.
        var held = lun("vd0", reads: 0.001)
        held.readLatencies = LatencyHistogram()
        (held.rates.readLatency, held.rates.latencyUncertainty) = (nil, 30_000)
        report.add(sample(at: second, [held]))
        report.add(sample(at: 2 * second, [disk]))
        let result = report.finish()
        for latency in [result.luns[0].readLatency, result.total.readLatency] {
            #expect(latency?.count == 100 && latency?.mean == 460)
            #expect(latency?.p50 == nil && latency?.p95 == nil)
            #expect(abs((latency?.p99 ?? 0) - 9000) < 9000 * 0.032)
        }
        #expect(result.latencies.first?.upTo == nil && result.latencies.first?.reads == 95)
        #expect(result.text(width: 80).contains("too brief"))
    }

    @Test func findingsAppearAndClear() {
        let finding = Finding(
            rule: "r", severity: .warning, scope: "vm", title: "t", evidence: "e", fix: "f")
        var report = Report()
        for (time, has) in [(1, false), (2, true), (3, true), (4, false), (5, true)]
            as [(UInt64, Bool)]
        {
            var snapshot = sample(at: time * second)
            snapshot.findings = has ? [finding] : []
            report.add(snapshot)
        }
        let spans = report.finish().findings
        #expect(spans.map(\.first) == [2 * second, 5 * second])
        #expect(spans.map(\.last) == [3 * second, 5 * second])
        #expect(spans.map(\.cleared) == [4 * second, nil])
    }

    @Test func aLUNWithAnOldRequestAndNoCompletionStalls() {
        var report = Report()
        for (time, oldest) in [(1, nil), (2, 500_000), (3, 1_500_000), (4, 2_500_000), (5, nil)]
            as [(UInt64, Double?)]
        {
            var disk = lun("vd0", reads: 0)
            disk.rates.oldestInFlight = oldest
            report.add(sample(at: time * second, [disk]))
        }
        let stalls = report.finish().stalls
        #expect(
            stalls == [Stall(lun: "vd0", start: 3 * second / 2, end: 5 * second, isOver: true)])
    }

    @Test func fewRequestsDoNotReplaceSamples() {
        var report = Report()
        report.add(sample(at: second, [lun("vd0", reads: 100)]))
        report.add([request(at: second / 2, took: 1000)], names: ["vd0"])
        let result = report.finish()
        #expect(result.basis == .samples && result.coveragePercent == 1)
        #expect(result.luns[0][.read] == 100 && result.slowest.count == 1)
    }

    @Test func nothingTrapsOnHostileSamples() {
        var report = Report()
        let values: [Double] = [.nan, .infinity, -.infinity, -1, 1e300, 0]
        for (step, value) in (values + values).enumerated() {
            var disk = lun("vd0", reads: value, latency: value)
            disk.rates.queueDepth = QueueDepth(now: .min, mean: value, max: .max)
            disk.rates.oldestInFlight = value
            disk.rates.stages = StageTimes(ringWait: value, storage: value)
            disk.rates.errors = value
            var snapshot = sample(
                at: step < values.count ? UInt64(step) * second : UInt64.max - UInt64(step),
                interval: value)
            snapshot.luns = [disk]
            snapshot.total = disk.rates
            snapshot.ownCost.lostEvents = .max
            snapshot.wallClock = .min
            report.add(snapshot)
            report.add(Mark(monotonic: .max, kind: .gap, text: "\u{1B}[2J"))
            report.addLost(.max)
        }
        let result = report.finish()
        #expect(result.recording.samples > 0)
        #expect(!result.text().contains("\u{1B}"))
        #expect(throws: Never.self) { try JSONEncoder().encode(result) }
    }

    @Test func aSnapshotMayHaveSixtyFiveThousandLUNs() {
        var snapshot = sample(at: second)
        snapshot.luns = (0..<65_535).map { LUN(id: String($0), device: "d") }
        var report = Report()
        report.add(snapshot)
        #expect(report.finish().luns.count == 65_535)
    }
}

@Suite struct ComparisonTests {
    private func result(_ reads: [Double], latency: Double = 100, cache: String) -> Report.Result {
        var report = Report()
        for (step, rate) in reads.enumerated() {
            var disk = lun("vd0", reads: rate, latency: latency)
            disk.cache = cache
            report.add(sample(at: UInt64(step + 1) * second, [disk]))
        }
        return report.finish()
    }

    @Test func aClearDifferenceIsTold() {
        let before = result([100, 110, 90, 105, 95, 100], cache: "writeback")
        let after = result([200, 210, 190, 205, 195, 200], latency: 300, cache: "none")
        let comparison = Comparison(before, after)
        let iops = comparison.luns[0].changes.first { $0.metric == .iops }
        #expect(iops?.verdict == .better && iops?.percent == 100)
        #expect(iops?.interval?.contains(100) == true && iops?.interval?.contains(80) == false)
        let latency = comparison.total.changes.first { $0.metric == .readLatency }
        #expect(latency?.verdict == .worse)
        #expect(
            comparison.settings == [
                .init(lun: "vd0", key: "cache", before: "writeback", after: "none")
            ])
        #expect(comparison.text().contains("vd0 cache: writeback -> none"))
    }

    /// A p99 that is told of the slow seconds alone says nothing of the others.
    @Test func percentilesOfFewSamplesAreNotCompared() {
        func result(toldEvery step: Int, _ p99: Double, mean: Double? = 100) -> Report.Result {
            var report = Report()
            for number in 0..<30 {
                var disk = lun("vd0", reads: 100)
                let own = p99 + Double(number % 5)
                disk.rates.readLatency?.mean = mean
                disk.rates.readLatency?.p99 = number.isMultiple(of: step) ? own : nil
                report.add(sample(at: UInt64(number + 1) * second, [disk]))
            }
            return report.finish()
        }
        func verdict(_ step: Int) -> Comparison.Verdict? {
            Comparison(result(toldEvery: step, 60_000), result(toldEvery: 1, 500)).luns[0].changes
                .first { $0.metric == .readP99 }?.verdict
        }
        #expect(verdict(1) == .better)
        #expect(verdict(3) == .unknown)
        // Nor where nobody knows a mean.
        let few = result(toldEvery: 3, 60_000, mean: nil)
        let changes = Comparison(few, result(toldEvery: 3, 500, mean: nil)).luns[0].changes
        #expect(changes.first { $0.metric == .readP99 }?.verdict == .unknown)
    }

    @Test func noChangeIsSeenWhereTheIntervalHoldsZero() {
        let comparison = Comparison(
            result([100, 140, 60, 120, 80], cache: "none"),
            result([110, 150, 70, 130, 85], cache: "none"))
        let iops = comparison.luns[0].changes.first { $0.metric == .iops }
        #expect(iops?.verdict == .noChangeSeen)
        #expect(comparison.settings.isEmpty)
    }

    @Test func theIntervalIsWelchs() {
        var (left, right) = (SampleSeries(), SampleSeries())
        // Alternating values: no positive correlation, so each counts in full.
        for value in [1.0, 3, 1, 3] { left.add(value) }
        for value in [10.0, 14, 10, 14] { right.add(value) }
        let difference = MeanDifference(from: left, to: right)
        #expect(difference?.delta == 10)
        // Variances 4/3 and 16/3 over 4: standard error 1.29099, 4.4118 degrees of freedom, t
        // 2.677.
        let reach = (difference?.interval?.upperBound ?? 0) - 10
        #expect(abs(reach - 3.456) < 0.01)
    }

    @Test func studentsPointsAreThoseOfTheTables() {
        let table = [(1.0, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042)]
        for (freedom, value) in table {
            #expect(abs(studentT975(freedom) - value) / value < 0.003, "\(freedom)")
        }
        #expect(studentT975(.infinity) == 1.959964)
    }

    @Test func alikeNeighboursAreWorthLess() {
        var (slow, fast) = (SampleSeries(), SampleSeries())
        for step in 0..<200 {
            slow.add(step < 100 ? 1 : 2)
            fast.add(step % 2 == 0 ? 1 : 2)
        }
        #expect(slow.effectiveCount < 3)
        #expect(fast.effectiveCount == 200)
    }

    @Test func withoutSamplesTheSpreadIsUnknown() {
        var (before, after) = (Report(), Report())
        before.add(load(100, luns: 2, depth: 2, seed: 1), names: ["a", "b"])
        after.add(load(100, luns: 2, depth: 4, seed: 1), names: ["a", "c"])
        let comparison = Comparison(before.finish(), after.finish())
        #expect(comparison.total.changes.allSatisfy { $0.verdict == .unknown })
        #expect(comparison.luns.map(\.id) == ["a"])
        #expect(comparison.onlyBefore == ["b"] && comparison.onlyAfter == ["c"])
    }
}
