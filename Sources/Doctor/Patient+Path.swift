import Telemetry

/// The way of a LUN's requests: the threads that serve it, and the host's disk below it.
extension Patient {
    /// Threads that serve `lun`: its IOThreads, the main loop, or a device thread of the engine.
    func servers(of lun: LUN) -> [ThreadActivity] {
        (indexed.servers[SampleIndex.Name(vm: lun.vm, name: lun.id)] ?? [])
            .map { sample.threads[$0] }
    }

    /// LUNs that `thread` serves.
    func luns(of thread: ThreadActivity) -> [LUN] {
        indexed.places(of: thread.luns, in: thread.vm).map { sample.luns[$0] }
    }

    /// What `lun` did during the sample, to ask whether it is busy or hot.
    func load(of lun: LUN) -> Load {
        Load(
            iops: lun.rates.iops, bytes: lun.rates.bytes, depth: lun.rates.queueDepth?.mean,
            machineIOPS: load.machineIOPS)
    }

    /// The host's disk that the data of `lun` lie on. Throws where there is none or it is not
    /// measured: storage over a network, a file system of its own kind.
    mutating func measuredDisk(under lun: LUN) throws(NotChecked) -> HostDisk {
        let name = try need(lun.hostDisk, "host_disk")
        guard let disk = indexed.disk(name) else {
            throw NotChecked(reason: "the host's disk \(name) is not measured")
        }
        cite("/sys/block/\(name)/stat")
        return disk
    }

    /// What all LUNs on `disk` ask of it together. Throws where one of them is not measured.
    func demand(on disk: HostDisk) throws(NotChecked) -> BlockRates {
        let demand = indexed.demand(on: disk)
        if let lun = demand.unmeasured {
            throw NotChecked(reason: "\(lun), which lies on \(disk.name) too, is not measured")
        }
        return demand.rates
    }

    /// The same, where nobody but these LUNs uses the disk. Throws where it moves a quarter more
    /// or less than they do: whose requests its own figures are of could not be told then.
    func soleDemand(on disk: HostDisk) throws(NotChecked) -> BlockRates {
        let demand = try demand(on: disk)
        let asked = demand.bytes ?? 0
        let read = try need(disk.readBytes, "host.disks")
        let moved = read + (try need(disk.writeBytes, "host.disks"))
        guard moved >= asked * 0.8, moved <= asked * 1.25 else {
            let rates = "\(bytes(moved))/s, its LUNs \(bytes(asked))/s"
            throw NotChecked(reason: "\(disk.name) moves \(rates): it is not for these LUNs alone")
        }
        return demand
    }

    /// Notes that rates of LUNs are evidence: QEMU counted them, or the engine did.
    mutating func citeCounters() {
        let isEmbedded = machine?.accelerator == .embedded
        cite(isEmbedded ? "the engine's counters" : "query-blockstats")
    }
}

extension LUN {
    /// Number of its request queues, kept to what virtio allows: it comes from outside, and sums
    /// are made of it.
    var queueCount: Int? { queues.map { min(max($0, 0), 65_535) } }

    /// Whether offsets in the LUN are offsets in what lies below, so that requests go down as they
    /// came; `nil` where the format is not known. Filters such as a throttle do not count.
    var isRaw: Bool? {
        let driver = graph.first { !Self.filters.contains($0.driver) }?.driver ?? format
        return driver.map { !Self.imageFormats.contains($0) }
    }

    private static let filters: Set = [
        "throttle", "mirror_top", "commit_top", "copy-before-write", "copy-on-read", "preallocate",
        "blkdebug", "backup-top",
    ]
    private static let imageFormats: Set = [
        "qcow2", "qcow", "qed", "vmdk", "vdi", "vhdx", "vpc", "parallels", "luks", "bochs", "cloop",
        "dmg",
    ]
}

extension LUN {
    /// Its option on QEMU's command line, for more of its properties to follow.
    var virtioDevice: String {
        let isKnown = device.hasPrefix("virtio-blk-") || device.hasPrefix("vhost-user-blk-")
        let model = isKnown ? device.inCommand(else: "virtio-blk-pci") : "virtio-blk-pci"
        let backend = device.hasPrefix("vhost-") ? "chardev=CHARDEV" : "drive=\(drive)"
        return "-device \(model),\(backend)"
    }
}

extension ThreadActivity {
    /// The id of the IOThread for a command, and the number that libvirt gives it.
    var commandID: String { ioThreadID.inCommand(else: "IOTHREAD") }
    var libvirtNumber: String {
        let digits = ioThreadID.hasPrefix("iothread") ? ioThreadID.dropFirst(8) : ""
        return digits.isEmpty || !digits.allSatisfy(\.isNumber) ? "1" : String(digits)
    }
}

extension String {
    /// The name itself if shells, XML and JSON all take it for one plain word, else `placeholder`:
    /// names come from outside.
    func inCommand(else placeholder: String) -> String {
        let isPlain =
            !isEmpty && first != "-"
            && utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            }
        return isPlain ? self : placeholder
    }
}
