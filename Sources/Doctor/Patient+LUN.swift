import Telemetry

// What several rules about LUNs ask.

/// What the data of a LUN lie on.
enum Backing: Sendable {
    case device, file
    /// Storage that QEMU itself talks to: rbd, nbd, iscsi, nvme, …
    case network
}

extension LUN {
    /// Driver of the lowest node: `file`, `host_device`, `rbd`, …; `nil` without a graph.
    var leafDriver: String? { graph.last?.driver }

    /// Whether QEMU's SCSI layer serves it.
    var isSCSI: Bool { device.hasPrefix("scsi-") }

    /// Whether it is a virtio-blk device that QEMU serves itself.
    var isVirtioBlock: Bool { device.hasPrefix("virtio-blk") }

    /// Names of the event loops that serve it, `""` for the main loop; `nil` where not known.
    var eventLoops: [String]? {
        if let ioThread { return ioThread.split(separator: ",").map { String($0) } }
        return isOnMainLoop == true ? [""] : nil
    }

    /// Requests of it in flight: what its queues hold, else the depth of the sample; `nil` where
    /// neither is known.
    var inFlight: Double? {
        virtqueues.isEmpty
            ? rates.queueDepth?.nowOrMean
            : Double(virtqueues.reduce(0) { $0 + $1.inFlight })
    }
}

extension HostDisk {
    /// Mean microseconds of its reads and writes, weighted by their rates; `nil` where there are
    /// none.
    var meanAwait: Double? {
        let (reads, writes) = (reads ?? 0, writes ?? 0)
        let sum = (readAwait ?? 0) * reads + (writeAwait ?? 0) * writes
        return reads + writes > 0 && sum > 0 ? sum / (reads + writes) : nil
    }
}

extension Patient {
    /// What the LUN lies on: the lowest node says it, else what was seen of its file.
    mutating func backing(of lun: LUN) throws(NotChecked) -> Backing {
        switch lun.leafDriver {
        case "host_device"?: return .device
        // Older versions open devices with it too.
        case "file"?: return knownFlag(.isDevice) ?? false ? .device : .file
        case nil: return try flag(.isDevice) ? .device : .file
        default: return .network
        }
    }

    /// Whether the file has 95 % of its blocks, so that writing it allocates none.
    mutating func isPreallocated() throws(NotChecked) -> Bool {
        let (size, allocated) = (try number(.fileSize), try number(.fileAllocated))
        return allocated >= size * 0.95
    }

    /// The disk of the host that `lun` lies on; `nil` where that is not known.
    func disk(under lun: LUN) -> HostDisk? {
        lun.hostDisk.flatMap { indexed.disk($0) }
    }

    /// The same, if no other LUN lies on it, so that what it does is the LUN's doing.
    func diskAlone(under lun: LUN) -> HostDisk? {
        disk(under: lun).flatMap { $0.luns.count <= 1 ? $0 : nil }
    }

    /// Reads of the disk below for each read of the guest; `nil` where others may read there too,
    /// or either is not known.
    func readsBelow(_ lun: LUN) -> Double? {
        guard let disk = diskAlone(under: lun)?.reads, let reads = lun.rates.reads, reads > 0
        else { return nil }
        return disk / reads
    }

    /// What a fact says of another LUN of the same VM, without noting it as evidence.
    func text(_ name: FactName, ofLUN id: String) -> String? {
        guard case .text(let text)? = sample.facts[name, Subject(vm: subject.vm, .lun(id))]?.value
        else { return nil }
        return text
    }

    /// Whether libvirt started the VM, as far as is known.
    var isLibvirtVM: Bool {
        sample.facts[.isLibvirt, Subject(vm: subject.vm, .vm)]?.value == .flag(true)
    }

    /// Whether a block job runs on the LUN, as far as is known.
    var hasJob: Bool {
        guard case .text(let job)? = own[.job]?.value else { return false }
        return !job.isEmpty && job != "none"
    }

    // MARK: Words of remedies

    /// The VM's name for virsh.
    var domain: String {
        let fact = sample.facts[.domain, Subject(vm: subject.vm, .vm)]
        guard case .text(let name)? = fact?.value, !name.hasPrefix("-") else { return "DOMAIN" }
        return shellWord(name)
    }

    /// What is to be done to the running VM: by `virsh` where libvirt started it, as it must know
    /// what becomes of its disks, else by `qmp`.
    func live(virsh: String, qmp: String) -> String { isLibvirtVM ? virsh : qmp }
}

extension LUN {
    /// Its target for virsh: `vda`, as far as libvirt's alias says it.
    var libvirtTarget: String {
        guard id.hasPrefix("virtio-disk"), let number = Int(id.dropFirst(11)),
            (0..<26).contains(number), let letter = UnicodeScalar(97 + number)
        else { return "TARGET" }
        return "vd" + String(Character(letter))
    }

    /// The name of its node for `drive=`, where QEMU did not make one up.
    var drive: String { (node ?? "").inCommand(else: "DRIVE") }

    /// How QMP tells it from others in commands about its device: `qdev` of `query-block`.
    var qdev: String { isVirtioBlock ? "/machine/peripheral/\(id)/virtio-backend" : id }

    /// Its file as an argument of a command; `IMAGE` where it is not known.
    var imageWord: String { imageArgument(shellWord) }

    /// Its file as the value of an option of QEMU's, in which a comma is written twice.
    var imageOption: String { imageArgument { shellWord($0.replacing(",", with: ",,")) } }

    /// A name that begins like an option is no option in its directory.
    private func imageArgument(_ quoted: (String) -> String) -> String {
        guard let file, !file.isEmpty else { return "IMAGE" }
        return quoted(file.hasPrefix("-") ? "./" + file : file)
    }

    /// Its device on the command line, with `option`.
    func deviceOption(_ option: String) -> String {
        "-device \(device.inCommand(else: "DRIVER")),id=\(id.inCommand(else: "ID")),"
            + "drive=\(drive),\(option)"
    }
}

/// `text` as one word of a shell's command line.
func shellWord(_ text: String) -> String {
    let isPlain = text.allSatisfy {
        $0.isASCII && ($0.isLetter || $0.isNumber || "-_.,:/=+@".contains($0))
    }
    if isPlain && !text.isEmpty { return text }
    return "'"
        + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        + "'"
}

/// A QMP command as it is sent; `arguments` are pairs of a name and a JSON value.
func qmp(_ command: String, _ arguments: KeyValuePairs<String, String>) -> String {
    qmp(command, arguments.map { ($0.key, $0.value) })
}

func qmp(_ command: String, _ arguments: [(String, String)]) -> String {
    "{\"execute\": \"\(command)\", \"arguments\": \(jsonObject(arguments))}"
}

/// Pairs of a name and a JSON value as one JSON object.
func jsonObject(_ members: [(String, String)]) -> String {
    "{" + members.map { "\"\($0)\": \($1)" }.joined(separator: ", ") + "}"
}

/// `text` as JSON.
func jsonWord(_ text: String) -> String {
    var quoted = "\""
    for character in text {
        if character == "\"" || character == "\\" { quoted.append("\\") }
        quoted.append(character)
    }
    return quoted + "\""
}
