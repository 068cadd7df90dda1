import Telemetry

/// Samples for exporters to write.
enum Samples {
    /// Two LUNs: one with everything known, one with nothing.
    static var one: Snapshot {
        var sample = Snapshot(
            source: Source(kind: .demo, name: "de\"mo\\\n"), sequence: 7, monotonic: 9_000_000_000,
            wallClock: 1_700_000_000_500_000_000, interval: 1)
        var busy = LUN(id: "vd00", device: "virtio-blk-pci")
        busy.vm = "a,\"b\""
        busy.node = "no\u{1B}de\n0"
        busy.ioThread = "io0,io1"
        busy.rates.reads = 1000.25
        busy.rates.iops = 1000.25
        busy.rates.readBytes = 4_096_000
        busy.rates.errors = 0
        busy.rates.queueDepth = QueueDepth(now: 3, mean: 2.5, p50: 2, p99: 9, max: 12)
        busy.rates.stages = StageTimes(storage: 61.5)
        busy.rates.oldestInFlight = 250
        var latencies = LatencyHistogram()
        for latency in [500, 1023, 1024, 80_000, 20_000_000_000] as [UInt64] {
            latencies.record(latency)
        }
        busy.readLatencies = latencies
        busy.rates.readLatency = LatencySummary(of: latencies)
        sample.luns = [busy, LUN(id: "vd01", device: "virtio-blk-pci")]
        return sample
    }

    /// Numbers that no source should give.
    static var broken: Snapshot {
        var sample = one
        sample.wallClock = .min
        sample.interval = .nan
        for index in sample.luns.indices {
            sample.luns[index].rates.iops = .infinity
            sample.luns[index].rates.reads = .nan
            sample.luns[index].rates.writes = 1e300
            sample.luns[index].rates.readLatency = LatencySummary(
                mean: .nan, p50: -1, p99: .infinity)
            sample.luns[index].rates.queueDepth = QueueDepth(now: .min, mean: -.infinity)
        }
        return sample
    }
}
