import Rings
import Telemetry
import Testing

@testable import Attach

/// What QEMU counts and what the virtqueues show make one LUN.
@Suite("Latencies from virtqueues")
struct RingLatencyTests {
    private func reading(
        _ rings: LUNRings, mean: Double? = 12, isCounted: Bool = true
    ) -> VMReading {
        var lun = LUN(id: "vd0", device: "virtio-blk-pci")
        if isCounted {
            (lun.rates.iops, lun.rates.reads, lun.rates.writes) = (100, 100, 0)
            lun.rates.readLatency = mean.map { LatencySummary(mean: $0) }
        }
        var reading = VMReading(
            vm: VirtualMachine(
                name: "vm", pid: 1, version: "", accelerator: .tcg, status: "running", vcpus: 1,
                memoryBytes: nil), luns: [lun])
        var seen = RingReading()
        seen.luns["vd0"] = rings
        reading.add(seen, prefix: nil, remedy: "--ring-rate 20000", now: 1)
        return reading
    }

    private func rings(brief: Int, slow: Int) -> LUNRings {
        var rings = LUNRings()
        for _ in 0..<brief { rings.untypedLatencies.add(300_000, error: 600_000) }
        for _ in 0..<slow { rings.readLatencies.add(50_000_000, error: 1_000_000) }
        rings.latencyUncertainty = 600
        rings.ended = UInt64(brief + slow)
        rings.whyNoStages = slow == 0 ? .brief : nil
        return rings
    }

    @Test func whatIsTooQuickToBeSeenIsNoPercentile() throws {
        let reading = reading(rings(brief: 100, slow: 0))
        let latency = try #require(reading.luns[0].rates.readLatency)
        #expect(latency == LatencySummary(mean: 12))
        #expect(reading.luns[0].readLatencies?.count == 100)
        let reasons = reading.unavailable.filter { $0.metric == "read_latency_us.p50" }
        #expect(reasons.map(\.remedy).first??.contains("--ring-rate") == true)
        #expect(reading.unavailable.contains { $0.metric == "read_latency_us.p99" })
        #expect(!reading.unavailable.contains { $0.metric.hasPrefix("write_latency_us") })
        #expect(reading.unavailable.contains { $0.metric == "stage_us" })
        let total = BlockRates(summing: reading.luns)
        #expect(total.readLatency == LatencySummary(mean: 12))
    }

    /// A disk that another process serves: QEMU counts nothing of it.
    @Test func withoutACountNothingIsGuessed() throws {
        let reading = reading(rings(brief: 100, slow: 0), isCounted: false)
        #expect(reading.luns[0].rates.readLatency == nil)
        #expect(reading.unavailable.contains { $0.metric == "read_latency_us.mean" })
        #expect(BlockRates(summing: reading.luns).readLatency == nil)
    }

    /// One brief request among many does not hide what is told of the others.
    @Test func aTailIsToldOfWhatNobodyCountsToo() throws {
        var rings = rings(brief: 0, slow: 100)
        rings.readLatencies.add(300_000, error: 600_000)
        rings.writeLatencies.add(50_000_000, error: 1_000_000)
        let latency = try #require(
            reading(rings, isCounted: false).luns[0].rates.readLatency)
        #expect(abs((latency.mean ?? 0) - 49_509.4) < 0.1)
        #expect(abs((latency.p99 ?? 0) - 50_000) < 50_000 * 0.032)
        // Many do hide the mean, and not the tail.
        for _ in 0..<400 { rings.readLatencies.add(30_000_000, error: 60_000_000) }
        let other = try #require(reading(rings, isCounted: false).luns[0].rates.readLatency)
        #expect(other.mean == nil && other.p50 == nil && other.p99 ?? 0 > 49_000)
    }

    @Test func whatQEMUDoesNotServeItDoesNotCount() {
        var lun = LUN(id: "vd0", device: "vhost-user-blk-pci")
        lun.rates.latencyUncertainty = 300
        var reading = reading(rings(brief: 100, slow: 0))
        #expect(reading.unavailable.contains { $0.remedy?.contains("--set-histograms") == true })
        reading.luns = [lun]
        reading.unavailable = []
        var seen = RingReading()
        seen.luns["vd0"] = rings(brief: 100, slow: 0)
        reading.add(seen, prefix: nil, remedy: nil, now: 2)
        let missing = reading.unavailable.filter { $0.metric.hasPrefix("read_latency_us") }
        #expect(missing.count == 3 && missing.allSatisfy { $0.remedy == nil })
    }

    @Test func whyStagesAreBlank() {
        var rings = rings(brief: 1, slow: 0)
        for (gap, word) in [(StageGap.fewRequests, "ten looks"), (.hidden, "neither")] {
            rings.whyNoStages = gap
            let reasons = reading(rings).unavailable.filter { $0.metric == "stage_us" }
            #expect(reasons.map { $0.reason.contains(word) } == [true])
            #expect(reasons[0].remedy == nil)
        }
    }

    @Test func aTailIsSeenWhateverIsQuick() throws {
        let reading = reading(rings(brief: 97, slow: 3), mean: 1512)
        let latency = try #require(reading.luns[0].rates.readLatency)
        #expect(latency.mean == 1512 && latency.p50 == nil)
        #expect(abs((latency.p99 ?? 0) - 50_000) < 50_000 * 0.032)
    }

    @Test func whatIsSlowEnoughIsTold() throws {
        let reading = reading(rings(brief: 0, slow: 100), mean: 49_000)
        let latency = try #require(reading.luns[0].rates.readLatency)
        #expect(latency.mean == 49_000)
        #expect(abs((latency.p50 ?? 0) - 50_000) < 50_000 * 0.032)
        let missing = Set(reading.unavailable.map(\.metric))
        #expect(missing.isDisjoint(with: ["read_latency_us.p50", "stage_us"]))
    }
}
