internal import Telemetry

// What the rows of a sample are, and which numbers they have: for packing them. A number that is
// not visited here would be lost, and what `isSame` does not compare would be shown as it was.

extension LUN: PackedRow {
    func isSame(as other: LUN) -> Bool {
        id == other.id && vm == other.vm && node == other.node && device == other.device
            && queues == other.queues && queueSize == other.queueSize
            && ioThread == other.ioThread && isOnMainLoop == other.isOnMainLoop
            && pciAddress == other.pciAddress && file == other.file
            && format == other.format && cache == other.cache && aio == other.aio
            && throttle == other.throttle && hostDisk == other.hostDisk
            && modelled == other.modelled && graph == other.graph && features == other.features
            && virtqueues.count == other.virtqueues.count
            && virtqueues.indices.allSatisfy {
                virtqueues[$0].index == other.virtqueues[$0].index
                    && virtqueues[$0].size == other.virtqueues[$0].size
            }
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) { rates.walk(&walker) }

    static var tailWidth: Int { Virtqueue.numberCount }

    mutating func walkTail<Walker: NumberWalker>(_ walker: inout Walker) {
        for index in virtqueues.indices {
            // Not in place: a queue that is only looked at must not be copied.
            var queue = virtqueues[index]
            queue.walk(&walker)
            if Walker.restores { virtqueues[index] = queue }
        }
    }
}

extension BlockRates {
    /// How many numbers `walk` visits.
    static let numberCount = numbersVisited { walker in
        var rates = BlockRates()
        rates.walk(&walker)
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) {
        walker.visit(&reads)
        walker.visit(&writes)
        walker.visit(&flushes)
        walker.visit(&discards)
        walker.visit(&writeZeroes)
        walker.visit(&iops)
        walker.visit(&readBytes)
        walker.visit(&writeBytes)
        walker.visit(&merges)
        walkDepth(&walker)
        Self.walk(&readLatency, &walker)
        Self.walk(&writeLatency, &walker)
        walkStages(&walker)
        walker.visit(&kicks)
        walker.visit(&interrupts)
        walker.visit(&errors)
        walker.visit(&oldestInFlight)
    }

    private mutating func walkDepth<Walker: NumberWalker>(_ walker: inout Walker) {
        var (mean, now) = (queueDepth?.mean, queueDepth?.now)
        var (p50, p99, highest) = (queueDepth?.p50, queueDepth?.p99, queueDepth?.max)
        walker.visit(&mean)
        walker.visit(&now)
        walker.visit(&p50)
        walker.visit(&p99)
        walker.visit(&highest)
        guard Walker.restores else { return }
        queueDepth = mean.map {
            QueueDepth(now: now, mean: $0, p50: p50, p99: p99, max: highest)
        }
    }

    private static func walk<Walker: NumberWalker>(
        _ latency: inout LatencySummary?, _ walker: inout Walker
    ) {
        var (mean, p50, p99) = (latency?.mean, latency?.p50, latency?.p99)
        var (p999, highest) = (latency?.p999, latency?.max)
        walker.visit(&mean)
        walker.visit(&p50)
        walker.visit(&p99)
        walker.visit(&p999)
        walker.visit(&highest)
        guard Walker.restores else { return }
        latency = mean.map {
            LatencySummary(mean: $0, p50: p50, p99: p99, p999: p999, max: highest)
        }
    }

    private mutating func walkStages<Walker: NumberWalker>(_ walker: inout Walker) {
        var isKnown: Double? = stages == nil ? nil : 1
        var all = stages ?? StageTimes()
        walker.visit(&isKnown)
        walker.visit(&all.ringWait)
        walker.visit(&all.submit)
        walker.visit(&all.storage)
        walker.visit(&all.complete)
        walker.visit(&all.notify)
        if Walker.restores { stages = isKnown == nil ? nil : all }
    }
}

/// How many numbers `walk` visits.
private func numbersVisited(by walk: (inout NumberTaker) -> Void) -> Int {
    var taker = NumberTaker()
    walk(&taker)
    return taker.bits.count
}

extension Virtqueue {
    /// How many numbers `walk` visits.
    static let numberCount = numbersVisited { walker in
        var queue = Virtqueue(index: 0, size: 0, availIndex: 0, usedIndex: 0, inFlight: 0)
        queue.walk(&walker)
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) {
        walker.visit(&availIndex)
        walker.visit(&usedIndex)
        walker.visit(&inFlight)
        walker.visit(&waiting)
        walker.visit(&kicks)
        walker.visit(&interrupts)
        walker.visit(&kicksSuppressedPercent)
        walker.visit(&interruptsSuppressedPercent)
        walker.visit(&fullPercent)
        walker.visit(&batch)
    }
}

extension ThreadActivity: PackedRow {
    func isSame(as other: ThreadActivity) -> Bool {
        tid == other.tid && vm == other.vm && role == other.role && name == other.name
            && luns == other.luns && probes.count == other.probes.count
            && probes.indices.allSatisfy { probes[$0].key == other.probes[$0].key }
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) {
        walker.visit(&cpuPercent)
        walker.visit(&voluntarySwitches)
        walker.visit(&involuntarySwitches)
        walker.visit(&migrations)
        walker.visit(&runDelayPercent)
        walker.visit(&lockWaits)
        walker.visit(&lockWaitPercent)
        walker.visit(&lastCPU)
        walker.visit(&busyPercent)
        walker.visit(&pollPercent)
    }

    mutating func walkTail<Walker: NumberWalker>(_ walker: inout Walker) {
        for index in probes.indices {
            var value = probes[index].value
            walker.visit(&value)
            if Walker.restores { probes[index].value = value }
        }
    }
}

extension LockActivity: PackedRow {
    func isSame(as other: LockActivity) -> Bool {
        name == other.name && vm == other.vm && waiters == other.waiters
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) {
        walker.visit(&waits)
        walker.visit(&waitPercent)
        walker.visit(&longest)
        walker.visit(&p99)
    }
}

extension HostDisk: PackedRow {
    func isSame(as other: HostDisk) -> Bool {
        name == other.name && scheduler == other.scheduler && queueSize == other.queueSize
            && isRotational == other.isRotational && luns == other.luns
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) {
        walker.visit(&iops)
        walker.visit(&reads)
        walker.visit(&writes)
        walker.visit(&flushes)
        walker.visit(&discards)
        walker.visit(&readBytes)
        walker.visit(&writeBytes)
        walker.visit(&readMerges)
        walker.visit(&writeMerges)
        walker.visit(&readAwait)
        walker.visit(&writeAwait)
        walker.visit(&queueDepth)
        walker.visit(&inFlight)
        walker.visit(&utilPercent)
    }
}

extension EventCount: PackedRow {
    func isSame(as other: EventCount) -> Bool {
        kind == other.kind && vm == other.vm && name == other.name && detail == other.detail
            && source == other.source && perCPU.count == other.perCPU.count
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) { walker.visit(&rate) }

    mutating func walkTail<Walker: NumberWalker>(_ walker: inout Walker) {
        for index in perCPU.indices {
            var value = perCPU[index]
            walker.visit(&value)
            if Walker.restores { perCPU[index] = value }
        }
    }
}

extension SourceStatus: PackedRow {
    func isSame(as other: SourceStatus) -> Bool {
        name == other.name && vm == other.vm && state == other.state && detail == other.detail
    }

    mutating func walk<Walker: NumberWalker>(_ walker: inout Walker) {
        walker.visit(&age)
        walker.visit(&roundTrip)
        walker.visit(&interval)
    }
}

extension VirtualMachine: PackedRow {}
extension ProbeColumn: PackedRow {}
extension Finding: PackedRow {}
extension Notice: PackedRow {}
extension Unavailable: PackedRow {}
