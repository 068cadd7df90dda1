internal import Telemetry

/// A sample as the history keeps it: the numbers packed, the rest shared with the sample before.
/// It comes back exactly as it was, but without facts: no screen shows those, and what they led to
/// is among the findings.
final class PackedSample: Sendable {
    /// The sample without its rows.
    private let frame: Snapshot
    private let vms: PackedTable<VirtualMachine>
    let luns: PackedTable<LUN>
    private let histograms: PackedHistograms
    let requests: PackedRequests
    private let threads: PackedTable<ThreadActivity>
    private let locks: PackedTable<LockActivity>
    private let disks: PackedTable<HostDisk>
    private let eventCounts: PackedTable<EventCount>
    private let probeColumns: PackedTable<ProbeColumn>
    private let findings: PackedTable<Finding>
    private let clearedFindings: PackedTable<Finding>
    private let noticeTable: PackedTable<Notice>
    private let sources: PackedTable<SourceStatus>
    private let unavailable: PackedTable<Unavailable>

    /// Packs `snapshot`; `previous` is the sample before it.
    init(_ snapshot: Snapshot, like previous: PackedSample?) {
        var frame = snapshot
        frame.vms = []
        frame.luns = []
        frame.threads = []
        frame.locks = []
        frame.host.disks = []
        frame.eventCounts = []
        frame.probeColumns = []
        frame.inFlight = []
        frame.slowest = []
        frame.findings = []
        frame.clearedFindings = []
        frame.facts = FactSheet()
        frame.notices = []
        frame.sources = []
        frame.unavailable = []
        self.frame = frame
        vms = PackedTable(snapshot.vms, like: previous?.vms)
        luns = PackedTable(snapshot.luns, like: previous?.luns)
        histograms = PackedHistograms(snapshot.luns)
        requests = PackedRequests(snapshot, like: previous?.requests)
        threads = PackedTable(snapshot.threads, like: previous?.threads)
        locks = PackedTable(snapshot.locks, like: previous?.locks)
        disks = PackedTable(snapshot.host.disks, like: previous?.disks)
        eventCounts = PackedTable(snapshot.eventCounts, like: previous?.eventCounts)
        probeColumns = PackedTable(snapshot.probeColumns, like: previous?.probeColumns)
        findings = PackedTable(snapshot.findings, like: previous?.findings)
        clearedFindings = PackedTable(
            snapshot.clearedFindings, like: previous?.clearedFindings)
        noticeTable = PackedTable(snapshot.notices, like: previous?.noticeTable)
        sources = PackedTable(snapshot.sources, like: previous?.sources)
        unavailable = PackedTable(snapshot.unavailable, like: previous?.unavailable)
    }

    /// The sample as it was.
    var snapshot: Snapshot {
        var result = frame
        result.vms = vms.rows
        result.luns = luns.rows
        histograms.restore(&result.luns)
        result.inFlight = requests.inFlight
        result.slowest = requests.slowest
        result.threads = threads.rows
        result.locks = locks.rows
        result.host.disks = disks.rows
        result.eventCounts = eventCounts.rows
        result.probeColumns = probeColumns.rows
        result.findings = findings.rows
        result.clearedFindings = clearedFindings.rows
        result.notices = noticeTable.rows
        result.sources = sources.rows
        result.unavailable = unavailable.rows
        return result
    }

    /// `CLOCK_MONOTONIC` nanoseconds of the sample.
    var monotonic: Nanoseconds { frame.monotonic }

    /// When it was taken.
    var moment: Moment { Moment(frame) }

    /// Seconds since the sample before.
    var interval: Double? { frame.interval }

    /// All LUNs together.
    var total: BlockRates { frame.total }

    /// What it tells besides numbers.
    var happenings: Happenings {
        Happenings(
            monotonic: frame.monotonic, interval: frame.interval, notices: noticeTable.rows,
            findings: findings.rows)
    }

    /// Latencies of the LUNs with these qualified ids, all together; `nil` where none is known.
    func latencies(of ids: Set<String>) -> PowerHistogram? {
        let boxes = luns.boxes
        let found = histograms.histograms(
            at: { ids.contains(boxes[$0].row.qualifiedID) }, of: boxes.count)
        return found.isEmpty ? nil : PowerHistogram(reads: .sum(found), writes: LatencyHistogram())
    }

    /// What happened before it.
    var notices: [Notice] { noticeTable.rows }

    private static let ownBytes =
        MemoryLayout<Snapshot>.stride + 11 * MemoryLayout<PackedTable<LUN>>.stride

    /// Bytes it takes beyond what it shares with the sample before, estimated.
    var byteCount: Int {
        let rows = vms.byteCount + luns.byteCount + threads.byteCount + locks.byteCount
        let more = disks.byteCount + eventCounts.byteCount + probeColumns.byteCount
        let texts =
            findings.byteCount + clearedFindings.byteCount + noticeTable.byteCount
            + sources.byteCount + unavailable.byteCount
        return Self.ownBytes + histograms.byteCount + requests.byteCount + rows + more + texts
    }
}
