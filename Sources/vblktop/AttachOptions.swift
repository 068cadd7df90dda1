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

    var isGiven: Bool { !qmp.isEmpty || !pid.isEmpty }

    func validate() throws {
        guard pid.allSatisfy({ $0 > 0 }) else {
            throw ValidationError("--pid must be a process id, more than 0")
        }
        guard qmp.count + pid.count <= 64 else { throw ValidationError("at most 64 VMs") }
    }

    func configuration() throws -> AttachConfiguration {
        var configuration = AttachConfiguration()
        configuration.targets =
            try qmp.map { .qmp(try QMPAddress($0)) } + pid.map { .process($0) }
        let library = ProbeLibrary(
            directories: ProbeLibrary.directories(extra: probes), mustExist: probes)
        configuration.probes = library.definitions
        configuration.probeErrors = library.errors
        configuration.setsHistograms = setHistograms
        configuration.keepsTracepoints = tracepoints
        return configuration
    }
}
