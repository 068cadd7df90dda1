import Telemetry

extension QEMUCommandLine {
    /// The disks the VM was started with, as far as the command line says what they are: for a VM
    /// whose QMP does not answer.
    var luns: [LUN] {
        devices.compactMap(lun) + drives.compactMap(implicitLUN)
    }

    /// Device models that are disks, by the start of their name.
    private static let models = [
        "virtio-blk", "vhost-user-blk", "vhost-vdpa-blk", "scsi-hd", "scsi-block", "ide-hd", "nvme",
        "usb-storage", "sd-card",
    ]

    /// Whether `model` (QEMU's name of a device) is a disk.
    static func isDisk(_ model: String) -> Bool {
        models.contains { model == $0 || model.hasPrefix($0 + "-") || model.hasPrefix($0 + ",") }
    }

    func lun(_ device: OptionText) -> LUN? {
        guard let model = device["driver"], Self.isDisk(model) else { return nil }
        let drive = device["drive"]
        // A controller of NVMe namespaces has no drive of its own.
        if drive == nil && (model == "nvme" || model == "nvme-subsys") { return nil }
        guard let id = device["id"] ?? drive ?? device["chardev"] else { return nil }
        var lun = LUN(id: clean(id), device: clean(model))
        describe(&lun, device: device)
        lun.isOnMainLoop = lun.ioThread == nil
        if let drive { describe(&lun, drive: drive) }
        return lun
    }

    /// `-drive if=virtio` makes a device of its own; without `if` it is the machine's default,
    /// which only QMP knows.
    func implicitLUN(_ drive: OptionText) -> LUN? {
        let bus = drive["if"]
        guard bus != "none", bus != "pflash", bus != "floppy", bus != "sd",
            drive["media"] != "cdrom"
        else { return nil }
        guard let file = drive["file"] ?? drive["filename"] else { return nil }
        var lun = LUN(
            id: clean(drive["id"] ?? file),
            device: bus == "virtio" ? "virtio-blk-pci" : bus.map(clean) ?? "default bus")
        describe(&lun, image: drive)
        return lun
    }

    /// What `-device` says of the device that is called `id`, or that has this drive.
    func device(id: String, drives: [String]) -> OptionText? {
        devices.last { $0["id"] == id }
            ?? devices.last { device in device["drive"].map(drives.contains) ?? false }
    }

    /// Fills queues and IOThread of `lun` as far as `device` says them.
    func describe(_ lun: inout LUN, device: OptionText) {
        lun.queues = lun.queues ?? device["num-queues"].flatMap { Int($0) }
        lun.queueSize = lun.queueSize ?? device["queue-size"].flatMap { Int($0) }
        let server = adapter(of: device) ?? device
        lun.ioThread = lun.ioThread ?? server["iothread"].map(clean) ?? server.mappedIOThreads
    }

    /// The adapter that serves a SCSI disk, and has its IOThread: the one of its bus, `scsi0.0`, or
    /// the first. `nil` for other disks.
    func adapter(of device: OptionText) -> OptionText? {
        guard device["driver"]?.hasPrefix("scsi-") == true else { return nil }
        guard let bus = device["bus"] else {
            return devices.first { $0["driver"]?.hasPrefix("virtio-scsi") == true }
        }
        guard let end = bus.lastIndex(of: ".") else { return nil }
        return devices.last { $0["id"].map { $0 == bus[..<end] } ?? false }
    }

    private func describe(_ lun: inout LUN, drive: String) {
        if let options = drives.last(where: { $0["id"] == drive }) {
            describe(&lun, image: options)
        } else if let node = node(called: drive) {
            lun.node = clean(drive)
            lun.format = node["driver"].map(clean)
            let leaf = leaf(of: node)
            lun.file = leaf["filename"].map(clean)
            lun.aio = aio(ofNode: leaf)
        }
    }

    private func describe(_ lun: inout LUN, image: OptionText) {
        lun.file = (image["file"] ?? image["file.filename"]).map(clean)
        lun.format = image["format"].map(clean)
        lun.cache = image["cache"].map(clean)
        lun.aio = image["aio"].map(clean) ?? image["file.aio"].map(clean) ?? "threads"
    }

    func node(called name: String) -> OptionText? {
        blockNodes.last { $0["node-name"] == name }
    }

    /// Follows `file=` down to the node that has none. The list is short; a loop in it ends with
    /// the number of nodes.
    private func leaf(of node: OptionText) -> OptionText {
        var node = node
        for _ in blockNodes {
            guard let below = node["file"].flatMap(self.node) else { break }
            node = below
        }
        return node
    }

    /// The I/O model of a disk, which QMP never says: from the `-drive` called `drive`, or from the
    /// lowest of `nodes` that the command line knows. `nil` for a disk that came later.
    func aio(drive: String?, nodes: [String]) -> String? {
        if let drive, let options = drives.last(where: { $0["id"] == drive }) {
            return options["aio"].map(clean) ?? options["file.aio"].map(clean) ?? "threads"
        }
        return nodes.lazy.reversed().compactMap(node).compactMap(aio(ofNode:)).first
    }

    /// `nil` for drivers without the choice. QEMU's own default is `threads`.
    private func aio(ofNode node: OptionText) -> String? {
        let driver = node["driver"] ?? ""
        if let aio = node["aio"] ?? node["file.aio"] { return clean(aio) }
        if ["file", "host_device"].contains(driver) { return "threads" }
        return ["file", "host_device"].contains(node["file.driver"] ?? "") ? "threads" : nil
    }
}

extension OptionText {
    /// IOThreads of an `iothread-vq-mapping`, each once, commas between.
    fileprivate var mappedIOThreads: String? {
        var names: [String] = []
        for (key, value) in values
        where key.hasPrefix("iothread-vq-mapping.") && key.hasSuffix(".iothread") {
            if !names.contains(value) { names.append(value) }
        }
        return names.isEmpty ? nil : clean(names.joined(separator: ","))
    }
}
