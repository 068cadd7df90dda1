import Telemetry

/// Where devices sit on the guest's PCI buses, as far as that is settled before it starts.
extension MachineDefaults {
    /// The bus that the machine itself has; `nil` where that is not known.
    private var rootBus: String? {
        guard let type else { return nil }
        if type == "q35" || type.hasPrefix("pc-q35-") || type.hasPrefix("virt") { return "pcie.0" }
        return architecture == .x86 || type.hasPrefix("pseries") ? "pci.0" : nil
    }

    /// The place of `device`, `0000:00:05.0`. Buses of bridges and ports get their numbers from the
    /// firmware: before that they have the name of their bus, `pci.1:05.0`. `nil` without an
    /// address, which QEMU will choose then.
    func address(_ device: OptionText) -> String? {
        guard let text = device["addr"] else { return nil }
        // Two hexadecimal numbers.
        let numbers = text.split(separator: ".", omittingEmptySubsequences: false).map { part in
            Int(part.hasPrefix("0x") ? part.dropFirst(2) : part, radix: 16)
        }
        guard (1...2).contains(numbers.count), let slot = numbers[0], (0..<32).contains(slot),
            let function = numbers.count > 1 ? numbers[1] : 0, (0..<8).contains(function)
        else { return nil }
        let bus = device["bus"] ?? rootBus ?? ""
        let isRoot = bus == rootBus || bus == "pci"
        let digits = String(slot, radix: 16)
        return (isRoot ? "0000:00" : clean(bus)) + ":" + (slot < 16 ? "0" : "") + digits
            + ".\(function)"
    }

    /// Whether `device` can be unplugged where it is; `nil` where that is not known. The buses of
    /// ports and bridges take and give devices, and so does the one of i440fx; PCI Express has no
    /// such root.
    func isHotpluggable(_ device: OptionText, among devices: [OptionText]) -> Bool? {
        let bus = device["bus"] ?? rootBus
        guard let bus, let rootBus else { return nil }
        if bus == rootBus || bus == "pci" { return rootBus != "pcie.0" }
        guard let bridge = devices.last(where: { $0["id"] == bus }), let model = bridge["driver"]
        else { return nil }
        let ports = ["pcie-root-port", "ioh3420", "xio3130-downstream", "pcie-switch-downstream"]
        guard ports.contains(model) || model.contains("bridge") else { return nil }
        return bridge["hotplug"]?.isOn ?? true
    }
}
