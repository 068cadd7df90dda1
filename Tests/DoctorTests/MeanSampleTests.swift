import Telemetry
import Testing

@testable import Doctor

@Suite("Means of samples")
struct MeanSampleTests {
    private func sample(_ interval: Double?, reads: Double?, latency: Double?) -> Snapshot {
        var sample = Snapshot.ward
        sample.interval = interval
        sample.luns[0].rates.reads = reads
        sample.luns[0].rates.iops = reads
        sample.luns[0].rates.readLatency = latency.map { LatencySummary(mean: $0) }
        sample.threads[0].cpuPercent = reads
        sample.host.disks[0].utilPercent = reads
        return sample
    }

    @Test func ratesAreWeightedByTimeAndLatenciesByRequests() {
        let mean = Snapshot.mean(of: [
            sample(1, reads: 100, latency: 10), sample(3, reads: 300, latency: 50),
        ])
        #expect(mean.luns[0].rates.reads == 250)
        #expect(mean.luns[0].rates.readLatency?.mean == 46)
        #expect(mean.total.iops == 250)
        #expect(mean.threads[0].cpuPercent == 250)
        #expect(mean.host.disks[0].utilPercent == 250)
        #expect(mean.interval == 4)
    }

    /// A second whose median is not told counts with the most it can be.
    @Test func mediansAreNotThoseOfSlowSecondsAlone() {
        var samples = [sample(1, reads: 100, latency: 10), sample(1, reads: 100, latency: 10)]
        for index in samples.indices { samples[index].luns[0].rates.latencyUncertainty = 300 }
        samples[1].luns[0].rates.readLatency?.p50 = 700
        #expect(Snapshot.mean(of: samples).luns[0].rates.readLatency?.p50 == 650)
        // The last second may be idle: what is untold is that of the others.
        samples.append(sample(1, reads: 0, latency: nil))
        #expect(Snapshot.mean(of: samples).luns[0].rates.latencyUncertainty == 300)
        // A tail is one without a mean too.
        samples[0].luns[0].rates.readLatency = LatencySummary(mean: nil, p99: 60_000)
        samples[1].luns[0].rates.readLatency = nil
        let latency = Snapshot.mean(of: samples).luns[0].rates.readLatency
        #expect(latency?.mean == nil && latency?.p99 == 60_000 && latency?.p50 == 600)
    }

    @Test func whatIsMissingIsNoZero() {
        let mean = Snapshot.mean(of: [
            sample(nil, reads: nil, latency: nil), sample(1, reads: nil, latency: nil),
            sample(1, reads: 10, latency: 5),
        ])
        #expect(mean.luns[0].rates.reads == 10)
        #expect(mean.luns[0].rates.writes == nil)
    }

    @Test func thingsAreFoundWhereverTheyAreListed() {
        var samples = [
            sample(1, reads: 10, latency: 1), sample(1, reads: 20, latency: 1),
            sample(1, reads: 60, latency: 1),
        ]
        samples[1].addLUN()
        samples[1].luns[1].rates.reads = 500
        samples[1].luns.reverse()
        samples[1].threads = []
        let mean = Snapshot.mean(of: samples)
        #expect(mean.luns.map(\.rates.reads) == [30])
        #expect(mean.threads[0].cpuPercent == 35)
    }

    /// Of a source that began anew: the last sample has no rates, and maybe other LUNs.
    @Test func theLastSampleMayBeAnothersFirst() {
        var first = sample(nil, reads: nil, latency: nil)
        let known = first.luns[0]
        first.addLUN("new")
        first.luns.reverse()
        let mean = Snapshot.mean(of: [
            sample(1, reads: 10, latency: 1), sample(1, reads: 20, latency: 1), first,
        ])
        #expect(mean.luns.map(\.id) == ["new", known.id])
        #expect(mean.luns.map(\.rates.reads) == [nil, 15])
        first.luns = []
        #expect(Snapshot.mean(of: [first, sample(1, reads: 10, latency: 1), first]).luns.isEmpty)
    }

    @Test func oneSampleIsItsOwnMean() {
        let only = sample(1, reads: 7, latency: 3)
        #expect(Snapshot.mean(of: [only]) == only)
    }
}
