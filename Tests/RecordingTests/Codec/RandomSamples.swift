import Telemetry

/// A small seeded generator (SplitMix64): the same seed gives the same numbers on every machine.
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

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// Numbers of every size, often small.
    mutating func word() -> UInt64 { next() >> UInt64(below(64)) }
}

/// Samples with anything in them that the types allow, NaN apart.
struct RandomSamples {
    var random: SeededGenerator
    /// Whether texts are as a reader gives them, and not as somebody who means ill writes them.
    let isHarmless: Bool

    init(seed: UInt64, isHarmless: Bool = false) {
        random = SeededGenerator(seed: seed)
        self.isHarmless = isHarmless
    }

    mutating func number() -> Double {
        switch random.below(12) {
        case 0: 0
        case 1: -0.0
        case 2: Double(random.word())
        case 3: Double(random.below(1_000_000)) / 1000
        case 4: -Double(random.below(1_000_000)) / 1000
        case 5: Double(random.below(100_000)) / 1.000_213_7
        case 6: .greatestFiniteMagnitude
        case 7: .leastNonzeroMagnitude
        case 8: .infinity
        default: Double(random.below(1000))
        }
    }

    mutating func maybe<Value>(_ make: (inout Self) -> Value) -> Value? {
        random.chance(70) ? make(&self) : nil
    }

    mutating func rate() -> Double? { maybe { $0.number() } }
    mutating func whole() -> Int? { maybe { Int(truncatingIfNeeded: $0.random.word()) } }
    mutating func word() -> UInt64? { maybe { $0.random.word() } }
    mutating func flag() -> Bool? { maybe { $0.random.chance(50) } }
    mutating func words() -> [String] { (0..<random.below(4)).map { _ in text() } }
    mutating func note() -> String? { maybe { $0.text() } }

    mutating func text() -> String {
        let texts = [
            "", "vd0", "drive", "\u{1B}[2J\u{9B}31m", "磁e\u{301}\u{0}", "/images/disk.qcow2",
            String(repeating: "long ", count: 60),
        ]
        let text =
            texts[random.below(texts.count)] + (random.chance(50) ? String(random.below(99)) : "")
        return isHarmless ? text.harmless() : text
    }

    mutating func histogram() -> LatencyHistogram? {
        maybe {
            var (buckets, index): ([LatencyHistogram.Bucket], Int) = ([], $0.random.below(700))
            let isHuge = $0.random.chance(5)
            for _ in 0..<$0.random.below(60) {
                index += $0.random.chance(80) ? 1 : 1 + $0.random.below(60)
                let count = isHuge ? UInt32.max : UInt32(1 + $0.random.below(40))
                buckets.append(LatencyHistogram.Bucket(index: UInt16(index), count: count))
            }
            return LatencyHistogram(buckets: buckets, sum: $0.random.word())
        }
    }

    mutating func summary(_ histogram: LatencyHistogram?) -> LatencySummary? {
        if random.chance(70), let summary = LatencySummary(of: histogram) { return summary }
        return maybe {
            LatencySummary(
                mean: $0.number(), p50: $0.rate(), p99: $0.rate(), p999: $0.rate(), max: $0.rate())
        }
    }
}

extension RandomSamples {
    mutating func rates() -> BlockRates {
        var rates = BlockRates()
        rates.reads = rate()
        rates.writes = rate()
        rates.flushes = rate()
        rates.discards = rate()
        rates.writeZeroes = rate()
        rates.iops = rate()
        rates.readBytes = rate()
        rates.writeBytes = rate()
        rates.merges = rate()
        rates.queueDepth = maybe {
            QueueDepth(
                now: $0.whole(), mean: $0.number(), p50: $0.whole(), p99: $0.whole(),
                max: $0.whole())
        }
        rates.stages = maybe {
            StageTimes(
                ringWait: $0.rate(), submit: $0.rate(), storage: $0.rate(), complete: $0.rate(),
                notify: $0.rate())
        }
        rates.kicks = rate()
        rates.interrupts = rate()
        rates.exits = rate()
        rates.errors = rate()
        rates.oldestInFlight = rate()
        return rates
    }

    mutating func lun(_ name: String) -> LUN {
        var lun = LUN(id: name, device: text())
        lun.vm = note()
        lun.node = note()
        lun.queues = whole()
        lun.queueSize = whole()
        lun.ioThread = note()
        lun.isOnMainLoop = flag()
        lun.pciAddress = note()
        lun.file = note()
        lun.format = note()
        lun.cache = note()
        lun.aio = note()
        lun.graph = (0..<random.below(3)).map { _ in
            BlockNode(name: text(), driver: text(), file: note(), isDirect: flag())
        }
        lun.throttle = note()
        lun.features = words()
        lun.hostDisk = note()
        lun.modelled = note()
        lun.path = note()
        lun.virtqueues = (0..<random.below(3)).map { _ in
            Virtqueue(
                index: random.below(9), size: Int(truncatingIfNeeded: random.word()), availIndex: 0,
                usedIndex: 0, inFlight: 0)
        }
        measure(&lun)
        return lun
    }

    /// New numbers for a LUN that stays what it is.
    mutating func measure(_ lun: inout LUN) {
        lun.rates = rates()
        lun.readLatencies = histogram()
        lun.writeLatencies = histogram()
        lun.rates.readLatency = summary(lun.readLatencies)
        lun.rates.writeLatency = summary(lun.writeLatencies)
        lun.span = word()
        for index in lun.virtqueues.indices {
            lun.virtqueues[index].availIndex = UInt16(truncatingIfNeeded: random.next())
            lun.virtqueues[index].usedIndex = UInt16(truncatingIfNeeded: random.next())
            lun.virtqueues[index].inFlight = Int(truncatingIfNeeded: random.word())
            lun.virtqueues[index].waiting = whole()
            lun.virtqueues[index].kicks = random.chance(50) ? lun.rates.kicks : rate()
            lun.virtqueues[index].interrupts = rate()
            lun.virtqueues[index].kicksSuppressedPercent = rate()
            lun.virtqueues[index].interruptsSuppressedPercent = rate()
            lun.virtqueues[index].fullPercent = rate()
            lun.virtqueues[index].batch = rate()
        }
    }

    mutating func thread() -> ThreadActivity {
        let roles: [ThreadActivity.Role] = [.vcpu, .iothread, .main, .worker, .device, .other]
        var thread = ThreadActivity(
            tid: random.below(99_999), role: roles[random.below(6)], name: text(), luns: words())
        thread.vm = note()
        thread.cpuPercent = rate()
        thread.voluntarySwitches = rate()
        thread.involuntarySwitches = rate()
        thread.migrations = rate()
        thread.runDelayPercent = rate()
        thread.lockWaits = rate()
        thread.lockWaitPercent = rate()
        thread.lastCPU = whole()
        thread.busyPercent = rate()
        thread.pollPercent = rate()
        thread.probes = (0..<random.below(3)).map { _ in ProbeValue(key: text(), value: rate()) }
        thread.span = word()
        return thread
    }

    mutating func disk() -> HostDisk {
        var disk = HostDisk(name: text())
        disk.scheduler = note()
        disk.queueSize = whole()
        disk.isRotational = flag()
        disk.luns = words()
        disk.iops = rate()
        disk.reads = rate()
        disk.writes = rate()
        disk.flushes = rate()
        disk.discards = rate()
        disk.readBytes = rate()
        disk.writeBytes = rate()
        disk.readMerges = rate()
        disk.writeMerges = rate()
        disk.readAwait = rate()
        disk.writeAwait = rate()
        disk.readP99 = rate()
        disk.writeP99 = rate()
        disk.queueDepth = rate()
        disk.inFlight = whole()
        disk.utilPercent = rate()
        disk.span = word()
        return disk
    }

    mutating func count() -> EventCount {
        var count = EventCount(
            kind: EventCount.Kind.allCases[random.below(4)], name: text(), detail: note(),
            rate: rate(), perCPU: (0..<random.below(4)).map { _ in number() }, source: text())
        count.vm = note()
        count.span = word()
        return count
    }
}
