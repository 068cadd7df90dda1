import Rings
import Telemetry
import Testing

@testable import Attach

/// What QEMU counts and what the virtqueues show make one LUN.
@Suite("Latencies from virtqueues")
struct RingLatencyTests {
    private func reading(_ rings: LUNRings, mean: Double? = 12) -> VMReading {
        var lun = LUN(id: "vd0", device: "virtio-blk-pci")
        (lun.rates.iops, lun.rates.reads, lun.rates.writes) = (100, 100, 0)
        lun.rates.readLatency = mean.map { LatencySummary(mean: $0) }
        var reading = VMReading(
            vm: VirtualMachine(
                name: "vm", pid: 1, version: "", accelerator: .tcg, status: "running", vcpus: 1,
                memoryBytes: nil), luns: [lun])
        var seen = RingReading()
        seen.luns["vd0"] = rings
        reading.add(seen, prefix: nil, now: 1)
        return reading
    }

    private func rings(brief: Int, slow: Int) -> LUNRings {
        var rings = LUNRings()
        for _ in 0..<brief { rings.untypedLatencies.add(300_000, error: 600_000) }
        for _ in 0..<slow { rings.readLatencies.add(50_000_000, error: 1_000_000) }
        rings.latencyUncertainty = 600
        rings.ended = UInt64(brief + slow)
        rings.isTooBrief = slow == 0
        return rings
    }

    @Test func whatIsTooQuickToBeSeenIsNoPercentile() throws {
        let reading = reading(rings(brief: 100, slow: 0))
        let latency = try #require(reading.luns[0].rates.readLatency)
        #expect(latency == LatencySummary(mean: 12))
        #expect(reading.luns[0].readLatencies?.count == 100)
        let reasons = reading.unavailable.filter { $0.metric == "read_latency_us.p50" }
        #expect(reasons.map(\.remedy).first??.contains("--ring-rate") == true)
        #expect(reading.unavailable.contains { $0.metric == "stage_us" })
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
