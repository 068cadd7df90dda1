import Telemetry
import Testing

@Suite struct TotalsTests {

    private func lun(_ change: (inout LUN) -> Void) -> LUN {
        var lun = LUN(id: "vd00", device: "virtio-blk")
        change(&lun)
        return lun
    }

    @Test mutating func everyRateIsTheSum() {
        let rates: [WritableKeyPath<BlockRates, Double?>] = [
            \.reads, \.writes, \.flushes, \.discards, \.writeZeroes, \.iops, \.readBytes,
            \.writeBytes, \.kicks, \.interrupts, \.exits, \.errors,
        ]
        for rate in rates {
            let luns = [20.0, 3, nil].map { value in lun { $0.rates[keyPath: rate] = value } }
            let total = BlockRates(summing: luns)
            #expect(total[keyPath: rate] == 23, "\(rate)")
            let unknown = BlockRates(summing: [lun { _ in }])
            #expect(unknown[keyPath: rate] == nil, "\(rate)")
        }
    }

    @Test mutating func depthsAddUpAndTheirPercentilesDoNot() {
        let depths = [
            QueueDepth(now: 3, mean: 2.5, p50: 2, p99: 4, max: 5), .init(now: 1, mean: 0.5),
        ]
        let luns = depths.map { depth in lun { $0.rates.queueDepth = depth } }
        let total = BlockRates(summing: luns)
        #expect(total.queueDepth == QueueDepth(now: 4, mean: 3))
    }

    @Test mutating func latencyIsThatOfAllRequests() throws {
        let luns = [[1000, 1000, 1000] as [UInt64], [64_000]].map { latencies in
            lun {
                var histogram = LatencyHistogram()
                for latency in latencies { histogram.record(latency) }
                $0.readLatencies = histogram
            }
        }
        let total = BlockRates(summing: luns)
        let latency = try #require(total.readLatency)
        #expect(latency.mean == 16.75)
        #expect(abs(try #require(latency.p50) - 1) < 0.032)
        #expect(abs(try #require(latency.max) - 64) < 64 * 0.032)
        #expect(total.writeLatency == nil)
    }

    /// Of requests that were followed by looks: their percentiles are as good as the looks are
    /// close, and somebody else has counted the means.
    @Test mutating func latenciesThatMayBeOffKeepTheirMeans() throws {
        let luns = [(10.0, 3.0), (40, 1)].map { mean, rate in
            lun {
                var histogram = LatencyHistogram()
                for _ in 0..<98 { histogram.record(2_000_000) }
                for _ in 0..<2 { histogram.record(70_000_000) }
                $0.readLatencies = histogram
                $0.rates.reads = rate
                $0.rates.readLatency = LatencySummary(mean: mean)
                $0.rates.latencyUncertainty = 5000
            }
        }
        let total = BlockRates(summing: luns)
        let latency = try #require(total.readLatency)
        #expect(latency.mean == 17.5)
        #expect(latency.p50 == nil)
        #expect(abs((latency.p99 ?? 0) - 70_000) < 70_000 * 0.032)
        #expect(total.latencyUncertainty == 5000)
    }

    @Test mutating func withoutHistogramsTheMeanIsWeightedByRequests() throws {
        let luns = [(10.0, 100.0), (30, 20)].map { rate, mean in
            lun {
                $0.rates.reads = rate
                $0.rates.readLatency = LatencySummary(mean: mean)
            }
        }
        let total = BlockRates(summing: luns)
        #expect(total.readLatency == LatencySummary(mean: 40))
        #expect(total.writeLatency == nil)
    }

    /// One LUN with a histogram cannot speak for another without.
    @Test mutating func someHistogramsAreNotAll() throws {
        let counted = lun {
            $0.rates.reads = 1
            $0.rates.readLatency = LatencySummary(mean: 1, p99: 1)
            $0.readLatencies = LatencyHistogram()
            $0.readLatencies?.record(1000)
        }
        let other = lun {
            $0.rates.reads = 1
            $0.rates.readLatency = LatencySummary(mean: 3)
        }
        #expect(BlockRates(summing: [counted, other]).readLatency == LatencySummary(mean: 2))
        #expect(BlockRates(summing: [counted]).readLatency?.p99 != nil)
    }

    @Test mutating func stageMeansAreWeightedByRequests() {
        let luns = [
            lun {
                $0.rates.iops = 300
                $0.rates.stages = StageTimes(ringWait: 1, submit: 10)
            },
            lun {
                $0.rates.iops = 100
                $0.rates.stages = StageTimes(ringWait: 5)
            },
            lun { $0.rates.iops = 40 },
        ]
        #expect(BlockRates(summing: luns).stages == StageTimes(ringWait: 2))
        // What is known of few is not that of all.
        let others = luns + [lun { $0.rates.iops = 40 }]
        #expect(BlockRates(summing: others).stages == nil)
    }

    /// Quick disks of which nobody counts reads and writes, beside one that is told.
    @Test mutating func whatIsUntoldOfALUNIsUntoldOfAll() throws {
        var untold = LatencyHistogram()
        for _ in 0..<99 { untold.record(0) }
        let quick = lun {
            $0.rates.iops = 99
            $0.rates.latencyUncertainty = 300
            $0.readLatencies = untold
        }
        #expect(BlockRates(summing: [quick]).readLatency == nil)
        #expect(BlockRates(summing: [quick]).latencyUncertainty == 300)
        let slow = lun {
            $0.rates.reads = 1
            $0.rates.iops = 1
            $0.readLatencies = LatencyHistogram()
            $0.readLatencies?.record(9_000_000)
            $0.rates.readLatency = LatencySummary(of: $0.readLatencies)
        }
        let total = BlockRates(summing: [quick, slow])
        #expect(total.readLatency?.p50 == nil && total.readLatency?.p99 == nil)
        #expect(total.readLatency?.max ?? 0 > 8900 && total.latencyUncertainty == 297)
        // The mean of one in a hundred is not that of all; of LUNs that are counted it is.
        #expect(total.readLatency?.mean == nil)
        let counted = lun {
            $0 = quick
            $0.rates.readLatency = LatencySummary(mean: 12)
        }
        let mean = BlockRates(summing: [counted, slow]).readLatency?.mean ?? 0
        #expect(abs(mean - (99.0 * 12 + 9000) / 100) < 1e-9)
        // Looks may have followed none of what is counted.
        let unfollowed = lun {
            $0 = counted
            $0.rates.reads = 99
            $0.readLatencies = LatencyHistogram()
        }
        #expect(BlockRates(summing: [unfollowed]).readLatency == LatencySummary(mean: 12))
    }

    @Test mutating func theOldestOfAll() {
        let luns = [3.0, 8, nil].map { age in lun { $0.rates.oldestInFlight = age } }
        #expect(BlockRates(summing: luns).oldestInFlight == 8)
    }
}

@Suite struct DerivedRates {
    @Test func meanLatencyWeightsReadsAndWrites() {
        var rates = BlockRates()
        #expect(rates.meanLatency == nil)
        rates.readLatency = LatencySummary(mean: 10)
        rates.reads = 30
        rates.writeLatency = LatencySummary(mean: 50)
        rates.writes = 10
        #expect(rates.meanLatency == 20)
        rates.writes = 0
        #expect(rates.meanLatency == 10)
        // What is known of few is not that of all.
        rates.writes = 4
        rates.writeLatency = nil
        #expect(rates.meanLatency == nil)
        rates.writes = 3
        #expect(rates.meanLatency == 10)
    }

    @Test func nothingIsDividedByZero() {
        var rates = BlockRates()
        rates.iops = 0
        rates.reads = 0
        rates.readBytes = 0
        #expect(rates.perRequest(5) == nil)
        #expect(rates.meanRequestBytes == nil)
        #expect(rates.meanLatency == nil)
    }
}
