import Libraries

extension DomainTranslation {
    /// Whether the machine's own bus is PCI Express.
    var isExpress: Bool {
        machine == "q35" || machine.hasPrefix("pc-q35-") || machine.hasPrefix("virt")
    }
    private var isS390: Bool { machine.hasPrefix("s390") }

    /// What a PCI address says of the place of a device.
    func placePairs(_ element: XMLElement) -> [(key: String, value: String?)] {
        guard !isS390 else { return [] }
        guard let address = element.all("address").first(where: { $0.attribute("type") == "pci" })
        else {
            // Where there is no address libvirt takes the next slot of this bus, or a new port.
            return [("bus", isExpress ? nil : "pci.0")]
        }
        func number(_ name: String) -> Int? {
            guard let text = address.attribute(name) else { return nil }
            return text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
        }
        let bus = number("bus") ?? 0
        let place = (number("slot") ?? 0, number("function") ?? 0)
        let digits = String(place.0, radix: 16) + "." + String(place.1, radix: 16)
        return [
            ("bus", bus == 0 && isExpress ? "pcie.0" : "pci.\(bus)"), ("addr", digits),
            ("multifunction", address.toggle("multifunction")),
        ]
    }

    /// The model of a virtio device: on PCI, on channels, or in one of its two halves.
    func virtioModel(_ name: String, _ element: XMLElement) -> String {
        switch element.attribute("model") {
        case "virtio-transitional": name + "-pci-transitional"
        case "virtio-non-transitional": name + "-pci-non-transitional"
        default: name + (isS390 ? "-ccw" : "-pci")
        }
    }

    mutating func translate(_ controller: XMLElement) {
        let index = controller.attribute("index") ?? "0"
        switch controller.attribute("type") {
        case "pci": translatePort(controller, index)
        case "scsi": translateSCSI(controller, index)
        case "sata" where !(isExpress && index == "0"):
            add("-device", [("driver", "ich9-ahci"), ("id", "sata" + index)])
        default: break
        }
    }

    private mutating func translatePort(_ controller: XMLElement, _ index: String) {
        let models = [
            "pcie-root-port": "pcie-root-port", "pci-bridge": "pci-bridge",
            "pcie-to-pci-bridge": "pcie-pci-bridge", "dmi-to-pci-bridge": "i82801b11-bridge",
            "pcie-switch-downstream-port": "xio3130-downstream",
        ]
        guard let model = controller.attribute("model").flatMap({ models[$0] }) else { return }
        let hotplug = controller["target"]?.toggle("hotplug")
        add("-device", [("driver", model), ("id", "pci." + index), ("hotplug", hotplug)])
    }

    private mutating func translateSCSI(_ controller: XMLElement, _ index: String) {
        let id = controller["alias"]?.attribute("name") ?? "scsi" + index
        let driver = controller["driver"]
        let model = controller.attribute("model") ?? ""
        guard model.hasPrefix("virtio-") || (model.isEmpty && !hasSCSIOnBoard) else {
            add("-device", [("driver", adapter(model)), ("id", id)])
            return
        }
        let pairs = [
            ("driver", virtioModel("virtio-scsi", controller)), ("id", id),
            ("num_queues", driver?.attribute("queues")),
            ("ioeventfd", driver?.toggle("ioeventfd")),
        ]
        add("-device", pairs + ioThreadPairs(driver))
        note("num_queues", of: id, at: "controller scsi \(index) driver@queues")
    }

    /// Whether libvirt takes another adapter than virtio's where none is named.
    private var hasSCSIOnBoard: Bool { machine.hasPrefix("pc") || machine == "q35" }

    private func adapter(_ model: String) -> String {
        let models = [
            "lsilogic": "lsi", "lsisas1068": "mptsas1068", "lsisas1078": "megasas",
            "vmpvscsi": "pvscsi", "ibmvscsi": "spapr-vscsi", "ncr53c90": "esp",
        ]
        return model.isEmpty || model == "auto" ? "lsi" : models[model] ?? model
    }

    /// Adds the adapter that libvirt adds by itself for a SCSI disk that has none.
    mutating func addSCSI(_ index: String) {
        let isThere = controllers.contains {
            $0.attribute("type") == "scsi"
                && ($0.attribute("index") ?? "0") == index
        }
        guard !isThere, addedAdapters.insert(index).inserted else { return }
        translateSCSI(XMLElement("controller"), index)
    }

    mutating func translateHostDevice(_ device: XMLElement) {
        guard device.attribute("type") == "pci" else { return }
        add("-device", [("driver", "vfio-pci"), ("id", device["alias"]?.attribute("name"))])
    }
}
