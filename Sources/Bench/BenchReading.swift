public import Telemetry

/// What the threads of one side have used since they started.
public struct ThreadTotals: Sendable, Equatable {
    public var threads = 0
    /// Nanoseconds on a CPU; nil where the kernel does not tell.
    public var cpu: UInt64?
    /// Context switches; nil where the kernel does not tell.
    public var voluntarySwitches: UInt64?
    public var involuntarySwitches: UInt64?

    /// No threads.
    public init() {}
}

/// Every counter of a running engine at one time: two of them make a run.
public struct BenchReading: Sendable {
    /// `CLOCK_MONOTONIC` nanoseconds.
    public var monotonic: Nanoseconds
    public var luns: [LUNCounters]
    public var vcpus = ThreadTotals()
    public var devices = ThreadTotals()
    /// Counters of the engine as a whole; one that is absent is not counted on this path.
    public var counts: [BenchMeasure: UInt64] = [:]

    /// The LUNs' counters at `monotonic`.
    public init(monotonic: Nanoseconds, luns: [LUNCounters]) {
        self.monotonic = monotonic
        self.luns = luns
    }

    /// Everything that is counted, by measure.
    fileprivate var totals: [BenchMeasure: UInt64] {
        var totals = counts
        totals[.vcpuCPU] = vcpus.cpu
        totals[.deviceCPU] = devices.cpu
        totals[.voluntarySwitches] = sum(vcpus.voluntarySwitches, devices.voluntarySwitches)
        totals[.involuntarySwitches] = sum(
            vcpus.involuntarySwitches, devices.involuntarySwitches)
        totals[.kicks] = luns.reduce(0) { $0 &+ $1.kicks }
        totals[.interrupts] = luns.reduce(0) { $0 &+ $1.interrupts }
        // Of LUNs with a request queue; nil if none has one.
        let merges = luns.compactMap(\.merges)
        totals[.merges] = merges.isEmpty ? nil : merges.reduce(0, &+)
        totals[.turns] = luns.reduce(0) { $0 &+ $1.turns }
        return totals
    }

    private func sum(_ left: UInt64?, _ right: UInt64?) -> UInt64? {
        guard let left, let right else { return nil }
        return left &+ right
    }
}

extension BenchRun {
    /// What happened between two readings of the same engine; nil if the time did not go on, or
    /// the readings are not of the same LUNs.
    public init?(from first: BenchReading, to last: BenchReading) {
        guard let interval = RateInterval(from: first.monotonic, to: last.monotonic),
            first.luns.count == last.luns.count
        else { return nil }
        let (before, after) = (first.totals, last.totals)
        var counts: [BenchMeasure: UInt64] = [:]
        for (measure, value) in after {
            // A counter that went down was reset: its growth is unknown.
            if let start = before[measure], value >= start { counts[measure] = value - start }
        }
        var requests: UInt64 = 0
        var histograms: [LatencyHistogram?] = []
        for (old, new) in zip(first.luns, last.luns) {
            requests &+= new.requests >= old.requests ? new.requests - old.requests : 0
            histograms.append(
                LatencyHistogram(
                    from: old.readLatencyBuckets, to: new.readLatencyBuckets,
                    sums: (old.readLatencySum, new.readLatencySum)))
            histograms.append(
                LatencyHistogram(
                    from: old.writeLatencyBuckets, to: new.writeLatencyBuckets,
                    sums: (old.writeLatencySum, new.writeLatencySum)))
        }
        self.init(
            seconds: interval.seconds, requests: requests,
            latencies: LatencyHistogram.sum(histograms), counts: counts)
        deviceThreads = last.devices.threads
        vcpuThreads = last.vcpus.threads
    }
}
