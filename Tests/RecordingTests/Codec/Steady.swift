import Telemetry

/// Samples of a steady load made from counters, as a source makes them: of every four LUNs two are
/// busy, one does little and one nothing.
struct Steady {
    var lunCount: Int
    var seed: UInt64 = 1

    func samples(_ count: Int) -> [Snapshot] {
        var random = SeededGenerator(seed: seed)
        var counters = (0..<lunCount).map { _ in
            var counters = LUNCounters(monotonic: 0)
            counters.readLatencyBuckets = BucketCounts()
            counters.writeLatencyBuckets = BucketCounts()
            counters.depthTimes = Array(repeating: 0, count: 9)
            return counters
        }
        var before: [LUNCounters?] = counters.map { _ in nil }
        return (0..<count).map { index in
            let time = 1_000_000_000 * UInt64(index + 1) + UInt64(random.below(50_000))
            var sample = Snapshot(
                source: Source(kind: .demo, name: "steady"), sequence: UInt64(index + 1),
                monotonic: time, wallClock: 1_767_323_045_000_000_000 + Int64(time),
                interval: index == 0 ? nil : 1)
            for number in 0..<lunCount {
                advance(&counters[number], number, to: time, &random)
                var lun = LUN(id: "vd\(number)", device: "virtio-blk-pci")
                lun.file = "/images/disk\(number).raw"
                lun.virtqueues = [queue(counters[number])]
                lun.derive(from: before[number], to: counters[number])
                before[number] = counters[number]
                sample.luns.append(lun)
            }
            sample.total = BlockRates(summing: sample.luns)
            return sample
        }
    }

    private func queue(_ counters: LUNCounters) -> Virtqueue {
        let used = UInt16(truncatingIfNeeded: counters.requests)
        return Virtqueue(
            index: 0, size: 128, availIndex: used &+ UInt16(truncatingIfNeeded: counters.depth),
            usedIndex: used, inFlight: counters.depth)
    }

    private func advance(
        _ counters: inout LUNCounters, _ number: Int, to time: Nanoseconds,
        _ random: inout SeededGenerator
    ) {
        let requests =
            number % 4 < 2 ? 90 + random.below(20) : number % 4 == 2 ? random.below(3) : 0
        let span = time - counters.monotonic
        counters.monotonic = time
        for _ in 0..<requests {
            // The mean of four is near enough to what latencies are.
            let noise = UInt64((0..<4).reduce(0) { sum, _ in sum + random.below(80_000) })
            let latency = 60_000 + noise
            counters.staged += 1
            for (stage, part) in [UInt64(20), 200, 2, 200, 10].enumerated() {
                counters.stageSums[stage] += latency / part
            }
            if random.chance(70) {
                counters.reads += 1
                counters.readBytes += 4096
                counters.readLatencySum += latency
                counters.readLatencyBuckets?.add(to: LatencyBuckets.index(of: latency))
            } else {
                counters.writes += 1
                counters.writeBytes += 4096
                counters.writeLatencySum += latency
                counters.writeLatencyBuckets?.add(to: LatencyBuckets.index(of: latency))
            }
            counters.kicks += 1
            counters.turns += 1
            counters.interrupts += random.chance(90) ? 1 : 0
        }
        counters.depthTimes[0] += span / 2
        counters.depthTimes[1] += span - span / 2
        counters.depth = requests > 50 ? random.below(4) : 0
    }
}
