public import Probes
internal import Telemetry

/// What to attach to, and how closely to look.
public struct AttachConfiguration: Sendable {
    /// One VM, named by its QMP socket or by its process.
    public enum Target: Sendable, Equatable {
        case qmp(QMPAddress)
        case process(Int)
    }
    public var targets: [Target] = []
    /// Paths of the UNIX sockets that lead to the guests' agents, in the order of `targets`; the
    /// VMs beyond have none.
    public var agents: [String] = []
    /// Seconds between samples as the user wants them.
    public var interval = 1.0
    /// Whether QEMU is told to count latencies in histograms. Changes the VM, as only this and
    /// `setsLockProfile` do.
    public var setsHistograms = false
    /// Whether QEMU is told to profile its locks.
    public var setsLockProfile = false
    /// Whether tracepoints stay open though no screen shows them.
    public var keepsTracepoints = false
    /// Whether there is no time to spare the VM: all that it is made of is asked for within
    /// seconds, at up to a quarter of its main loop's time, and not at a fiftieth.
    public var isInHaste = false
    /// Looks at the virtqueues per second, 10…20,000; 0: none.
    public var ringRate = 1000.0
    /// What those may cost, percent of one core.
    public var ringBudget = 3.0
    /// Ids of LUNs of which every request is followed.
    public var followedLUNs: Set<String> = []
    /// The probes to open.
    public var probes: [ProbeDefinition] = []
    /// What is wrong with probe files that could not be used.
    public var probeErrors: [ProbeFileError] = []

    /// Nothing to attach to yet.
    public init() {}

    /// `interval` within its bounds, nanoseconds.
    var sampleInterval: Nanoseconds { Nanoseconds(min(max(interval, 0.1), 3600) * 1e9) }
}
