import Libraries
public import Telemetry

/// A VM as it would be started: what a command line or a domain's XML says, and QEMU's defaults
/// where it says nothing. Nothing is looked at on this host, nothing is started.
public struct ConfiguredVM: Sendable {
    let line: QEMUCommandLine
    let defaults: MachineDefaults
    let origins: FactOrigins
    /// Whether libvirt writes the command line and fills the gaps.
    let isDomain: Bool
    /// What the configuration says beyond options of QEMU's.
    private let furtherFacts: [Fact]
    /// Limits that are set when the VM runs, by the ids of LUNs.
    private let throttles: [String: String]

    /// A VM as this command line would start it: one text as a shell reads it, with quotes, joined
    /// lines and words before the program. Of several commands the first counts that starts a QEMU.
    /// Throws where none does, or where a quotation does not end.
    public init(commandLine text: String) throws(ConfigurationError) {
        for command in try ShellWords(text).commands {
            guard let start = command.firstIndex(where: { isQEMU([$0]) }) else { continue }
            let arguments = Array(command[start...])
            self.init(line: QEMUCommandLine(arguments), origins: FactOrigins("command line"))
            return
        }
        throw ConfigurationError.noQEMU
    }

    /// A VM as these arguments would start it, the program's name first. Throws where the program
    /// is no system emulator of QEMU's.
    public init(arguments: [String]) throws(ConfigurationError) {
        guard isQEMU(arguments) else { throw ConfigurationError.noQEMU }
        self.init(line: QEMUCommandLine(arguments), origins: FactOrigins("command line"))
    }

    /// A VM as libvirt would start this domain: XML as `virsh dumpxml` prints it. Throws with the
    /// line for what is no such document.
    public init(domain document: [UInt8]) throws(ConfigurationError) {
        let domain = try DomainDocument(document).domain
        var translation = DomainTranslation(domain)
        try translation.translate()
        self.init(
            line: QEMUCommandLine(translation.arguments), origins: translation.origins,
            isDomain: true, facts: translation.facts, throttles: translation.throttles)
    }

    private init(
        line: QEMUCommandLine, origins: FactOrigins, isDomain: Bool = false, facts: [Fact] = [],
        throttles: [String: String] = [:]
    ) {
        self.line = line
        self.origins = origins
        self.isDomain = isDomain
        furtherFacts = facts
        self.throttles = throttles
        defaults = MachineDefaults(
            line, usesDataPlane: line.devices.contains { $0["x-data-plane"]?.isOn ?? false })
    }

    /// One sample with all that the configuration says: the VM, its LUNs, facts. There are no rates
    /// in it, no threads and nothing of the host; `unavailable` says why. `wallClock` is
    /// nanoseconds since 1970-01-01 UTC.
    public func sample(wallClock: Int64) -> Snapshot {
        var sample = Snapshot(
            source: Source(kind: .configuration, name: name), sequence: 1, monotonic: 0,
            wallClock: wallClock)
        var disks = line.configuredDisks(defaults)
        for index in disks.indices {
            disks[index].lun.throttle = throttles[disks[index].lun.id] ?? throttle(of: disks[index])
        }
        sample.vms = [machine]
        sample.luns = disks.map(\.lun)
        let facts = machineFacts + disks.flatMap(facts) + furtherFacts
        sample.facts = FactSheet(facts)
        sample.unavailable = Self.measured.map {
            Unavailable(
                metric: $0, reason: "a configuration is judged, and no VM",
                remedy: "start the VM and give --qmp or --pid")
        }
        if sample.luns.contains(where: { $0.format == nil && $0.node == nil }) {
            sample.unavailable.append(
                Unavailable(
                    metric: "format", reason: "without format= QEMU finds it out from the image",
                    remedy: "say format="))
        }
        return sample
    }

    /// JSON keys of what only a VM that runs has.
    private static let measured = [
        "cpu_percent", "discards_per_s", "errors", "event_counts", "flushes_per_s",
        "host.cpu_percent", "host.disks", "host_disk", "iops", "locks", "queue_depth",
        "read_latency_us", "run_delay_percent", "write_bytes_per_s", "write_latency_us",
        "writes_per_s",
    ]

    private var name: String { line.name.map(clean) ?? clean(line.program) }

    private var machine: VirtualMachine {
        VirtualMachine(
            name: name, pid: nil, version: version, accelerator: accelerator, status: "unknown",
            vcpus: line.configuredVCPUs,
            memoryBytes: line.memory.map { byteCount($0, unit: 1 << 20) } ?? 128 << 20)
    }

    /// Who will run the guest's code; `nil` for those that vblktop has no name for.
    var accelerator: VirtualMachine.Accelerator? {
        guard let word = line.accelerator else {
            // The program of that name is QEMU with KVM switched on.
            return line.program == "kvm" || line.program == "qemu-kvm" ? .kvm : .tcg
        }
        return VirtualMachine.Accelerator(rawValue: word).flatMap { $0 == .embedded ? nil : $0 }
    }

    /// A machine type says how old QEMU is at most, and not how new: only `x-data-plane`, which
    /// went with 2.3, leaves little between. Empty where that is not known.
    private var version: String {
        guard line.devices.contains(where: { $0["x-data-plane"]?.isOn ?? false }),
            case .release(let release) = defaults.basis, release < Release(2, 3)
        else { return "" }
        return "\(release.major).\(release.minor)"
    }
}

extension ConfigurationError {
    fileprivate static let noQEMU = ConfigurationError(
        "no QEMU is started here: the command must have qemu-system-…, qemu-kvm or kvm in it")
}
