import Telemetry

@testable import Screens

/// A small seeded generator (SplitMix64): the same seed gives the same screens on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// A number in `range`, every digit from the seed.
    mutating func number(_ range: ClosedRange<Double>) -> Double {
        range.lowerBound + Double(next() >> 11) / Double(1 << 53)
            * (range.upperBound - range.lowerBound)
    }
}

/// Samples made up from a seed: a believable VM with a hot, a slow and some idle LUNs.
struct Fixture {
    var lunCount = 56
    var samples = 12
    var seed: UInt64 = 42

    /// 56 LUNs, made once: most tests look at these.
    static let standard = Fixture().history

    /// Samples a second apart, live.
    var history: SnapshotHistory {
        var history = SnapshotHistory()
        for index in 0..<samples { history.append(snapshot(index)) }
        return history
    }

    /// The sample of second `index`; the first has no rates.
    func snapshot(_ index: Int) -> Snapshot {
        var random = SeededGenerator(seed: seed &+ UInt64(index) &* 7919)
        var snapshot = Snapshot(
            source: Source(kind: .demo, name: "guest1"), sequence: UInt64(index + 1),
            monotonic: 1_000_000_000 * UInt64(index + 100),
            // 2026-01-02 03:04:05 UTC
            wallClock: 1_767_323_045_000_000_000 + Int64(index) * 1_000_000_000,
            interval: index == 0 ? nil : 1)
        snapshot.vms = [
            VirtualMachine(
                name: "guest1", pid: 1234, version: "0.1", accelerator: .embedded,
                status: "running", vcpus: 4, memoryBytes: 1 << 30)
        ]
        for number in 0..<lunCount {
            snapshot.luns.append(lun(number, isFirst: index == 0, &random))
        }
        snapshot.total = BlockRates(summing: snapshot.luns)
        snapshot.threads = threads(isFirst: index == 0, &random)
        snapshot.host.cpuPercent = index == 0 ? nil : 38
        snapshot.ownCost = OwnCost(
            cpuPercent: index == 0 ? nil : 0.2, residentBytes: 14 << 20, skew: 1_000_000)
        return snapshot
    }

    private func lun(
        _ number: Int, isFirst: Bool, _ random: inout SeededGenerator
    ) -> LUN {
        var lun = LUN(id: number < 10 ? "vd0\(number)" : "vd\(number)", device: "virtio-blk-pci")
        lun.node = "drive\(number)"
        lun.file = "/images/disk\(number).img"
        lun.format = "raw"
        lun.cache = "none"
        lun.aio = "native"
        lun.ioThread = "io\(number % 4)"
        lun.queues = 1
        lun.queueSize = 128
        let depth = number == 7 ? 118 : Int(random.number(0...24))
        var queue = Virtqueue(
            index: 0, size: 128, availIndex: UInt16(truncatingIfNeeded: number * 1000 + depth),
            usedIndex: UInt16(truncatingIfNeeded: number * 1000), inFlight: depth)
        queue.waiting = depth / 4
        if !isFirst {
            measure(&lun, &queue, number, depth, &random)
        }
        lun.virtqueues = [queue]
        return lun
    }

    private func measure(
        _ lun: inout LUN, _ queue: inout Virtqueue, _ number: Int, _ depth: Int,
        _ random: inout SeededGenerator
    ) {
        // Every sixth LUN is idle; the seventh is hot, the one after it slow.
        let isIdle = number % 6 == 5
        let scale = isIdle ? 0 : number == 7 ? 12_000.0 : 500 + 97 * Double(number % 11)
        let rate = (scale * random.number(0.95...1.05)).rounded()
        lun.rates.reads = (rate * 0.6).rounded()
        lun.rates.writes = rate - (rate * 0.6).rounded()
        lun.rates.flushes = 0
        lun.rates.iops = rate
        lun.rates.readBytes = (lun.rates.reads ?? 0) * 4096
        lun.rates.writeBytes = (lun.rates.writes ?? 0) * 4096
        lun.rates.kicks = rate * 0.08
        lun.rates.interrupts = rate * 0.05
        lun.rates.errors = 0
        if isIdle {
            lun.rates.queueDepth = QueueDepth(now: 0, mean: 0, p50: 0, p99: 0, max: 0)
            queue.inFlight = 0
        } else {
            let base: Double = number == 8 ? 9_000_000 : number == 7 ? 611_000 : 190_000
            let (reads, writes) = (latencies(base, &random), latencies(base * 1.4, &random))
            (lun.readLatencies, lun.rates.readLatency) = reads
            (lun.writeLatencies, lun.rates.writeLatency) = writes
            lun.rates.queueDepth = QueueDepth(
                now: depth, mean: Double(depth) * 0.9, p50: depth, p99: depth + 4, max: depth + 9)
            lun.rates.oldestInFlight = base / 500
            lun.rates.stages = StageTimes(
                ringWait: base / 4000, submit: base / 90_000, storage: base / 1500,
                complete: base / 60_000, notify: base / 20_000)
        }
        queue.kicks = lun.rates.kicks
        queue.interrupts = lun.rates.interrupts
        queue.kicksSuppressedPercent = 92
        queue.interruptsSuppressedPercent = 95
        queue.fullPercent = number == 7 ? 3.5 : 0
        queue.batch = isIdle ? nil : 12.5
    }

    /// 200 requests around `base` nanoseconds with a tail, counted and summed up.
    private func latencies(
        _ base: Double, _ random: inout SeededGenerator
    ) -> (LatencyHistogram, LatencySummary) {
        var values = (0..<200).map { index in
            let tail = index > 196 ? 6.0 : index > 180 ? 2.5 : 1
            return UInt64(base * tail * random.number(0.7...1.6))
        }
        values.sort()
        var counts = BucketCounts()
        for value in values { counts.add(to: LatencyBuckets.index(of: value)) }
        let sum = values.reduce(0, +)
        func microseconds(_ index: Int) -> Double { Double(values[index]) / 1000 }
        return (
            counts.histogram(since: BucketCounts(), sum: sum),
            LatencySummary(
                mean: Double(sum) / 200_000, p50: microseconds(99), p99: microseconds(197),
                p999: microseconds(199), max: microseconds(199))
        )
    }

    private func threads(
        isFirst: Bool, _ random: inout SeededGenerator
    ) -> [ThreadActivity] {
        var threads = [ThreadActivity(tid: 1234, role: .main, name: "qemu-main")]
        for number in 0..<4 {
            threads.append(
                ThreadActivity(tid: 1240 + number, role: .vcpu, name: "CPU \(number)/KVM"))
        }
        for number in 0..<4 {
            threads.append(
                ThreadActivity(
                    tid: 1250 + number, role: .iothread, name: "io\(number)",
                    luns: (0..<lunCount).filter { $0 % 4 == number }.prefix(20).map { "vd\($0)" }))
        }
        guard !isFirst else { return threads }
        for index in threads.indices {
            threads[index].cpuPercent = index == 5 ? 91 : random.number(0...60)
            threads[index].voluntarySwitches = random.number(0...9000).rounded()
            threads[index].involuntarySwitches = random.number(0...20).rounded()
            threads[index].migrations = random.number(0...4).rounded()
            threads[index].runDelayPercent = index == 6 ? 7.5 : random.number(0...1)
            threads[index].lastCPU = index % 4
            threads[index].lockWaits = random.number(0...10).rounded()
            threads[index].lockWaitPercent = random.number(0...1)
            if threads[index].role == .iothread {
                threads[index].busyPercent = random.number(20...80)
                threads[index].pollPercent = random.number(0...20)
            }
        }
        return threads
    }
}

extension Fixture {
    /// A VM of which nothing can be measured, and names that try to break the screen.
    static var hostile: SnapshotHistory {
        var snapshot = Fixture(lunCount: 6, samples: 1).snapshot(1)
        let names = [
            "\u{1B}[2J\u{1B}]0;owned\u{7}", String(repeating: "long-name-", count: 410),
            "磁盘一号文件名称很长很长", "e\u{301}\u{202E}rtl\u{2066}", "", "\u{0}\u{9B}31m",
        ]
        for index in snapshot.luns.indices {
            snapshot.luns[index].id = names[index]
            snapshot.luns[index].node = names[index]
            snapshot.luns[index].file = "/" + names[index]
            snapshot.luns[index].ioThread = names[index]
        }
        snapshot.vms[0].name = names[0] + names[1]
        for index in snapshot.threads.indices {
            snapshot.threads[index].name = names[index % names.count]
        }
        snapshot.luns[0].rates.iops = .nan
        snapshot.luns[1].rates.iops = .infinity
        snapshot.luns[2].rates.iops = -1e300
        snapshot.luns[3].queueSize = .max
        snapshot.luns[3].queues = .max
        snapshot.luns[4].rates.queueDepth = QueueDepth(now: .max, mean: .nan)
        snapshot.luns[5].rates.stages = StageTimes(ringWait: .infinity, submit: -5)
        snapshot.interval = .nan
        var history = SnapshotHistory()
        history.append(snapshot)
        return history
    }

    /// A source that knows its LUNs and nothing else.
    static var unavailable: SnapshotHistory {
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: "guest1"), sequence: 9, monotonic: 9_000_000_000,
            wallClock: 1_767_323_045_000_000_000, interval: 1)
        snapshot.luns = (0..<3).map { LUN(id: "vd\($0)", device: "virtio-blk-pci") }
        snapshot.unavailable = [
            Unavailable(
                metric: "read_latency_us", reason: "QMP does not answer for 7.2 s",
                remedy: "look at the VM's main loop, or restart with a second -qmp"),
            Unavailable(
                metric: "cpu_percent", reason: "/proc/1234/task: permission denied",
                remedy: "run as the VM's user"),
            Unavailable(metric: "queue_depth", reason: "rings cannot be read"),
            Unavailable(
                metric: "locks", reason: "perf_event_open: permission denied",
                remedy: "run as root, or set kernel.perf_event_paranoid to 1"),
            Unavailable(metric: "event_counts", reason: "/proc/interrupts: permission denied"),
            Unavailable(
                metric: "host.disks", reason: "/sys/block: not mounted", remedy: "mount /sys"),
            Unavailable(metric: "vms", reason: "no VM answers"),
        ]
        var history = SnapshotHistory()
        history.append(snapshot)
        return history
    }
}
