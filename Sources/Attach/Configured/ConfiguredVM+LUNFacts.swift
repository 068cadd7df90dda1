import QMP
import Telemetry

extension ConfiguredVM {
    /// All that the configuration says of `disk`.
    func facts(of disk: ConfiguredDisk) -> [Fact] {
        let settings = settings(of: disk)
        var facts: [Fact] = []
        if disk.isVirtioBlock {
            facts += ConfiguredProperty.virtioBlock.map(settings.fact) + [wceFact(settings)]
            if disk.isPCI { facts += pciFacts(of: disk, settings) }
        } else if disk.lun.device.hasPrefix("nvme") {
            if settings.given("ioeventfd") != nil {
                facts.append(settings.fact(.ioeventfd, "ioeventfd", .flag, else: nil))
            }
        } else if !disk.isVhostUser {
            facts += ConfiguredProperty.otherDisk.map(settings.fact)
        }
        if disk.isVirtioBlock || disk.isVhostUser { facts.append(mappingFact(of: disk)) }
        facts += sizeFacts(settings) + adapterFacts(of: disk)
        return facts + mediumFacts(of: disk)
    }

    private func settings(of disk: ConfiguredDisk) -> DeviceSettings {
        let model = disk.lun.device
        var models = [disk.device?["driver"] ?? model, model]
        if disk.isVirtioBlock { models += ["virtio-blk-device", "virtio-pci"] }
        return DeviceSettings(
            subject: Subject(.lun(disk.lun.id)), id: disk.lun.id,
            options: disk.device ?? OptionText([]), models: models, globals: line.globals,
            defaults: defaults, origins: origins)
    }

    /// The QEMU of RHEL 6 has no such property, though it has data planes.
    private func wceFact(_ settings: DeviceSettings) -> Fact {
        let isRHEL6 = defaults.type?.hasPrefix("rhel6.") ?? false
        return settings.fact(
            .configWCE, "config-wce", .flag, else: isRHEL6 ? nil : true,
            reason: "RHEL 6 before 6.4 has no config-wce")
    }

    /// Other models of virtio-blk than the usual one speak one protocol only.
    private func pciFacts(of disk: ConfiguredDisk, _ settings: DeviceSettings) -> [Fact] {
        var facts = ConfiguredProperty.virtioPCI.map(settings.fact)
        if disk.lun.device.hasSuffix("transitional") {
            let isModern = disk.lun.device.hasSuffix("non-transitional")
            let source = "device model " + disk.lun.device
            facts.removeAll { $0.name == .disableModern || $0.name == .disableLegacy }
            facts += [
                Fact(settings.subject, .disableModern, false, from: source),
                Fact(settings.subject, .disableLegacy, isModern ? "on" : "off", from: source),
            ]
        }
        let isOld = defaults.value([(.oldest, true), (Release(5, 2), false)]) ?? true
        let isGiven = settings.given("num-queues") != nil
        let vectors =
            isOld && isGiven ? nil : disk.lun.queues.map { FactValue.number(Double($0) + 1) }
        facts.append(
            settings.fact(
                .vectors, "vectors", .number, else: vectors,
                reason: isGiven ? "with several queues it depends on QEMU's version" : nil))
        return facts + [hotplugFact(of: disk, settings)]
    }

    private func hotplugFact(of disk: ConfiguredDisk, _ settings: DeviceSettings) -> Fact {
        let device = disk.device ?? OptionText([])
        let source =
            device["bus"] == nil
            ? "\(origins.document): no bus=, the machine's own"
            : origins.source("bus", of: disk.lun.id, in: settings.kind)
        let isPlaced = device["bus"] != nil || !isDomain
        guard isPlaced, let value = defaults.isHotpluggable(device, among: line.devices) else {
            return Fact(
                settings.subject, .hotpluggable, missing: "its place on the bus is not settled",
                from: source)
        }
        return Fact(settings.subject, .hotpluggable, .flag(value), from: source)
    }

    /// Only on s390 the host's device has a say in them.
    private func sizeFacts(_ settings: DeviceSettings) -> [Fact] {
        ConfiguredProperty.blockSizes.map { size in
            let value = defaults.architecture == .s390 ? nil : defaults.value(size.defaults)
            return settings.fact(
                size.name, size.property, size.kind, else: value, reason: "a DASD tells its own")
        }
    }

    private func mappingFact(of disk: ConfiguredDisk) -> Fact {
        let subject = Subject(.lun(disk.lun.id))
        let option = "iothread-vq-mapping"
        let pairs = disk.device?.values.filter {
            $0.key.hasPrefix(option + ".") && $0.key.hasSuffix(".iothread")
        }
        let names = Set((pairs ?? []).map(\.value))
        return Fact(
            subject, .mappedThreads, .count(names.count),
            from: names.isEmpty
                ? origins.absence(of: option)
                : origins.source(option, of: disk.lun.id, in: "-device"))
    }

    private func adapterFacts(of disk: ConfiguredDisk) -> [Fact] {
        let subject = Subject(.lun(disk.lun.id))
        let model = disk.lun.device
        guard model.hasPrefix("scsi-") || model.hasPrefix("ide-") else { return [] }
        let source = origins.source("bus", of: disk.lun.id, in: "-device")
        guard let adapter = disk.device.flatMap(line.controller), let driver = adapter["driver"]
        else {
            guard let onBoard = defaults.onBoardAdapter(of: model) else {
                return [
                    Fact(
                        subject, .adapter, missing: "no adapter for its bus is given", from: source)
                ]
            }
            return [Fact(subject, .adapter, .text(onBoard), from: defaults.source)]
        }
        let name = driver == "virtio-scsi" ? "virtio-scsi-pci" : clean(driver)
        var facts = [Fact(subject, .adapter, .text(name), from: source)]
        guard let id = adapter["id"] else { return facts }
        facts.append(Fact(subject, .adapterID, .text(clean(id)), from: source))
        guard name.hasPrefix("virtio-scsi") else { return facts }
        let settings = DeviceSettings(
            subject: subject, id: clean(id), options: adapter, models: [driver],
            globals: line.globals, defaults: defaults, origins: origins)
        let queues = line.configuredVCPUs.map { FactValue.count($0) }
        facts.append(
            settings.fact(
                .adapterQueues, "num_queues", .number,
                else: defaults.value([(.oldest, 1), (Release(5, 2), queues)]) ?? nil))
        return facts
    }
}

extension QEMUCommandLine {
    /// The adapter whose bus `device` names, `sata0.1` of `sata0`; without a name a SCSI disk hangs
    /// on the first of its kind.
    fileprivate func controller(of device: OptionText) -> OptionText? {
        guard let bus = device["bus"] else { return adapter(of: device) }
        guard let end = bus.lastIndex(of: ".") else { return nil }
        return devices.last { $0["id"].map { $0 == bus[..<end] } ?? false }
    }
}

extension MachineDefaults {
    /// What the machine has on board for disks of `model`; `nil` for nothing.
    fileprivate func onBoardAdapter(of model: String) -> String? {
        guard architecture == .x86, let type, model.hasPrefix("ide-") else { return nil }
        return type == "q35" || type.hasPrefix("pc-q35-") ? "ich9-ahci" : "piix3-ide"
    }
}
