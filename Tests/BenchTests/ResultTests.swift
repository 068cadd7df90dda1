import Foundation
import Telemetry
import Testing

@testable import Bench

@Suite struct ResultTests {
    private func reading(at time: Nanoseconds, requests: UInt64) -> BenchReading {
        var lun = LUNCounters(monotonic: time)
        (lun.reads, lun.kicks, lun.interrupts, lun.turns) = (
            requests, requests / 4, 5, requests / 8
        )
        lun.writeLatencyBuckets = BucketCounts()
        var latencies = BucketCounts()
        latencies.add(requests, to: LatencyBuckets.index(of: 2000))
        lun.readLatencyBuckets = latencies
        lun.readLatencySum = 2000 * requests
        var reading = BenchReading(monotonic: time, luns: [lun, lun])
        (reading.vcpus.threads, reading.vcpus.cpu) = (1, requests * 100)
        (reading.devices.threads, reading.devices.cpu) = (2, requests * 300)
        reading.counts[.lockAcquisitions] = requests * 4
        return reading
    }

    @Test func twoReadingsMakeARun() throws {
        let run = try #require(
            BenchRun(
                from: reading(at: 1_000_000_000, requests: 800),
                to: reading(at: 3_000_000_000, requests: 8_800)))
        #expect(run.seconds == 2)
        #expect(run.requests == 16_000)
        #expect(run.iops == 8000)
        #expect(run.latencies.count == 16_000)
        #expect(run.perIO(.kicks) == 0.25)
        #expect(run.perIO(.interrupts) == 0)
        #expect(run.perIO(.vcpuCPU) == 50)
        #expect(run.perIO(.lockAcquisitions) == 2)
        #expect(run.perIO(.exits) == nil)
        #expect(run.perIO(.voluntarySwitches) == nil)
        #expect(run.deviceThreads == 2)
        var point = BenchPoint(BenchSetup(path: "data-plane", backend: "null", luns: 2))
        point.runs = [run, run]
        #expect(point.cpuPerIO == 200)
        #expect(point.batch == 8)
        #expect(point.latency?.mean == 2)
        #expect(point.switchesPerIO == nil)
    }

    @Test func readingsThatDoNotFitMakeNone() {
        let (first, last) = (reading(at: 5, requests: 1), reading(at: 5, requests: 2))
        #expect(BenchRun(from: first, to: last) == nil)
        var other = reading(at: 2_000_000_000, requests: 2)
        other.luns.removeLast()
        #expect(BenchRun(from: first, to: other) == nil)
    }

    @Test func aCounterThatWentDownIsNotMeasured() throws {
        var last = reading(at: 2_000_000_000, requests: 10)
        last.vcpus.cpu = 0
        let run = try #require(BenchRun(from: reading(at: 0, requests: 1), to: last))
        #expect(run.counts[.vcpuCPU] == nil)
        #expect(run.counts[.deviceCPU] == 2700)
    }

    @Test func jsonHoldsWhatWasMeasuredAndNullsForTheRest() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        for (name, bench) in [
            ("paths", Fixture.paths()), ("scaling", Fixture.scaling()),
            ("fio", Fixture.againstFio()), ("hostile", Fixture.hostile()),
        ] {
            let text = String(decoding: try encoder.encode(bench), as: UTF8.self)
            try checkGolden(text + "\n", "\(name).json")
        }
        let data = try encoder.encode(Fixture.paths())
        let object = try #require(
            try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let points = try #require(object["points"] as? [[String: Any]])
        #expect(points[0]["exits_per_io"] is NSNull)
        #expect(points[0]["kicks_per_io"] as? Double ?? 0 > 0.03)
        #expect(points[2]["iops_median"] is NSNull)
        #expect(!String(decoding: data, as: UTF8.self).contains("1613288"))
    }

    @Test func csvHasARowForEachRun() throws {
        for (name, bench) in [("paths", Fixture.paths()), ("hostile", Fixture.hostile())] {
            try checkGolden(bench.csv, "\(name).csv")
        }
        let lines = Fixture.paths().csv.components(separatedBy: "\r\n")
        #expect(lines.count == 1 + 9 + 1)
        #expect(Set(lines.dropLast().map { $0.components(separatedBy: ",").count }).count == 1)
    }

    @Test func theOrderTakesTurns() {
        let order = RunOrder(setups: 2, repeats: 3, seed: 1).indices
        #expect(order == [0, 1, 0, 1, 0, 1] || order == [1, 0, 1, 0, 1, 0])
        #expect(
            Set((0..<20).map { RunOrder(setups: 2, repeats: 1, seed: $0).indices[0] }).count == 2)
        #expect(
            RunOrder(setups: 5, repeats: 2, seed: 9) == RunOrder(setups: 5, repeats: 2, seed: 9))
        #expect(RunOrder(setups: 0, repeats: 3, seed: 1).indices == [])
        let many = RunOrder(setups: 7, repeats: 4, seed: 3).indices
        for round in 0..<4 { #expect(Set(many[round * 7..<round * 7 + 7]).count == 7) }
    }

    @Test func spreadsAreOfWhatIsThere() throws {
        let spread = try #require(Spread([3, 1, 2, .nan]))
        #expect((spread.low, spread.median, spread.high, spread.count) == (1, 2, 3, 3))
        #expect(spread.percent == 50)
        #expect(Spread([]) == nil)
        #expect(Spread([4])?.percent == nil)
        #expect(Spread([1, 2])?.median == 1.5)
    }

    @Test(arguments: [
        (0.1, ShareBand.wrong), (0.3, .untuned), (0.59, .untuned), (0.6, .between),
        (0.899, .between), (0.9, .tuned), (1.2, .tuned),
    ])
    func bandsAreTheDecks(ratio: Double, band: ShareBand) {
        #expect(ShareBand(ratio: ratio) == band)
    }

    @Test func oneThreadBoundsThePathThatHasOne() throws {
        var point = Fixture.point("big-lock", [1000], luns: 8)
        point.runs[0].deviceThreads = 1
        let one = try #require(CoreBound(point, cores: 40, luns: 56))
        #expect(one.limit == .deviceThreads)
        #expect(abs(one.throughput - 1e9 / 300) < 1)
        let many = try #require(
            CoreBound(Fixture.point("data-plane", [1000], luns: 8), cores: 40, luns: 56))
        #expect(many.limit == .cores)
        #expect(abs(many.throughput - 40e9 / 500) < 1)
        point.runs[0].counts[.deviceCPU] = nil
        #expect(CoreBound(point, cores: 40, luns: 56) == nil)
    }

    @Test func theReferencesAreTheDecks() {
        let bars = Reference2013.bars.map(\.iops)
        #expect(
            bars == [
                1_613_288, 1_601_753, 1_059_304, 939_199, 400_000, 380_730, 295_652, 147_365,
            ])
        // The deck's own ratio of its best to its worst.
        #expect(((bars[0] / bars[7]) * 10).rounded() == 109)
    }
}
