import Telemetry

/// A disk as a configuration has it: its device, the medium below, and the adapter it hangs on.
struct ConfiguredDisk: Sendable {
    var lun: LUN
    /// Its `-device`, the `-drive` alone where that makes one by itself.
    let device: OptionText?
    /// What is said of it; without a medium of a disk that others serve, or that has none such.
    let options: DiskOptions
    /// Whether a medium is named that nothing else is said of.
    var lacksMedium = false

    /// The medium's options, the root's first.
    var media: [OptionText] { options.drive.map { [$0] } ?? options.nodes }

    var isVirtioBlock: Bool { lun.device.hasPrefix("virtio-blk") }
    var isVhostUser: Bool { lun.device.hasPrefix("vhost-user-blk") }
    /// Whether it is a function of the guest's PCI bus.
    var isPCI: Bool { lun.device.contains("-pci") }
}

extension QEMUCommandLine {
    /// The disks this command line makes, in its order, on a machine of `defaults`.
    func configuredDisks(_ defaults: MachineDefaults) -> [ConfiguredDisk] {
        var disks = devices.compactMap { device in
            lun(device).map { configured($0, device: device, defaults) }
        }
        disks += drives.compactMap { drive in
            implicitLUN(drive).map { lun in
                var disk = ConfiguredDisk(
                    lun: lun, device: nil, options: DiskOptions(device: nil, drive: drive))
                disk.lun.device = defaults.implicitModel(bus: drive["if"])
                return disk.described(defaults, vcpus: configuredVCPUs)
            }
        }
        var seen: [String: Int] = [:]
        for index in disks.indices {
            let name = disks[index].lun.id
            let count = seen[name, default: 0] + 1
            seen[name] = count
            if count > 1 { disks[index].lun.id = "\(name)#\(count)" }
        }
        return disks
    }

    /// As many as it says, one where it says nothing; `nil` where it says no number.
    var configuredVCPUs: Int? { saysVCPUs ? vcpus : 1 }

    private func configured(
        _ lun: LUN, device: OptionText, _ defaults: MachineDefaults
    ) -> ConfiguredDisk {
        var options = DiskOptions(device: device)
        let medium = device["drive"]
        options.drive = medium.flatMap { name in drives.last { $0["id"] == name } }
        if options.drive == nil, let medium { options.nodes = chain(from: medium) }
        var disk = ConfiguredDisk(lun: lun, device: device, options: options)
        disk.lacksMedium = medium != nil && disk.media.isEmpty
        disk.lun.device = defaults.model(disk.lun.device)
        return disk.described(defaults, vcpus: configuredVCPUs)
    }

    /// The node called `name` and those below it.
    private func chain(from name: String) -> [OptionText] {
        var chain: [OptionText] = []
        var next: String? = name
        // As many steps as there are nodes: a loop is a mistake, and must not be ours.
        for _ in blockNodes {
            guard let name = next, let node = node(called: name) else { break }
            chain.append(node)
            next = node["file"]
        }
        return chain
    }
}

extension MachineDefaults {
    /// The model that `-drive` makes without a device, by its `if=`.
    fileprivate func implicitModel(bus: String?) -> String {
        switch (bus, architecture) {
        case ("virtio", .s390), (nil, .s390): "virtio-blk-ccw"
        case ("virtio", _): "virtio-blk-pci"
        case ("ide", _), (nil, .x86): "ide-hd"
        case ("scsi", _): "scsi-hd"
        case (let bus?, _): clean(bus)
        case (nil, _): type?.hasPrefix("virt") == true ? "virtio-blk-pci" : "default bus"
        }
    }

    /// The model behind the short name that is right on every machine.
    fileprivate func model(_ name: String) -> String {
        let isShort = ["virtio-blk", "virtio-scsi", "vhost-user-blk"].contains(name)
        guard isShort, architecture != .other || type != nil else { return name }
        return name + (architecture == .s390 ? "-ccw" : "-pci")
    }
}

extension ConfiguredDisk {
    /// The disk with what follows from its options and from QEMU's defaults.
    fileprivate func described(_ defaults: MachineDefaults, vcpus: Int?) -> ConfiguredDisk {
        var disk = self
        disk.describeQueues(defaults, vcpus: vcpus)
        if let address = device.flatMap({ defaults.address($0) }) {
            disk.lun.pciAddress = address
        }
        if options.hasXDataPlane || isVhostUser { disk.lun.isOnMainLoop = false }
        guard !media.isEmpty else { return disk }
        disk.lun.graph = graph
        disk.lun.format = graph.first { !BlockGraph.filters.contains($0.driver) }?.driver
        if options.drive == nil, let leaf = graph.last {
            if BlockGraph.isProtocol(leaf.driver) {
                disk.lun.file = leaf.file ?? clean(leaf.driver)
            }
        } else {
            disk.lun.format = options.drive?["format"].map(clean)
        }
        disk.lun.cache =
            options.ignoresFlushes
            ? "unsafe"
            : cacheWord(isWriteback: options.isWriteback, isDirect: options.opensDirectly)
        disk.lun.aio = asked("aio").last.map(clean) ?? (leafHasChoice ? "threads" : nil)
        return disk
    }

    /// Queues as many as vCPUs are the choice of virtio-blk on PCI alone.
    private mutating func describeQueues(_ defaults: MachineDefaults, vcpus: Int?) {
        guard isVirtioBlock || isVhostUser else { return }
        let isGiven = device?["num-queues"] != nil
        if !isGiven {
            let queues = isPCI ? vcpus : 1
            lun.queues = defaults.value([(.oldest, 1), (Release(5, 2), queues)]) ?? nil
        }
        if device?["queue-size"] == nil {
            lun.queueSize = defaults.value([
                (.oldest, 128), (Release(5, 0), isVhostUser ? 128 : 256),
            ])
        }
    }

    /// What is said of `key` in the medium, the root's words first.
    func asked(_ key: String) -> [String] { options.said(key) }

    private var leafHasChoice: Bool {
        let driver = graph.last?.driver ?? leafDriver
        return ["file", "host_device"].contains(driver)
    }

    // MARK: Its nodes

    /// The nodes as QEMU will make them, the root first; empty where QEMU finds out the format by
    /// itself.
    private var graph: [BlockNode] {
        let isDirect = options.opensDirectly
        if let drive = options.drive {
            guard let format = drive["format"] ?? drive["driver"] else { return [] }
            let root = BlockNode(name: "", driver: clean(format), isDirect: isDirect)
            let leaf = BlockNode(
                name: "", driver: leafDriver, file: lun.file, isDirect: isDirect)
            return [root, leaf]
        }
        return options.nodes.flatMap { node in
            Self.nodes(in: node, prefix: "", isDirect: isDirect)
        }
    }

    /// The node that `options` with `prefix` describe, and those nested below it.
    private static func nodes(
        in options: OptionText, prefix: String, isDirect: Bool
    ) -> [BlockNode] {
        guard let driver = options[prefix + "driver"] else { return [] }
        var node = BlockNode(
            name: clean(options[prefix + "node-name"] ?? ""), driver: clean(driver),
            isDirect: isDirect)
        node.file = place(in: options, prefix: prefix, driver: driver).map(clean)
        // Deeper than a JSON document may be nested no prefix matches.
        return [node] + nodes(in: options, prefix: prefix + "file.", isDirect: isDirect)
    }

    /// What a protocol's node opens, in a word or two.
    private static func place(in options: OptionText, prefix: String, driver: String) -> String? {
        if let file = options[prefix + "filename"] { return file }
        let names = ["pool", "volume", "export", "device", "portal", "target", "image", "path"]
        let parts = names.compactMap { options[prefix + $0] }
        guard !parts.isEmpty, options[prefix + "file"] == nil else { return nil }
        return driver + ":" + parts.joined(separator: "/")
    }

    /// Driver of what a `-drive` opens, by its name: QEMU takes a device for one.
    private var leafDriver: String {
        guard let drive = options.drive else { return "" }
        if let driver = drive["file.driver"] { return clean(driver) }
        let file = drive["file"] ?? drive["file.filename"] ?? ""
        if let colon = file.firstIndex(of: ":"), !file.hasPrefix("/"),
            file[..<colon].allSatisfy({ $0.isLetter || $0.isNumber || "+-_".contains($0) })
        {
            return clean(String(file[..<colon]))
        }
        return isDevicePath(file) ? "host_device" : "file"
    }
}

/// Whether `path` is that of a block device, as they are called everywhere.
func isDevicePath(_ path: String) -> Bool {
    path.hasPrefix("/dev/") && !path.hasPrefix("/dev/shm/") && !path.hasPrefix("/dev/fd/")
        && !path.hasPrefix("/dev/hugepages/")
}
