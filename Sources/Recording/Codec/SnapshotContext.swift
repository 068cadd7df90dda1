internal import Telemetry

/// A sample with its numbers taken out: what is written, and what the samples after it are compared
/// with.
struct SnapshotContext: Sendable {
    var snapshot: Snapshot
    var vms: RowTable<VirtualMachine>
    var luns: RowTable<LUN>
    var threads: RowTable<ThreadActivity>
    var locks: RowTable<LockActivity>
    var disks: RowTable<HostDisk>
    var eventCounts: RowTable<EventCount>
    var probeColumns: RowTable<ProbeColumn>
    var findings: RowTable<Finding>
    var clearedFindings: RowTable<Finding>
    var notices: RowTable<Notice>
    var sources: RowTable<SourceStatus>
    var unavailable: RowTable<Unavailable>
    var frame: NumberTable
    /// As they stand in the file; `nil` for those that this version does not know.
    var facts: [Fact?]
    /// The LUNs' histograms, once other samples are compared with this one.
    private(set) var histograms: [(reads: HistogramBase, writes: HistogramBase)] = []
    /// The same for samples of form 1.
    private(set) var oldHistograms: [(reads: OldHistogramBase, writes: OldHistogramBase)] = []

    /// Prepares to be what others are compared with; of form 2 where it `isSecond`.
    mutating func becomeKey(isSecond: Bool = false) {
        let pool = HistogramPool(snapshot.luns)
        // Of a LUN that was idle only the pool is known: the same for all of them.
        let idle = HistogramBase(LatencyHistogram(), pool, isOld: isSecond)
        func base(
            _ histogram: LatencyHistogram?, like other: LatencyHistogram? = nil
        ) -> HistogramBase {
            guard let histogram else { return .none }
            let isIdle = histogram.buckets.isEmpty && other?.buckets.isEmpty != false
            return isIdle ? idle : HistogramBase(histogram, pool, like: other, isOld: isSecond)
        }
        histograms = snapshot.luns.indices.map {
            let reads = snapshot.luns[$0].readLatencies
            let writes = snapshot.luns[$0].writeLatencies
            guard !isSecond, let reads, let writes, reads.isLike(writes) else {
                return (base(reads), base(writes))
            }
            return (base(reads, like: writes), base(writes, like: reads))
        }
    }

    /// Prepares to be what others of form 1 are compared with.
    mutating func becomeOldKey() {
        oldHistograms = snapshot.luns.indices.map {
            (
                OldHistogramBase(snapshot.luns[$0].readLatencies),
                OldHistogramBase(snapshot.luns[$0].writeLatencies)
            )
        }
    }

    /// The histograms of LUN `index` of a key.
    func base(_ index: Int) -> (reads: HistogramBase, writes: HistogramBase)? {
        index < histograms.count ? histograms[index] : nil
    }

    /// The same for samples of form 1.
    func oldBase(_ index: Int) -> (reads: OldHistogramBase, writes: OldHistogramBase)? {
        index < oldHistograms.count ? oldHistograms[index] : nil
    }

    init(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        vms = RowTable(snapshot.vms)
        luns = RowTable(snapshot.luns)
        threads = RowTable(snapshot.threads)
        locks = RowTable(snapshot.locks)
        disks = RowTable(snapshot.host.disks)
        eventCounts = RowTable(snapshot.eventCounts)
        probeColumns = RowTable(snapshot.probeColumns)
        findings = RowTable(snapshot.findings)
        clearedFindings = RowTable(snapshot.clearedFindings)
        notices = RowTable(snapshot.notices)
        sources = RowTable(snapshot.sources)
        unavailable = RowTable(snapshot.unavailable)
        facts = []
        var walker = NumberWalker(.takeWords, room: 48)
        var row = FrameNumbers(snapshot)
        row.walk(&walker)
        frame = NumberTable(walker, rowCount: 1)
    }
}

/// The numbers of a sample that belong to no row.
struct FrameNumbers: Sendable {
    var sequence: UInt64?
    var monotonic: UInt64?
    /// Wall clock less monotonic, which hardly changes.
    var offset: Int?
    var interval: Double?
    var hostCPU: Double?
    var cost: OwnCost
    var total: BlockRates

    /// Where `total` begins.
    static let totalColumn = 9
    static let order = Array(0..<46)

    init(_ snapshot: Snapshot) {
        sequence = snapshot.sequence
        monotonic = snapshot.monotonic
        offset = Int(snapshot.wallClock &- Int64(bitPattern: snapshot.monotonic))
        interval = snapshot.interval
        hostCPU = snapshot.host.cpuPercent
        cost = snapshot.ownCost
        total = snapshot.total
    }

    mutating func walk(_ walker: inout NumberWalker) {
        walker.visit(&sequence)
        walker.visit(&monotonic)
        walker.visit(&offset)
        walker.visit(&interval, .billionths)
        walker.visit(&hostCPU)
        walker.visit(&cost.cpuPercent)
        walker.visit(&cost.residentBytes)
        walker.visit(&cost.skew)
        var lost: UInt64? = cost.lostEvents
        walker.visit(&lost)
        if walker.restores { cost.lostEvents = lost ?? 0 }
        total.walk(&walker)
        total.walkQuality(&walker)
    }

    /// Puts the numbers into `snapshot`.
    func restore(_ snapshot: inout Snapshot) {
        snapshot.sequence = sequence ?? 0
        snapshot.monotonic = monotonic ?? 0
        snapshot.wallClock = Int64(offset ?? 0) &+ Int64(bitPattern: snapshot.monotonic)
        snapshot.interval = interval
        snapshot.host.cpuPercent = hostCPU
        snapshot.ownCost = cost
        snapshot.total = total
    }

    static var kinds: [ColumnKind] {
        var walker = NumberWalker(.describe)
        var row = FrameNumbers(
            Snapshot(
                source: Source(kind: .replay, name: ""), sequence: 0, monotonic: 0, wallClock: 0))
        row.walk(&walker)
        return walker.columns
    }
}
