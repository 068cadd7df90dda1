import Telemetry

extension ConfiguredVM {
    private static let vm = Subject(.vm)

    /// What the first CPU will be; nothing for guests that are no x86.
    var cpuFacts: [Fact] {
        guard defaults.architecture == .x86 else { return [] }
        return [modelFact, longModeFact].compactMap { $0 } + featureFacts
    }

    private var model: String? {
        if let cpu = line.cpu { return cpu["model"] }
        if line.program.hasPrefix("qemu-system-x86_64") { return "qemu64" }
        return line.program.hasPrefix("qemu-system-i386") ? "qemu32" : nil
    }

    private var modelFact: Fact {
        guard let model else {
            return Fact(
                Self.vm, .cpuModel,
                missing: "no -cpu: the default of \(clean(line.program)) is not known",
                from: origins.source(ofFirst: "model", in: "-cpu"))
        }
        return Fact(
            Self.vm, .cpuModel, .text(clean(model)),
            from: line.cpu == nil
                ? "\(origins.document): no -cpu, QEMU's default"
                : origins.source(ofFirst: "model", in: "-cpu"))
    }

    private static let narrow: Set = [
        "qemu32", "kvm32", "486", "pentium", "pentium2", "pentium3", "athlon", "n270", "coreduo",
    ]

    private var longModeFact: Fact? {
        if let told = feature("lm") {
            return Fact(Self.vm, .cpuLongMode, .flag(told.isOn), from: told.source)
        }
        guard let model, Self.narrow.contains(model) else { return nil }
        return Fact(
            Self.vm, .cpuLongMode, false, from: origins.source(ofFirst: "model", in: "-cpu"))
    }

    /// Whether a feature is asked for or away, in any of QEMU's spellings; the last word counts.
    private func feature(_ name: String) -> (isOn: Bool, source: String)? {
        let spellings: Set = [name, name.replacing("-", with: "_")]
        for (key, value) in (line.cpu?.values ?? []).reversed() {
            let isSigned = key.hasPrefix("+") || key.hasPrefix("-")
            guard spellings.contains(isSigned ? String(key.dropFirst()) : key) else { continue }
            let isOn = isSigned ? key.hasPrefix("+") : value.isOn
            return (isOn, origins.source(key, in: "-cpu"))
        }
        return nil
    }

    /// A feature as asked for, else `value`; `nil`: not known, for `reason`.
    private func fact(
        _ name: FactName, _ property: String, else value: FactValue?, reason: String
    ) -> Fact {
        if let told = feature(property) {
            return Fact(Self.vm, name, .flag(told.isOn), from: told.source)
        }
        guard let value else {
            return Fact(Self.vm, name, missing: reason, from: origins.absence(of: property))
        }
        return Fact(Self.vm, name, value, from: defaults.source)
    }

    /// What KVM adds to every CPU model by itself came with machine types of 2013.
    private var featureFacts: [Fact] {
        let onByKVM: FactValue? =
            switch accelerator {
            case .kvm?:
                defaults.value([(.oldest, nil), (Release(2, 0), FactValue.flag(true))])
                    ?? nil
            case nil: nil
            default: false
            }
        // It needs the kernel's interrupt controller; TCG has learned it meanwhile.
        let x2APIC: FactValue? =
            accelerator != .kvm ? nil : line.irqChip == "off" ? false : onByKVM
        let isHost = model == "host" || model == "max" || model == nil
        let unsure = "what this machine type and its accelerator make of it is not known"
        let asHost = "it is as the host's CPU has it"
        let passesHyperV = feature("hv-passthrough")?.isOn == true
        return [
            fact(.cpuX2APIC, "x2apic", else: x2APIC, reason: unsure),
            fact(.cpuPVEOI, "kvm-pv-eoi", else: onByKVM, reason: unsure),
            fact(.cpuKVMClock, "kvmclock", else: onByKVM, reason: unsure),
            fact(.cpuInvariantTSC, "invtsc", else: isHost ? nil : false, reason: asHost),
            fact(.cpuHyperVTime, "hv-time", else: .flag(passesHyperV), reason: unsure),
            fact(.cpuHyperVAPIC, "hv-vapic", else: .flag(passesHyperV), reason: unsure),
        ]
    }
}
