internal import Telemetry

/// What a report adds up of snapshots.
struct SampleTotals: Sendable {
    /// LUNs with a latency histogram of their own, 17 kB each; further ones have means only.
    static let histograms = 1024
    /// LUNs at all; further ones are in the total only.
    static let rows = 65_536

    private let options: Report.Options
    private(set) var count: UInt64 = 0
    private(set) var first: Snapshot?
    private(set) var last: Snapshot?
    private(set) var total = SampleTally(name: "total")
    private(set) var luns: [SampleTally] = []
    private var slotOfName: [String: Int] = [:]
    /// When each VM's counters were last read; a sample may repeat a reading.
    private var readings: [String?: Nanoseconds] = [:]
    private(set) var stalls = StallList()
    private(set) var lost: UInt64 = 0
    /// Samples that did not follow the one before in time.
    private(set) var outOfOrder: UInt64 = 0
    private(set) var unavailable: [Unavailable] = []

    init(_ options: Report.Options) { self.options = options }

    mutating func add(_ snapshot: Snapshot) {
        guard last.map({ snapshot.monotonic > $0.monotonic }) ?? true else {
            outOfOrder &+= 1
            return
        }
        count &+= 1
        lost = max(lost, snapshot.ownCost.lostEvents)
        if unavailable.isEmpty { unavailable = Array(snapshot.unavailable.prefix(20)) }
        addLUNs(snapshot)
        if first == nil { first = snapshot }
        last = snapshot
    }

    private mutating func addLUNs(_ snapshot: Snapshot) {
        let times = readingTimes(of: snapshot)
        var fresh: [String?: Double?] = [:]
        for (vm, time) in times { fresh[vm] = seconds(since: readings[vm], to: time, snapshot) }
        var counted: [LUN] = []
        for lun in snapshot.luns where options.luns?.contains(lun.qualifiedID) ?? true {
            let vm = times[lun.vm] == nil ? nil : lun.vm
            let seconds =
                fresh[vm] ?? self.seconds(since: last?.monotonic, to: snapshot.monotonic, snapshot)
            add(lun, seconds: seconds, at: snapshot.monotonic)
            if seconds != nil { counted.append(lun) }
        }
        for (vm, time) in times { readings[vm] = time }
        addTotal(snapshot, counted, fresh)
    }

    /// All LUNs together: the source's own total where all of them were read anew.
    private mutating func addTotal(
        _ snapshot: Snapshot, _ counted: [LUN], _ fresh: [String?: Double?]
    ) {
        let lengths = fresh.values.compactMap { $0 }
        let seconds =
            lengths.max() ?? (fresh.isEmpty ? known(snapshot.interval) : nil)
        guard let seconds, seconds > 0 else { return }
        let isWhole = options.luns == nil && counted.count == snapshot.luns.count
        let rates = isWhole ? snapshot.total : BlockRates(summing: counted)
        total.add(rates, seconds: seconds)
        let reads = LatencyHistogram.sum(counted.compactMap(\.readLatencies))
        let writes = LatencyHistogram.sum(counted.compactMap(\.writeLatencies))
        let areAll = counted.allSatisfy {
            ($0.rates.readLatency == nil || $0.readLatencies != nil)
                && ($0.rates.writeLatency == nil || $0.writeLatencies != nil)
        }
        total.reads.add(
            areAll ? reads : nil, rates.readLatency, requests: rates.reads.map { $0 * seconds },
            uncertainty: rates.latencyUncertainty, mayHaveBuckets: true)
        total.writes.add(
            areAll ? writes : nil, rates.writeLatency, requests: rates.writes.map { $0 * seconds },
            uncertainty: rates.latencyUncertainty, mayHaveBuckets: true)
    }

    /// When the counters of each VM were read: a sample that came before QEMU answered repeats what
    /// it said last.
    private func readingTimes(of snapshot: Snapshot) -> [String?: Nanoseconds] {
        var times: [String?: Nanoseconds] = [:]
        for source in snapshot.sources where source.name == "qmp" {
            guard let age = source.age else { continue }
            times[source.vm] = snapshot.monotonic > age ? snapshot.monotonic - age : 0
        }
        return times
    }

    /// The seconds that rates read at `time` cover; `nil` where they repeat the reading before.
    private func seconds(
        since before: Nanoseconds?, to time: Nanoseconds, _ snapshot: Snapshot
    ) -> Double? {
        guard let before else {
            return known(snapshot.interval).flatMap { $0 > 0 ? $0 : nil }
        }
        return RateInterval(from: before, to: time)?.seconds
    }

    private mutating func add(_ lun: LUN, seconds: Double?, at time: Nanoseconds) {
        let name = lun.qualifiedID
        let slot: Int
        if let known = slotOfName[name] {
            slot = known
        } else {
            guard luns.count < Self.rows else { return }
            slot = luns.count
            slotOfName[name] = slot
            luns.append(SampleTally(name: name))
        }
        luns[slot].lun = lun
        followStall(of: lun, slot, at: time)
        guard let seconds else { return }
        luns[slot].add(lun.rates, seconds: seconds)
        let mayHave = slot < Self.histograms
        luns[slot].reads.add(
            lun.readLatencies, lun.rates.readLatency,
            requests: lun.rates.reads.map { $0 * seconds },
            uncertainty: lun.rates.latencyUncertainty, mayHaveBuckets: mayHave)
        luns[slot].writes.add(
            lun.writeLatencies, lun.rates.writeLatency,
            requests: lun.rates.writes.map { $0 * seconds },
            uncertainty: lun.rates.latencyUncertainty, mayHaveBuckets: mayHave)
    }

    /// A LUN stalls while its oldest request is as old as a stall and nothing completed.
    private mutating func followStall(of lun: LUN, _ slot: Int, at time: Nanoseconds) {
        let oldest = known(lun.rates.oldestInFlight).map { UInt64(min($0 * 1000, 1e18)) }
        let isStalled = (oldest ?? 0) >= options.stall && (lun.rates.iops ?? 0) == 0
        if isStalled, let oldest {
            let start = min(luns[slot].stall?.start ?? .max, time > oldest ? time - oldest : 0)
            luns[slot].stall = (start, time)
        } else if let stall = luns[slot].stall {
            stalls.add(Stall(lun: lun.qualifiedID, start: stall.start, end: time, isOver: true))
            luns[slot].stall = nil
        }
    }

    /// Counts the stalls that the recording's end cut off.
    mutating func finish() {
        for slot in luns.indices {
            guard let stall = luns[slot].stall else { continue }
            stalls.add(
                Stall(
                    lun: luns[slot].name, start: stall.start, end: stall.end, isOver: false))
            luns[slot].stall = nil
        }
    }
}
