import Telemetry

/// What rules about the host and its disks ask for: facts about LUNs of whatever VM, and which LUNs
/// lie on a disk.
extension Patient {
    // MARK: Facts about others

    /// The fact of this name about `subject`; throws where it has no value.
    mutating func fact(_ name: FactName, about subject: Subject) throws(NotChecked) -> FactValue {
        guard let fact = sample.facts[name, subject] else {
            throw NotChecked(reason: "\(name.rawValue) of \(subject.word) is not known")
        }
        guard let value = fact.value else {
            throw NotChecked(reason: "\(fact.source): \(fact.reason ?? "no value")")
        }
        cite(fact.source)
        return value
    }

    /// Whether `lun`, of whatever VM, goes past the host's page cache.
    mutating func isDirect(_ lun: LUN) throws(NotChecked) -> Bool {
        let value = try fact(.isDirect, about: Subject(vm: lun.vm, .lun(lun.id)))
        guard case .flag(let isDirect) = value else {
            throw NotChecked(reason: "\(FactName.isDirect.rawValue) is of another kind")
        }
        return isDirect
    }

    /// The names by which facts are about VMs: `nil` for the only one.
    var machineNames: [String?] {
        sample.vms.count > 1 ? sample.vms.map { $0.name } : sample.vms.isEmpty ? [] : [nil]
    }

    // MARK: Load

    /// Whether the VM, or for the host all VMs together, does 50,000 IOPS. Throws before there are
    /// rates.
    func isMachineHot() throws(NotChecked) -> Bool {
        reaches(try need(load.machineIOPS, "iops"), 50_000)
    }

    /// Whether `lun` does enough in the sample for its settings to matter.
    func isBusy(_ lun: LUN) -> Bool { isBusy(lun.rates) }

    private func isBusy(_ rates: BlockRates) -> Bool {
        Load(iops: rates.iops, bytes: rates.bytes, depth: rates.queueDepth?.mean).isBusy
    }

    // MARK: Disks

    /// A number of the disk that is looked at; `key` is its JSON key.
    func measured<Value>(_ value: Value?, _ key: String) throws(NotChecked) -> Value {
        guard let value else {
            let why = sample.unavailable.first {
                $0.metric == "host.disks" || $0.metric.hasPrefix("host.disks." + key)
            }
            throw NotChecked(
                reason: "\(key) of \(subject.word): \(why?.reason ?? "not measured")")
        }
        return value
    }

    /// Whether `disk` is made of others, which are looked at in its stead.
    mutating func isStacked(_ disk: String) -> Bool {
        guard disk.hasPrefix("dm-") || disk.hasPrefix("md") else { return false }
        return knownTexts(.leaves, of: .disk(disk))?.isEmpty == false
    }

    /// The LUNs whose data lie on `disk`, by itself or as one of several that theirs is made of,
    /// and the share of each that falls to it if they are used alike.
    func luns(on disk: String) -> [(lun: LUN, share: Double)] {
        (indexed.residents[disk] ?? []).map { (sample.luns[$0.lun], $0.share) }
    }

    /// The busy LUNs on `disk`.
    func busyLUNs(on disk: String) -> [LUN] {
        (indexed.residents[disk] ?? []).lazy.map(\.lun)
            .filter { isBusy(sample.luns[$0].rates) }.map { sample.luns[$0] }
    }
}

extension HostDisk {
    /// Its directory in /sys, where a slash in a name is an exclamation mark.
    var directory: String { "/sys/block/" + name.replacing("/", with: "!") }

    /// The same as a word of a shell's command line, to which `/queue/…` may be added.
    var shellDirectory: String { shellWord(directory) }

    /// Its name where nothing but a plain word will do, as in udev's rules.
    var plainName: String { name.inCommand(else: "DISK") }

    /// What lets more requests into its queue of the block layer.
    var deeperQueue: String {
        switch scheduler {
        // Without a scheduler the queue is the driver's, and the kernel takes no larger number.
        case "none" where name.hasPrefix("nvme"):
            "none: without a scheduler the queue is as deep as the driver made it: options nvme "
                + "io_queue_depth=4095 in /etc/modprobe.d, and a reboot"
        case "none":
            "none: without a scheduler the queue is as deep as the driver made it "
                + "(\(shellDirectory)/queue/nr_requests); its module's options say how deep "
                + "(modinfo), as can_queue of /sys/class/scsi_host for SCSI"
        default: "echo 1024 > \(shellDirectory)/queue/nr_requests"
        }
    }
}

extension LUN {
    /// Whether QEMU itself speaks with the server that has its data.
    var isNetworked: Bool {
        let drivers: Set = [
            "nbd", "rbd", "iscsi", "nfs", "ssh", "gluster", "curl", "http", "https",
        ]
        return graph.contains { drivers.contains($0.driver) }
    }
}
