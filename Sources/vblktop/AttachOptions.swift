import ArgumentParser
import Attach
import Probes

/// Which running VMs to watch, and how closely.
struct AttachOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Attach to the VM behind this QMP socket. May be repeated: all VMs on one screen.",
            valueName: "path | host:port"))
    var qmp: [String] = []

    @Option(help: "Attach to the QEMU with this process id. May be repeated.")
    var pid: [Int] = []

    @Option(
        help: ArgumentHelp(
            "Ask the guest's agent behind this UNIX socket too. May be repeated, in the order of "
                + "the VMs, those by --qmp first.",
            valueName: "path"))
    var qga: [String] = []

    @Option(help: "Directory of more probe files (docs/probes.md).")
    var probes: String?

    @Flag(
        help: """
            Keep tracepoints open: lock waits, exits, AIO batches. Without it they are open while \
            a screen shows them, as each event costs the VM some 100 ns.
            """)
    var tracepoints = false

    @Flag(
        help: """
            Let QEMU count latencies, for percentiles. THIS CHANGES THE VM until vblktop ends, and \
            histograms set by others are kept as they are.
            """)
    var setHistograms = false

    @Flag(
        help: """
            Let QEMU profile its locks, for the vCPUs' waits for the big one. THIS CHANGES THE VM \
            until vblktop ends, and cost up to 16 % IOPS; a profile that is on already is kept.
            """)
    var setSyncProfile = false

    @Option(
        help: ArgumentHelp(
            "Looks at the virtqueues in the guest's memory per second, 10 to 20000, or 0 for none.",
            valueName: "hz"))
    var ringRate = 1000.0

    @Option(
        help: ArgumentHelp(
            "What those looks may cost, percent of one core; beyond it there are fewer.",
            valueName: "percent"))
    var ringBudget = 3.0

    @Option(
        help: ArgumentHelp(
            "Follow every request of this LUN in its virtqueues. May be repeated; with --ring-rate "
                + "20000 each is seen within 50 us.",
            valueName: "id"))
    var follow: [String] = []

    var isGiven: Bool { !qmp.isEmpty || !pid.isEmpty }

    func validate() throws {
        guard pid.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("--pid must be a process id, more than 0")
        }
        guard qmp.count + pid.count <= 64 else { throw ValidationError("at most 64 VMs") }
        guard ringRate == 0 || (10...20_000).contains(ringRate) else {
            throw ValidationError("--ring-rate is 10 to 20000 looks per second, or 0 for none")
        }
        guard ringBudget > 0, ringBudget <= 100 else {
            throw ValidationError("--ring-budget is more than 0 and at most 100 percent of a core")
        }
        guard qga.count <= qmp.count + pid.count else {
            throw ValidationError("--qga belongs to a VM named by --qmp or --pid")
        }
    }

    /// The path in `text`, which may be written as for QEMU: `unix:PATH,server=on`.
    private static func agentPath(_ text: String) throws -> String {
        let path =
            text.hasPrefix("unix:") ? String(text.dropFirst(5).prefix { $0 != "," }) : text
        guard !path.isEmpty else { throw ValidationError("--qga needs the path of a UNIX socket") }
        return path
    }

    func configuration() throws -> AttachConfiguration {
        var configuration = AttachConfiguration()
        configuration.targets =
            try qmp.map { .qmp(try QMPAddress($0)) } + pid.map { .process($0) }
        configuration.agents = try qga.map(Self.agentPath)
        let library = ProbeLibrary(
            directories: ProbeLibrary.directories(extra: probes), mustExist: probes)
        configuration.probes = library.definitions
        configuration.probeErrors = library.errors
        configuration.setsHistograms = setHistograms
        configuration.setsLockProfile = setSyncProfile
        configuration.keepsTracepoints = tracepoints
        configuration.ringRate = ringRate
        configuration.followedLUNs = Set(follow)
        configuration.ringBudget = ringBudget
        return configuration
    }
}
