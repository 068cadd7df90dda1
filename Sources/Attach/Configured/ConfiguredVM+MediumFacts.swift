import Telemetry

extension ConfiguredVM {
    /// What is said of the image or device below `disk`; of the image itself nothing is known
    /// before somebody opens it.
    func mediumFacts(of disk: ConfiguredDisk) -> [Fact] {
        let subject = Subject(.lun(disk.lun.id))
        guard !disk.media.isEmpty else {
            guard disk.lacksMedium else { return [] }
            let names: [FactName] = [
                .isReadOnly, .isDirect, .isWriteback, .ignoresFlushes, .cacheIsGiven, .aioIsGiven,
            ]
            let reason = "no -drive and no -blockdev is called as its drive= says"
            let source = origins.source("drive", of: disk.lun.id, in: "-device")
            return names.map { Fact(subject, $0, missing: reason, from: source) }
        }
        let options = disk.options
        func source(_ option: String) -> String { mediumSource(option, of: disk) }
        let zeroes = disk.asked("detect-zeroes")
        let word = zeroes.first { $0 != "off" } ?? "off"
        return [
            Fact(subject, .isReadOnly, .flag(disk.isReadOnly), from: source("read-only")),
            Fact(subject, .isDirect, .flag(options.opensDirectly), from: source("cache")),
            Fact(
                subject, .isWriteback, .flag(options.isWriteback),
                from: options.device?["write-cache"] == nil
                    ? source("cache")
                    : origins.source("write-cache", of: disk.lun.id, in: "-device")),
            Fact(subject, .ignoresFlushes, .flag(options.ignoresFlushes), from: source("cache")),
            Fact(subject, .detectZeroes, .text(clean(word)), from: source("detect-zeroes")),
            Fact(subject, .copiesOnRead, .flag(disk.copiesOnRead), from: source("copy-on-read")),
            placeFact(of: disk),
        ] + imageFacts(of: disk)
            + options.facts(subject) { option in
                option.map(source) ?? origins.place(of: disk.lun.id)
            }
    }

    /// Where `option` of the medium stands.
    private func mediumSource(_ option: String, of disk: ConfiguredDisk) -> String {
        let isGiven = [option, option + ".direct", option + ".no-flush", option + ".writeback"]
            .contains { !disk.asked($0).isEmpty }
        return isGiven || origins.isNoted(option, of: disk.lun.id)
            ? place(option, disk) : origins.absence(of: option)
    }

    private func place(_ option: String, _ disk: ConfiguredDisk) -> String {
        origins.source(
            option, of: disk.lun.id, in: disk.options.drive == nil ? "-blockdev" : "-drive",
            called: disk.mediumName)
    }

    /// Whether its data lie on a device: by the driver that is asked for, or by the path.
    private func placeFact(of disk: ConfiguredDisk) -> Fact {
        let subject = Subject(.lun(disk.lun.id))
        let driver = disk.lun.graph.last?.driver
        let path = disk.lun.file ?? ""
        let source = place("file", disk)
        switch driver {
        case "host_device"?: return Fact(subject, .isDevice, true, from: source)
        case "file"? where options(disk, haveDriver: "file"):
            return Fact(subject, .isDevice, false, from: source)
        case nil where isDevicePath(path): return Fact(subject, .isDevice, true, from: source)
        case "file"?, nil:
            return Fact(
                subject, .isDevice,
                missing: "whether that is a file or a device only the host knows", from: source)
        default: return Fact(subject, .isDevice, false, from: source)
        }
    }

    /// A `-blockdev` says what it opens, a `-drive` finds out.
    private func options(_ disk: ConfiguredDisk, haveDriver driver: String) -> Bool {
        disk.options.drive == nil || disk.options.drive?["file.driver"] == driver
    }

    private func imageFacts(of disk: ConfiguredDisk) -> [Fact] {
        let subject = Subject(.lun(disk.lun.id))
        guard let format = disk.lun.format else { return [] }
        let formatSource = place("format", disk)
        var facts = [encryptionFact(of: disk, formatSource)]
        if format == "raw" {
            return facts + [Fact(subject, .backingDepth, 0, from: formatSource)]
        }
        if format == "qcow2" { facts.append(l2CacheFact(of: disk)) }
        return facts
    }

    /// An image that is encrypted does not open without its secret.
    private func encryptionFact(of disk: ConfiguredDisk, _ source: String) -> Fact {
        let word =
            disk.asked("encrypt.format").last ?? (disk.lun.format == "luks" ? "luks" : "none")
        return Fact(Subject(.lun(disk.lun.id)), .encryption, .text(clean(word)), from: source)
    }

    /// How much QEMU takes by itself depends on the image's size.
    private func l2CacheFact(of disk: ConfiguredDisk) -> Fact {
        let subject = Subject(.lun(disk.lun.id))
        for (option, size) in [
            ("l2-cache-size", disk.options.l2Cache), ("cache-size", disk.options.tableCache),
        ] {
            guard let size else { continue }
            let source = place(option, disk)
            return Fact(subject, .l2Cache, .count(size), from: source)
        }
        return Fact(
            subject, .l2Cache, missing: "QEMU's own choice goes by the image's size",
            from: origins.absence(of: "l2-cache-size"))
    }
}

extension ConfiguredDisk {
    /// What its medium is called on the command line; `nil` for a drive without a name.
    fileprivate var mediumName: String? {
        (options.drive?["id"] ?? options.nodes.first?["node-name"]).map(clean)
    }

    fileprivate var isReadOnly: Bool {
        if let drive = options.drive {
            return (drive["readonly"] ?? drive["read-only"])?.isOn ?? false
        }
        return asked("read-only").first?.isOn ?? false
    }

    fileprivate var copiesOnRead: Bool {
        options.copiesOnRead || lun.graph.contains { $0.driver == "copy-on-read" }
    }
}
