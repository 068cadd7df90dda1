// What the rows of a sample are, and which numbers they have: for packing them in memory and in
// recordings. A number that is not visited here would be lost, and what `isSame` does not compare
// would be shown as it was. Recordings know a number by its place: a further one is visited last.

/// A row of a sample: what it is, which seldom changes, and the numbers it has this time.
package protocol NumberedRow: Sendable {
    /// Whether all but the numbers is the same in `other`.
    func isSame(as other: Self) -> Bool
    /// Visits the numbers, as many in every row.
    mutating func walk(_ walker: inout NumberWalker)
    /// Visits the numbers of which rows can have more or fewer, a multiple of `tailWidth`.
    mutating func walkTail(_ walker: inout NumberWalker)
    /// Has `walker` take all numbers, and those of the tail.
    func take(_ walker: inout NumberWalker, tail: inout NumberWalker)
    static var tailWidth: Int { get }
}

extension NumberedRow {
    package static var tailWidth: Int { 1 }
    package mutating func walkTail(_ walker: inout NumberWalker) {}
    package func take(_ walker: inout NumberWalker, tail: inout NumberWalker) {
        var row = self
        row.walk(&walker)
        row.walkTail(&tail)
    }
}

/// A row without numbers.
extension NumberedRow where Self: Equatable {
    package func isSame(as other: Self) -> Bool { self == other }
    package mutating func walk(_ walker: inout NumberWalker) {}
}

extension LUN: NumberedRow {
    package func isSame(as other: LUN) -> Bool {
        id == other.id && vm == other.vm && node == other.node && device == other.device
            && path == other.path && queues == other.queues && queueSize == other.queueSize
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

    package mutating func walk(_ walker: inout NumberWalker) {
        rates.walk(&walker)
        walker.visit(&span)
        rates.walkQuality(&walker)
    }

    // Without a copy of the LUN, which has many texts to be counted.
    package func take(_ walker: inout NumberWalker, tail: inout NumberWalker) {
        var (rates, span) = (rates, span)
        rates.walk(&walker)
        walker.visit(&span)
        rates.walkQuality(&walker)
        for index in virtqueues.indices {
            var queue = virtqueues[index]
            queue.walk(&tail)
        }
    }

    package static var tailWidth: Int { Virtqueue.numberCount }

    package mutating func walkTail(_ walker: inout NumberWalker) {
        for index in virtqueues.indices {
            // Not in place: a queue that is only looked at must not be copied.
            var queue = virtqueues[index]
            queue.walk(&walker)
            if walker.restores { virtqueues[index] = queue }
        }
    }
}

extension BlockRates {
    /// How many numbers `walk` visits.
    package static let numberCount = numbersVisited { walker in
        var rates = BlockRates()
        rates.walk(&walker)
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&reads, .rate)
        walker.visit(&writes, .rate)
        walker.visit(&flushes, .rate)
        walker.visit(&discards, .rate)
        walker.visit(&writeZeroes, .rate)
        walker.visit(&iops, .rate)
        walker.visit(&readBytes, .rate)
        walker.visit(&writeBytes, .rate)
        walker.visit(&merges, .rate)
        walkDepth(&walker)
        Self.walk(&readLatency, &walker)
        Self.walk(&writeLatency, &walker)
        walkStages(&walker)
        walker.visit(&kicks, .rate)
        walker.visit(&interrupts, .rate)
        walker.visit(&errors, .rate)
        walker.visit(&oldestInFlight)
    }

    /// Visits those that came later: whoever has numbers after the rates visits these after them.
    package mutating func walkQuality(_ walker: inout NumberWalker) {
        var code: Int? = stageQuality == StageQualities() ? nil : Int(stageQuality.code)
        walker.visit(&code)
        if walker.restores {
            stageQuality = StageQualities(code: UInt16(truncatingIfNeeded: code ?? 0))
        }
        walker.visit(&latencyUncertainty)
        walker.visit(&exits, .rate)
    }

    private mutating func walkDepth(_ walker: inout NumberWalker) {
        var (mean, now) = (queueDepth?.mean, queueDepth?.now)
        var (p50, p99, highest) = (queueDepth?.p50, queueDepth?.p99, queueDepth?.max)
        walker.visit(&mean)
        walker.visit(&now)
        walker.visit(&p50)
        walker.visit(&p99)
        walker.visit(&highest)
        guard walker.restores else { return }
        queueDepth = mean.map {
            QueueDepth(now: now, mean: $0, p50: p50, p99: p99, max: highest)
        }
    }

    private static func walk(
        _ latency: inout LatencySummary?, _ walker: inout NumberWalker
    ) {
        var (mean, p50, p99) = (latency?.mean, latency?.p50, latency?.p99)
        var (p999, highest) = (latency?.p999, latency?.max)
        walker.visit(&mean)
        walker.visit(&p50)
        walker.visit(&p99)
        walker.visit(&p999)
        walker.visit(&highest)
        guard walker.restores else { return }
        let isKnown = [mean, p50, p99, p999, highest].contains { $0 != nil }
        latency =
            isKnown
            ? LatencySummary(mean: mean, p50: p50, p99: p99, p999: p999, max: highest) : nil
    }

    private mutating func walkStages(_ walker: inout NumberWalker) {
        var isKnown: Double? = stages == nil ? nil : 1
        var all = stages ?? StageTimes()
        walker.visit(&isKnown, .whole)
        walker.visit(&all.ringWait)
        walker.visit(&all.submit)
        walker.visit(&all.storage)
        walker.visit(&all.complete)
        walker.visit(&all.notify)
        if walker.restores { stages = isKnown == nil ? nil : all }
    }
}

/// How many numbers `walk` visits.
private func numbersVisited(by walk: (inout NumberWalker) -> Void) -> Int {
    var walker = NumberWalker(.describe)
    walk(&walker)
    return walker.columns.count
}

extension Virtqueue {
    /// How many numbers `walk` visits.
    package static let numberCount = numbersVisited { walker in
        var queue = Virtqueue(index: 0, size: 0, availIndex: 0, usedIndex: 0, inFlight: 0)
        queue.walk(&walker)
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&availIndex)
        walker.visit(&usedIndex)
        walker.visit(&inFlight)
        walker.visit(&waiting)
        walker.visit(&kicks, .rate)
        walker.visit(&interrupts, .rate)
        walker.visit(&kicksSuppressedPercent, .share)
        walker.visit(&interruptsSuppressedPercent, .share)
        walker.visit(&fullPercent)
        walker.visit(&batch, .quotient)
        walker.visit(&unreaped)
        walker.visit(&submissions, .rate)
        walker.visit(&completions, .rate)
        walker.visit(&meanInFlight)
    }
}

extension ThreadActivity: NumberedRow {
    package func isSame(as other: ThreadActivity) -> Bool {
        tid == other.tid && vm == other.vm && role == other.role && name == other.name
            && luns == other.luns && probes.count == other.probes.count
            && probes.indices.allSatisfy { probes[$0].key == other.probes[$0].key }
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&cpuPercent)
        walker.visit(&voluntarySwitches, .rate)
        walker.visit(&involuntarySwitches, .rate)
        walker.visit(&migrations, .rate)
        walker.visit(&runDelayPercent)
        walker.visit(&lockWaits, .rate)
        walker.visit(&lockWaitPercent)
        walker.visit(&lastCPU)
        walker.visit(&busyPercent)
        walker.visit(&pollPercent)
        walker.visit(&span)
    }

    package mutating func walkTail(_ walker: inout NumberWalker) {
        for index in probes.indices {
            var value = probes[index].value
            walker.visit(&value)
            if walker.restores { probes[index].value = value }
        }
    }
}

extension LockActivity: NumberedRow {
    package func isSame(as other: LockActivity) -> Bool {
        name == other.name && vm == other.vm && waiters == other.waiters
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&waits, .rate)
        walker.visit(&waitPercent)
        walker.visit(&longest)
        walker.visit(&p99)
    }
}

extension HostDisk: NumberedRow {
    package func isSame(as other: HostDisk) -> Bool {
        name == other.name && scheduler == other.scheduler && queueSize == other.queueSize
            && isRotational == other.isRotational && luns == other.luns
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&iops, .rate)
        walker.visit(&reads, .rate)
        walker.visit(&writes, .rate)
        walker.visit(&flushes, .rate)
        walker.visit(&discards, .rate)
        walker.visit(&readBytes, .rate)
        walker.visit(&writeBytes, .rate)
        walker.visit(&readMerges, .rate)
        walker.visit(&writeMerges, .rate)
        walker.visit(&readAwait)
        walker.visit(&writeAwait)
        walker.visit(&queueDepth)
        walker.visit(&inFlight)
        walker.visit(&utilPercent)
        walker.visit(&span)
        walker.visit(&readP99)
        walker.visit(&writeP99)
    }
}

extension EventCount: NumberedRow {
    package func isSame(as other: EventCount) -> Bool {
        kind == other.kind && vm == other.vm && name == other.name && detail == other.detail
            && source == other.source && perCPU.count == other.perCPU.count
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&rate, .rate)
        walker.visit(&span)
    }

    package mutating func walkTail(_ walker: inout NumberWalker) {
        for index in perCPU.indices {
            var value = perCPU[index]
            walker.visit(&value, .rate)
            if walker.restores { perCPU[index] = value }
        }
    }
}

extension SourceStatus: NumberedRow {
    package func isSame(as other: SourceStatus) -> Bool {
        name == other.name && vm == other.vm && state == other.state && detail == other.detail
    }

    package mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&age)
        walker.visit(&roundTrip)
        walker.visit(&interval, .billionths)
    }
}

extension VirtualMachine: NumberedRow {}
extension ProbeColumn: NumberedRow {}
extension Finding: NumberedRow {}
extension Notice: NumberedRow {}
extension Unavailable: NumberedRow {}
