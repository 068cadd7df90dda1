import QMP
import Telemetry

extension VMModel {
    private static let source = "command line"
    private static let unreadable = "the command line of QEMU's process cannot be read"

    /// What the command line says of the VM as a whole.
    var commandLineFacts: [Fact] {
        let subject = Subject(.vm)
        guard let commandLine else {
            let names: [FactName] = [.irqChip, .isLibvirt, .isSnapshot]
            return names.map {
                Fact(subject, $0, missing: Self.unreadable, from: Self.source)
            } + [domainFact].compactMap { $0 }
        }
        return [
            irqChipFact(commandLine),
            Fact(subject, .isLibvirt, .flag(commandLine.isLibvirt), from: Self.source),
            Fact(subject, .isSnapshot, .flag(commandLine.isSnapshot), from: Self.source),
        ] + [domainFact].compactMap { $0 }
    }

    private var domainFact: Fact? {
        if let name = commandLine?.name {
            return Fact(Subject(.vm), .domain, .text(clean(name)), from: Self.source + " -name")
        }
        return name.map { Fact(Subject(.vm), .domain, .text($0), from: "query-name") }
    }

    /// The kernel delivers interrupts unless told otherwise, and never without KVM.
    private func irqChipFact(_ commandLine: QEMUCommandLine) -> Fact {
        func missing(_ reason: String) -> Fact {
            Fact(Subject(.vm), .irqChip, missing: reason, from: Self.source)
        }
        guard let isKVM else { return missing("whether KVM is used is not known (query-kvm)") }
        guard isKVM else { return missing("without KVM all interrupts are QEMU's") }
        if let given = commandLine.irqChip {
            return Fact(
                Subject(.vm), .irqChip, .text(clean(given)), from: Self.source + " kernel-irqchip=")
        }
        return Fact(
            Subject(.vm), .irqChip, "on", from: Self.source + ": no kernel-irqchip=, the default")
    }

    /// What the command line says of `disk`, whose nodes are `chain`.
    func commandLineFacts(
        of disk: Disk, chain: [QMPBlockNode], image: QMPImage?
    ) -> [Fact] {
        let subject = Subject(.lun(disk.lun.id))
        let names: [FactName] = [
            .cacheIsGiven, .aioIsGiven, .cacheGiven, .xDataPlane, .discardOption,
        ]
        guard let options = diskOptions(of: disk, chain: chain) else {
            let reason =
                commandLine == nil
                ? Self.unreadable
                : "the command line has no such drive or node: plugged later, or named by QEMU"
            return names.map {
                Fact(subject, $0, missing: reason, from: Self.source)
            } + [l2CacheFact(of: disk, nil, image, reason)].compactMap { $0 }
        }
        return options.facts(subject) {
            Self.source + ($0.map { " \($0)=" } ?? "")
        } + [l2CacheFact(of: disk, options, image, "")].compactMap { $0 }
    }

    /// `nil` for what is no qcow2 image.
    private func l2CacheFact(
        of disk: Disk, _ options: DiskOptions?, _ image: QMPImage?, _ reason: String
    ) -> Fact? {
        guard disk.lun.format == "qcow2" else { return nil }
        let subject = Subject(.lun(disk.lun.id))
        guard let options else {
            return Fact(subject, .l2Cache, missing: reason, from: Self.source)
        }
        guard let major = version?.major, let minor = version?.minor,
            let size = image?.virtualSize, let cluster = image?.clusterSize,
            let cache = QCOW2Cache(
                virtualSize: size, cluster: cluster, hasExtendedL2: image?.hasExtendedL2 ?? false)
        else {
            return Fact(
                subject, .l2Cache, missing: "QEMU does not say how large the image is",
                from: Self.source)
        }
        let isGiven = options.l2Cache != nil || options.tableCache != nil
        return Fact(
            subject, .l2Cache, .count(cache.size(options, version: (major, minor))),
            from: Self.source
                + (isGiven ? " l2-cache-size=, cache-size=" : ": no cache sizes, QEMU's default"))
    }

    /// What the command line says of `disk`; `nil` if it says nothing.
    func diskOptions(of disk: Disk, chain: [QMPBlockNode]) -> DiskOptions? {
        let drive = disk.block.device.flatMap { $0.isEmpty ? nil : $0 }
        return commandLine?.options(
            id: disk.qdevID, drive: drive, nodes: chain.compactMap(\.nodeName))
    }
}

extension DiskOptions {
    /// What is asked for, said or not; `source` says where the option that it is given stands,
    /// without one where options of the disk do.
    func facts(_ subject: Subject, source: (String?) -> String) -> [Fact] {
        let discard = discard
        let asked =
            cache.map { Fact(subject, .cacheGiven, .text(clean($0)), from: source(nil)) }
            ?? Fact(subject, .cacheGiven, missing: "no cache mode is given", from: source(nil))
        return [
            Fact(subject, .cacheIsGiven, .flag(cacheIsGiven), from: source(nil)), asked,
            Fact(subject, .aioIsGiven, .flag(aioIsGiven), from: source(nil)),
            Fact(subject, .xDataPlane, .flag(hasXDataPlane), from: source(nil)),
            Fact(
                subject, .discardOption, .text(discard.word),
                from: discard.isGiven
                    ? source("discard") : source(nil) + ": no discard=, the default"),
        ]
    }
}
