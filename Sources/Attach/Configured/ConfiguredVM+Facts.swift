import Telemetry

extension ConfiguredVM {
    private static let vm = Subject(.vm)

    /// All that the configuration says of the VM as a whole, and of its IOThreads.
    var machineFacts: [Fact] {
        [typeFact, deprecationFact] + startFacts + cpuFacts + memoryFacts + [
            ioThreadsFact, workerLimitFact, passThroughFact, queueMappingFact,
        ] + threadNameFacts + ioThreads.flatMap(facts)
    }

    // MARK: The machine

    private var typeFact: Fact {
        let source = origins.source(ofFirst: "type", in: "-machine")
        guard let type = defaults.type else {
            return Fact(Self.vm, .machineType, missing: defaults.reason, from: source)
        }
        return Fact(
            Self.vm, .machineType, .text(type),
            from: line.machine["type"] == nil ? "no -machine: QEMU's default" : source)
    }

    /// The newest type of its family is none that goes.
    private var deprecationFact: Fact {
        if case .current = defaults.basis {
            return Fact(
                Self.vm, .machineIsDeprecated, false,
                from: origins.source(ofFirst: "type", in: "-machine"))
        }
        return Fact(
            Self.vm, .machineIsDeprecated, missing: "QEMU has to be asked (query-machines)",
            from: "query-machines deprecated")
    }

    /// As for a VM that runs, from the same options.
    private var startFacts: [Fact] {
        var model = VMModel()
        model.commandLine = line
        model.isKVM = accelerator.map { $0 == .kvm }
        return model.commandLineFacts.map { fact in
            var fact = fact
            switch fact.name {
            case .irqChip: setChipSource(of: &fact)
            case .domain: fact.source = origins.source(ofFirst: "name", in: "-name")
            case .isLibvirt, .isSnapshot: fact.source = origins.document
            default: break
            }
            return fact
        }
    }

    private func setChipSource(of fact: inout Fact) {
        if line.irqChip != nil {
            fact.source = origins.source("kernel-irqchip", in: "-machine")
        } else if fact.value != nil, defaults.type == "pc-q35-4.0" {
            // The one release that had it so.
            fact.value = "split"
            fact.source = defaults.source
        } else {
            fact.source = origins.absence(of: "kernel-irqchip")
        }
    }

    /// Without its class code a device that is passed through may be anything.
    private var passThroughFact: Fact {
        let found = line.devices.filter { $0["driver"] == "vfio-pci" }
        let source = origins.document + " -device vfio-pci"
        guard found.isEmpty else {
            return Fact(
                Self.vm, .passThrough,
                missing: "whether what is passed through is storage only the host knows",
                from: source)
        }
        return Fact(Self.vm, .passThrough, .texts([]), from: origins.document)
    }

    // MARK: Its threads

    private var ioThreads: [OptionText] {
        line.objects.filter { $0["qom-type"] == "iothread" && $0["id"] != nil }
    }

    private var ioThreadsFact: Fact {
        let ids = ioThreads.compactMap { $0["id"].map(clean) }.sorted()
        return Fact(
            Self.vm, .ioThreads, .texts(ids),
            from: origins.source(ofFirst: "iothread", in: "-object iothread"))
    }

    private func facts(of thread: OptionText) -> [Fact] {
        let id = clean(thread["id"] ?? "")
        let settings = DeviceSettings(
            subject: Subject(.ioThread(id)), id: id, options: thread, kind: "-object",
            models: ["iothread"], globals: line.globals, defaults: defaults, origins: origins)
        return ConfiguredProperty.ioThread.map(settings.fact)
    }

    private var workerLimitFact: Fact {
        let loop = line.objects.last { $0["qom-type"] == "main-loop" } ?? OptionText([])
        let settings = DeviceSettings(
            subject: Self.vm, id: "main-loop", options: loop, kind: "-object",
            globals: line.globals, defaults: defaults, origins: origins)
        return settings.fact(
            ConfiguredProperty(.workerLimit, "thread-pool-max", .number, always: 64))
    }

    /// Which versions of QEMU know a versioned machine type is not told by it.
    private var queueMappingFact: Fact {
        let source = origins.document + " -device iothread-vq-mapping="
        let isUsed = line.devices.contains { device in
            device.values.contains { $0.key.hasPrefix("iothread-vq-mapping.") }
        }
        if isUsed { return Fact(Self.vm, .hasQueueMapping, true, from: source) }
        switch defaults.basis {
        case .current: return Fact(Self.vm, .hasQueueMapping, true, from: defaults.source)
        case .release(let release) where release >= Release(9, 0):
            return Fact(Self.vm, .hasQueueMapping, true, from: defaults.source)
        case .oldDataPlane:
            return Fact(Self.vm, .hasQueueMapping, false, from: defaults.source)
        case .release, .unknown:
            return Fact(
                Self.vm, .hasQueueMapping,
                missing: "QEMU 9.0 and later have it, and which one will start the VM is not known",
                from: source)
        }
    }

    private var threadNameFacts: [Fact] {
        guard let names = line.namesThreads else { return [] }
        return [
            Fact(
                Self.vm, .threadsAreAnonymous, .flag(!names),
                from: origins.source("debug-threads", in: "-name"))
        ]
    }
}
