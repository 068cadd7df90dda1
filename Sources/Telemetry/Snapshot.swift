/// The vocabulary every room shares: units, `Snapshot`, `LUN`, `ThreadActivity`, `IOEvent`,
/// histograms, and the derivation of rates from counters. A pure room: time and numbers are handed
/// in.

/// What one source saw at one instant, as rates over the interval before it.
///
/// A live VM, the embedded engine and a recording all produce this type, and no sink can tell which
/// it has. A number that could not be had is `nil`, with the reason in `unavailable`; it is never
/// 0.
public struct Snapshot: Sendable, Equatable {
    /// The version of the JSON form; goes up when a key changes meaning.
    public static let schema = 1

    /// Nanoseconds since 1970-01-01 UTC (`CLOCK_REALTIME`), for people; never used for rates.
    public var wallClock: Int64
    /// `CLOCK_MONOTONIC` nanoseconds at which the counters were read.
    public var monotonic: Nanoseconds
    /// Seconds since the previous sample, `nil` on the first.
    public var interval: Double?
    /// 1 on the first sample of a source, then one more each.
    public var sequence: UInt64
    public var source: Source
    /// The VMs watched, those that do not answer too.
    public var vms: [VirtualMachine]
    /// All LUNs together.
    public var total: BlockRates
    /// In the source's own order.
    public var luns: [LUN]
    public var threads: [ThreadActivity]
    public var locks: [LockActivity]
    /// Requests under way, the oldest first; the youngest of many are left out.
    public var inFlight: [InFlightRequest] = []
    /// Of the requests that ended in the interval and were followed one by one, the slowest, the
    /// slowest first.
    public var slowest: [SlowRequest] = []
    public var host: Host
    /// Interrupts, exits and injections.
    public var eventCounts: [EventCount]
    /// The columns that probes add to the threads.
    public var probeColumns: [ProbeColumn]
    /// What stands at the time of the sample, the worst first.
    public var findings: [Finding]
    /// What stood until not long ago.
    public var clearedFindings: [Finding]
    /// What is known of settings and states, besides what has a field of its own.
    public var facts: FactSheet
    /// What happened since the sample before.
    public var notices: [Notice]
    /// The places the numbers come from.
    public var sources: [SourceStatus]
    public var unavailable: [Unavailable]
    /// What taking this sample cost and lost.
    public var ownCost: OwnCost

    /// A sample of `source` with nothing seen yet.
    public init(
        source: Source, sequence: UInt64, monotonic: Nanoseconds, wallClock: Int64,
        interval: Double? = nil
    ) {
        self.source = source
        self.sequence = sequence
        self.monotonic = monotonic
        self.wallClock = wallClock
        self.interval = interval
        self.vms = []
        self.total = BlockRates()
        self.luns = []
        self.threads = []
        self.locks = []
        self.host = Host()
        self.eventCounts = []
        self.probeColumns = []
        self.findings = []
        self.clearedFindings = []
        self.facts = FactSheet()
        self.notices = []
        self.sources = []
        self.unavailable = []
        self.ownCost = OwnCost()
    }

    /// The VM watched, the first of several; `nil` while there is none.
    public var vm: VirtualMachine? { vms.first }
}

/// `CLOCK_MONOTONIC` nanoseconds, or a duration in nanoseconds.
public typealias Nanoseconds = UInt64

/// Where samples come from.
public struct Source: Sendable, Equatable {
    /// The kinds of source, as the JSON names them.
    public enum Kind: String, Sendable, Codable {
        case qmp, demo, replay
        /// No VM, but the command line or domain XML that one would be started with.
        case configuration
    }
    public var kind: Kind
    /// The VM's or recording's name.
    public var name: String

    /// A source of `kind` called `name`.
    public init(kind: Kind, name: String) {
        self.kind = kind
        self.name = name
    }
}

/// The machine whose storage is watched.
public struct VirtualMachine: Sendable, Equatable {
    /// Who runs the guest's code.
    public enum Accelerator: String, Sendable, Codable { case kvm, tcg, embedded }
    public var name: String
    /// `nil` for a VM whose process is not on this host, or not found.
    public var pid: Int?
    /// QEMU's version, or vblktop's for the embedded engine.
    public var version: String
    public var accelerator: Accelerator?
    /// QMP `query-status` word: `running`, `paused`, …
    public var status: String
    public var vcpus: Int?
    public var memoryBytes: UInt64?
    /// The QMP socket it is watched through, `nil` without one.
    public var qmp: String?

    /// A VM of this name and process.
    public init(
        name: String, pid: Int?, version: String, accelerator: Accelerator?, status: String,
        vcpus: Int?, memoryBytes: UInt64?, qmp: String? = nil
    ) {
        self.name = name
        self.pid = pid
        self.version = version
        self.accelerator = accelerator
        self.status = status
        self.vcpus = vcpus
        self.memoryBytes = memoryBytes
        self.qmp = qmp
    }
}

/// A metric that could not be had, why, and what would make it available.
public struct Unavailable: Sendable, Equatable {
    /// The JSON key of the metric.
    public var metric: String
    public var reason: String
    public var remedy: String?

    /// `metric` is missing for `reason`; `remedy` would bring it back.
    public init(metric: String, reason: String, remedy: String? = nil) {
        self.metric = metric
        self.reason = reason
        self.remedy = remedy
    }
}

/// What watching cost during the interval; always shown, so that nobody has to wonder.
public struct OwnCost: Sendable, Equatable {
    /// CPU of vblktop's own threads (the engine's excluded), percent of one core.
    public var cpuPercent: Double?
    /// Resident memory of the process, bytes (/proc/self/statm).
    public var residentBytes: UInt64?
    /// First to last reading inside this sample, nanoseconds.
    public var skew: Nanoseconds?
    /// Trace events lost since the start, exact.
    public var lostEvents: UInt64

    /// A cost; nothing known unless given.
    public init(
        cpuPercent: Double? = nil, residentBytes: UInt64? = nil, skew: Nanoseconds? = nil,
        lostEvents: UInt64 = 0
    ) {
        self.cpuPercent = cpuPercent
        self.residentBytes = residentBytes
        self.skew = skew
        self.lostEvents = lostEvents
    }
}
