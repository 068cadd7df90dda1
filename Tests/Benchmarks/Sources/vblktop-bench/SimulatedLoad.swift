import Foundation
import Telemetry

/// A load made up from a seed: requests arrive at random and take log-normal times.
struct SimulatedLoad {
    /// Requests per second of each LUN.
    var rates: [Double]

    /// SplitMix64.
    private struct Random {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
        mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
        mutating func normal() -> Double {
            (-2 * log(max(unit(), 1e-300))).squareRoot() * cos(2 * .pi * unit())
        }
        /// Nanoseconds around `median`.
        mutating func time(_ median: Double, _ width: Double) -> UInt64 {
            UInt64(median * exp(width * normal()))
        }
    }

    /// Samples a second apart.
    func samples(_ count: Int) -> [Snapshot] {
        var random = Random(state: 42)
        var counters = rates.map { _ in
            var counters = LUNCounters(monotonic: 5_000_000_000)
            counters.readLatencyBuckets = BucketCounts()
            counters.writeLatencyBuckets = BucketCounts()
            counters.depthTimes = Array(repeating: 0, count: 33)
            return counters
        }
        var before: [LUNCounters?] = rates.map { _ in nil }
        var lastTime: UInt64?
        return (0..<count).map { second in
            let time = 5_000_000_000 + UInt64(second) * 1_000_000_000 + random.next() % 60_000
            var sample = Snapshot(
                source: Source(kind: .demo, name: "simulated"), sequence: UInt64(second + 1),
                monotonic: time, wallClock: 1_767_323_045_000_000_000 + Int64(time),
                interval: lastTime.map { Double(time - $0) / 1e9 })
            lastTime = time
            for index in rates.indices {
                advance(
                    &counters[index], index, to: time + UInt64(index) * 900 + random.next() % 300,
                    &random)
                var lun = LUN(id: "vd\(index)", device: "virtio-blk-pci")
                lun.file = "/var/lib/libvirt/images/disk\(index).qcow2"
                lun.format = "qcow2"
                lun.ioThread = "io\(index % 4)"
                let (depth, used) = (counters[index].depth, counters[index].requests)
                lun.virtqueues = [
                    Virtqueue(
                        index: 0, size: 256,
                        availIndex: UInt16(truncatingIfNeeded: used &+ UInt64(depth)),
                        usedIndex: UInt16(truncatingIfNeeded: used), inFlight: depth)
                ]
                lun.derive(from: before[index], to: counters[index])
                before[index] = counters[index]
                sample.luns.append(lun)
            }
            sample.total = BlockRates(summing: sample.luns)
            return sample
        }
    }

    private func advance(
        _ counters: inout LUNCounters, _ index: Int, to time: Nanoseconds, _ random: inout Random
    ) {
        let seconds = Double(time - counters.monotonic) / 1e9
        counters.monotonic = time
        let mean = rates[index] * seconds
        let count = mean > 0 ? Int(max(0, mean + mean.squareRoot() * random.normal())) : 0
        var busy: UInt64 = 0
        for _ in 0..<count {
            let stages = [
                random.time(4000, 0.7), random.time(900, 0.3),
                random.time(80_000 * Double(1 + index % 7), 0.5), random.time(700, 0.3),
                random.time(9000, 0.6),
            ]
            let latency = stages.reduce(0, +)
            for stage in stages.indices { counters.stageSums[stage] += stages[stage] }
            counters.staged += 1
            busy += latency
            let bytes: UInt64 = index % 3 == 0 ? 4096 : 4096 << (random.next() % 4)
            if random.unit() < 0.7 {
                counters.reads += 1
                counters.readBytes += bytes
                counters.readLatencySum += latency
                counters.readLatencyBuckets?.add(to: LatencyBuckets.index(of: latency))
            } else {
                counters.writes += 1
                counters.writeBytes += bytes
                counters.writeLatencySum += latency
                counters.writeLatencyBuckets?.add(to: LatencyBuckets.index(of: latency))
            }
            if random.unit() < 0.6 {
                counters.kicks += 1
                counters.turns += 1
            } else {
                counters.kicksSuppressed += 1
            }
            if random.unit() < 0.8 {
                counters.interrupts += 1
            } else {
                counters.interruptsSuppressed += 1
            }
        }
        let depth = Double(busy) / 1e9 / max(seconds, 0.1)
        var share = exp(-depth)
        for place in 0..<32 {
            counters.depthTimes[place] += UInt64(share * seconds * 1e9)
            share *= depth / Double(place + 1)
        }
        counters.depth = Int(depth * 2 * random.unit())
        counters.oldest = counters.depth > 0 ? UInt64(120_000 * random.unit()) : nil
    }

    /// Requests of 56 LUNs with the six stamps of five stages.
    static func requests(_ count: Int) -> [IOEvent] {
        var random = Random(state: 7)
        var time: UInt64 = 5_000_000_000
        var ends = [UInt64](repeating: 0, count: 56)
        return (0..<count).map { _ in
            time += UInt64(-5000 * log(max(random.unit(), 1e-12)))
            let lun = Int(56 * random.unit() * random.unit())
            let published = time - random.time(9000, 0.6)
            let completed = published - random.time(700, 0.3)
            let submitted = completed - random.time(90_000, 0.5)
            let popped = submitted - random.time(900, 0.3)
            let bytes = UInt32(4096) << UInt32(random.next() % 4)
            let sector = random.unit() < 0.4 ? ends[lun] : random.next() % (1 << 25) * 8
            ends[lun] = sector + UInt64(bytes) / 512
            return IOEvent(
                type: random.unit() < 0.7 ? 0 : 1, status: 0, lun: UInt16(lun),
                head: UInt16(random.next() % 64), sector: sector, byteCount: bytes,
                queued: popped - random.time(4000, 0.7), kicked: 0, popped: popped,
                submitted: submitted, completed: completed, published: published, notified: 0,
                reaped: time)
        }
    }

    /// A mix of what a VM's threads do in the host's kernel.
    static func kernelEvents(_ count: Int) -> [KernelEvent] {
        let names = [
            "sched:sched_switch", "sched:sched_wakeup", "kvm:kvm_exit", "kvm:kvm_entry",
            "syscalls:sys_enter_io_submit", "block:block_rq_issue", "block:block_rq_complete",
        ]
        var random = Random(state: 11)
        var time: UInt64 = 5_000_000_000
        return (0..<count).map { _ in
            time += UInt64(-1500 * log(max(random.unit(), 1e-12)))
            let name = Int(7 * random.unit() * random.unit())
            let isBlock = name >= 5
            return KernelEvent(
                monotonic: time, name: names[name], tid: 4000 + Int32(random.next() % 12),
                cpu: UInt16(random.next() % 4), a: isBlock ? random.next() % (1 << 22) * 8 : 0,
                b: isBlock ? 8 << (random.next() % 4) : 0)
        }
    }
}
