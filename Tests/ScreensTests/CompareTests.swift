import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Compare")
struct CompareTests {
    private func sample(
        _ sequence: UInt64, iops: Double, mean: Double, cache: String = "none", luns: Int = 2
    ) -> Snapshot {
        var sample = Snapshot(
            source: Source(kind: .demo, name: "x"), sequence: sequence,
            monotonic: sequence * 1_000_000_000, wallClock: Int64(sequence) * 1_000_000_000,
            interval: 1)
        for number in 0..<luns {
            var lun = LUN(id: "vd\(number)", device: "")
            lun.rates.iops = number == 0 ? iops : 100
            lun.rates.reads = lun.rates.iops
            lun.rates.readBytes = 4096 * (lun.rates.iops ?? 0)
            lun.rates.readLatency = LatencySummary(mean: number == 0 ? mean : 200)
            lun.cache = number == 0 ? cache : "none"
            sample.luns.append(lun)
        }
        sample.total = BlockRates(summing: sample.luns)
        return sample
    }

    private func stretch(_ samples: [Snapshot]) -> MarkedStretch {
        var history = SnapshotHistory()
        for sample in samples { history.append(sample) }
        var stretch = MarkedStretch(samples[0])
        stretch.extend(from: history)
        return stretch
    }

    private func comparison(_ a: [Snapshot], _ b: [Snapshot]) -> Comparison {
        Comparison(stretch(a), stretch(b), .id, arrow: "->")
    }

    @Test("ten samples from the mark on are averaged, latency by its requests")
    func means() throws {
        let a = (1...20).map { sample($0, iops: Double($0) * 10, mean: 100) }
        let stretch = stretch(a)
        #expect(stretch.count == 10)
        let sums = try #require(stretch.luns["vd0"])
        #expect(sums.value(.iops, exactP99: false) == 55)
        let two = self.stretch([
            sample(1, iops: 100, mean: 100), sample(2, iops: 300, mean: 200),
        ])
        #expect(two.luns["vd0"]?.value(.latency, exactP99: false) == 175)
        #expect(two.luns["vd0"]?.value(.p99, exactP99: false) == nil, "nobody knows it")
        #expect(two.luns["vd0"]?.value(.depth, exactP99: false) == nil)
    }

    @Test("the p99 is that of all requests, also of samples whose own is not told")
    func untold() {
        let slow = LatencyHistogram.Bucket(
            index: UInt16(LatencyBuckets.index(of: 60_000_000)), count: 2)
        let brief = LatencyHistogram.Bucket(index: UInt16(LatencyBuckets.untold), count: 100)
        let samples = (1...10).map { (number: UInt64) -> Snapshot in
            var sample = sample(number, iops: 100, mean: 12)
            sample.luns[0].rates.latencyUncertainty = 300
            let buckets = number == 3 ? [brief, slow] : [brief]
            sample.luns[0].readLatencies = LatencyHistogram(buckets: buckets, sum: 1)
            sample.luns[0].rates.readLatency = LatencySummary(
                of: sample.luns[0].readLatencies, within: 300)
            return sample
        }
        #expect(samples[2].luns[0].rates.worstP99 ?? 0 > 59_000)
        let sums = stretch(samples).luns["vd0"]
        #expect(sums?.hasWholeHistogram == true)
        #expect(sums?.value(.p99, exactP99: true) == nil, "2 of 1002 took long")
        #expect(stretch([samples[2]]).luns["vd0"]?.value(.p99, exactP99: true) ?? 0 > 59_000)
    }

    @Test("a sample left out ends the stretch")
    func holes() {
        let samples = [1, 2, 3, 7, 8].map { sample($0, iops: 1, mean: 1) }
        #expect(stretch(samples).count == 3)
    }

    @Test("p99 is that of all requests of the stretch where histograms are known")
    func p99() throws {
        let samples = (1..<11).map { Fixture(lunCount: 4).snapshot($0) }
        let stretch = stretch(samples)
        let luns = samples.map { $0.luns[1] }
        let all = LatencyHistogram.sum(
            luns.flatMap { [$0.readLatencies, $0.writeLatencies] }.compactMap(\.self))
        let sums = try #require(stretch.luns["vd01"])
        #expect(sums.hasWholeHistogram)
        #expect(sums.value(.p99, exactP99: true) == LatencySummary(of: all)?.p99)
        #expect(sums.value(.p99, exactP99: false) == luns.compactMap(\.rates.worstP99).max())
    }

    @Test("the LUN that got worse most is first, one that stopped before all")
    func order() {
        let a = [sample(1, iops: 100, mean: 100, luns: 3)]
        let slow = comparison(a, [sample(9, iops: 100, mean: 300, luns: 3)])
        #expect(slow.rows.map(\.name) == ["vd0", "vd1", "vd2"])
        #expect(slow.rows[0].worsening == 3)
        let fast = comparison(a, [sample(9, iops: 200, mean: 50, luns: 3)])
        #expect(fast.rows.map(\.name) == ["vd1", "vd2", "vd0"])
        let stopped = comparison(a, [sample(9, iops: 0, mean: 100, luns: 3)])
        #expect(stopped.rows[0].name == "vd0" && stopped.rows[0].worsening == .infinity)
    }

    @Test("settings that differ are told, and LUNs that came or went")
    func settings() {
        let comparison = comparison(
            [sample(1, iops: 1, mean: 1, luns: 2)],
            [sample(9, iops: 1, mean: 1, cache: "writeback", luns: 1)])
        #expect(
            comparison.differences == [
                "vd0 cache: none -> writeback", "vd1 is there at A only",
            ])
        #expect(comparison.rows.first { $0.name == "vd1" }?.value(.iops).b == nil)
    }

    @Test("m marks A, B, and A anew; D compares them on the screen")
    func keys() throws {
        var player = Night.player(at: 30, size: Size(columns: 132, rows: 43))
        player.press(.character("D"))
        #expect(player.bench.text.contains("set mark A with m"))
        player.press(.character("m"))
        #expect(player.bench.lines.last?.contains("A is at 03:04:35Z; m marks B") == true)
        #expect(player.bench.text.contains("go elsewhere in time and set mark B with m"))
        player.press(.character("b"))
        player.type("03:07:20")
        player.press(.character("m"))
        #expect(player.bench.text.contains("A 03:04:35Z 9 samples  B 03:07:20Z 9 samples"))
        // The samples after B are read as the replay goes on.
        player.press(.character(" "))
        player.pass(9)
        #expect(player.bench.text.contains("B 03:07:20Z 10 samples"))
        #expect(player.bench.text.contains("vd03 cache: none → writeback"))
        let first = try #require(
            player.bench.lines.firstIndex { $0.hasPrefix(" ") && $0.contains("total") })
        #expect(player.bench.lines[first + 1].hasPrefix(" #vd03"))
        player.press(.character("m"))
        #expect(player.bench.text.contains("set mark B with m"))
    }

    @Test("live, what follows a mark is taken in as it comes")
    func live() {
        var bench = Bench(Fixture(samples: 3).history, size: Size(columns: 132, rows: 43))
        bench.press(.character("m"))
        #expect(bench.state.markA?.count == 1)
        for index in 3..<20 { bench.arrive(Fixture().snapshot(index)) }
        #expect(bench.state.markA?.count == 10)
        #expect(bench.state.markA?.start.monotonic == 102_000_000_000)
    }

    @Test("more LUNs than lines can be scrolled")
    func scrolling() {
        var bench = Bench(Fixture.standard, size: Size(columns: 80, rows: 24))
        bench.press(.character("m"), .character("["), .character("m"), .character("D"))
        let before = bench.lines
        bench.press(.down)
        #expect(bench.lines != before)
        bench.press(.end, .end, .down)
        #expect(bench.state.compareTop <= 56)
        let end = bench.lines
        bench.press(.pageUp)
        #expect(bench.lines != end)
        bench.press(.home)
        #expect(bench.lines == before)
    }
}
