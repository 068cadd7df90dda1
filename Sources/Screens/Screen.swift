internal import Telemetry

/// The screens there are.
public enum Screen: Sendable, CaseIterable {
    case luns, vms, threads, queues, latency, heat, slowest, stalls, interrupts, contention, disks
    case flags, finding, timeline, compare, help

    /// The name in the status line and the help.
    var title: String {
        switch self {
        case .luns: "LUNs"
        case .vms: "VMs"
        case .threads: "IOThreads and vCPUs"
        case .queues: "Virtqueues"
        case .latency: "Latency"
        case .heat: "Heat map"
        case .slowest: "Slowest requests"
        case .stalls: "Stalls"
        case .interrupts: "Interrupts and exits"
        case .contention: "Contention"
        case .disks: "Host disks"
        case .flags: "Flags"
        case .finding: "Flag"
        case .timeline: "Timeline"
        case .compare: "Compare"
        case .help: "Help"
        }
    }

    /// Whether it shows what tracepoints count, so that they are worth what they cost the VM.
    public var wantsTracepoints: Bool {
        self == .threads || self == .interrupts || self == .contention
    }

    /// What its table has rows of, `nil` for a screen without one.
    var rowType: (any TableRow.Type)? {
        switch self {
        case .luns: LUN.self
        case .vms: VMRow.self
        case .threads: ThreadActivity.self
        case .queues: QueueRow.self
        case .slowest: SlowRow.self
        case .stalls: StallRow.self
        case .interrupts: EventCount.self
        case .contention: LockActivity.self
        case .disks: HostDisk.self
        case .flags: FlagRow.self
        case .finding, .latency, .heat, .timeline, .compare, .help: nil
        }
    }

    /// What keys that work on a table work on: on a screen without one, the LUNs.
    var tableType: any TableRow.Type { rowType ?? LUN.self }

    /// Whether it is a table with a selected row, columns to sort by and a filter.
    var isTable: Bool { rowType != nil }

    /// Whether it has rows to go through: those of its table, or the LUNs' in another form.
    var hasRows: Bool { isTable || self == .heat }

    /// The order of its table at start.
    var sortWord: String {
        switch self {
        case .vms: "IOPS"
        case .threads: "CPU%"
        case .queues: "inflt"
        case .slowest: "lat"
        case .stalls: "age"
        case .interrupts: "rate/s"
        case .contention: "wait%"
        case .disks: "aqu-sz"
        case .flags: "severity"
        case .luns, .finding, .latency, .heat, .timeline, .compare, .help: "p99"
        }
    }
}
