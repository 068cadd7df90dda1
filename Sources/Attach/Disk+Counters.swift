import QMP
import Telemetry

extension Disk {
    /// Takes a reading of its counters and works out what it did since the one before.
    mutating func take(_ stats: QMPBlockStats, at now: Nanoseconds) {
        let reading = LUNCounters(stats, at: now)
        faults = DiskFaults(stats)
        var fresh = identity
        fresh.derive(from: counters, to: reading)
        fresh.rates.forgetWhatQEMUDoesNotCount(stats)
        fresh.virtqueues = lun.virtqueues
        counters = reading
        lun = fresh
    }

    /// Blanks what is too old to be shown as what it does now.
    mutating func forgetRates() {
        lun = identity
        queues = [:]
    }

    /// Puts what its queues said into the LUN, as far as they were asked after `since`.
    mutating func showQueues(askedAfter since: Nanoseconds) {
        guard !queues.isEmpty else { return }
        let fresh = queues.filter { $0.value.at >= since }.sorted { $0.key < $1.key }
        lun.virtqueues = fresh.compactMap { index, reading in
            Virtqueue(index: index, reading.queue)
        }
        let isWhole = !fresh.isEmpty && fresh.count == max(1, lun.queues ?? 1)
        guard isWhole, lun.rates.queueDepth != nil else { return }
        lun.rates.queueDepth?.now = lun.virtqueues.reduce(0) { $0 &+ $1.inFlight }
    }
}

extension BlockRates {
    /// A counter QEMU does not have stands at 0 in both readings: its rate is unknown, not 0.
    fileprivate mutating func forgetWhatQEMUDoesNotCount(_ stats: QMPBlockStats) {
        kicks = nil
        interrupts = nil
        writeZeroes = nil
        if stats.discards.operations == nil { discards = nil }
        if stats.flushes.operations == nil { flushes = nil }
    }
}

extension Virtqueue {
    /// What `x-query-virtio-queue-status` says of one queue; `nil` before the guest's driver has
    /// set it up.
    fileprivate init?(index: Int, _ queue: QMPVirtioQueue) {
        guard let size = queue.size, (1...65_536).contains(size), let inUse = queue.inUse,
            (0...65_536).contains(inUse), let avail = queue.shadowAvailable, let used = queue.used
        else { return nil }
        self.init(
            index: index, size: size,
            availIndex: avail,
            usedIndex: used, inFlight: inUse)
        if let last = queue.lastAvailable {
            // Both wrap at 65,536, and so does what lies between them.
            waiting = Int(avail &- last)
        }
    }
}

extension LUNCounters {
    /// What QEMU has counted of a disk (`query-blockstats`) at `now`.
    init(_ stats: QMPBlockStats, at now: Nanoseconds) {
        self.init(monotonic: now)
        let all = [stats.reads, stats.writes, stats.flushes, stats.discards]
        reads = stats.reads.operations ?? 0
        writes = stats.writes.operations ?? 0
        flushes = stats.flushes.operations ?? 0
        discards = stats.discards.operations ?? 0
        readBytes = stats.reads.bytes ?? 0
        writeBytes = stats.writes.bytes ?? 0
        readLatencySum = stats.reads.totalTime ?? 0
        writeLatencySum = stats.writes.totalTime ?? 0
        // The time of failed requests is in the sums unless the device was told otherwise.
        if stats.countsFailed != false {
            timedReads = reads &+ (stats.reads.failed ?? 0)
            timedWrites = writes &+ (stats.writes.failed ?? 0)
        }
        latencySum = all.reduce(0) { $0 &+ ($1.totalTime ?? 0) }
        let merged = all.compactMap(\.merged)
        merges = merged.isEmpty ? nil : merged.reduce(0, &+)
        errors = all.reduce(0) { $0 &+ ($1.failed ?? 0) &+ ($1.invalid ?? 0) }
        readLatencyBuckets = stats.reads.histogram.map(\.latencyBuckets)
        writeLatencyBuckets = stats.writes.histogram.map(\.latencyBuckets)
    }
}

extension QMPHistogram {
    /// The counts in buckets of ours. All requests of a bin count at its upper end, so that a
    /// percentile says what the share took at most; those past the last boundary count at twice
    /// that boundary, which is a guess of ours.
    var latencyBuckets: BucketCounts {
        var buckets = BucketCounts()
        for (bin, count) in bins.enumerated() {
            let upper = bin < boundaries.count ? boundaries[bin] : (boundaries.last ?? 0) &* 2
            buckets.add(count, to: LatencyBuckets.index(of: upper == 0 ? 0 : upper - 1))
        }
        return buckets
    }
}
