import Telemetry

extension Rule {
    static let ringFeaturesOff = Rule(
        "ring-features-off", "features that save notifications or entries are off or not taken",
        about: .lun, [.info, .advice], .setting, tier: .b,
        evidence: "event_idx, indirect_desc, packed and request-merging of the device (qom-get); "
            + "host and guest features (x-query-virtio-status)",
        condition: "event_idx or indirect_desc off: advice, info where the LUN is not busy. Either "
            + "of them or packed offered and not taken, request-merging off with requests below "
            + "16 KiB, or packed off on a hot LUN: info.",
        guards: "vhost LUNs. The first 60 s after a reset, in which the firmware's driver may be "
            + "at work. Whether requests are sequential, so that merging would help, cannot be "
            + "seen. Other features are not taken by most drivers, and rightly so.",
        effect: "Without event_idx each batch is notified entry by entry, on both sides. Without "
            + "indirect descriptors Linux uses half of the ring [Linux commit fc4324b4], and BSD "
            + "drivers ran out of entries at 12 to 16 large requests.",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,event_idx=on,indirect_desc=on",
            libvirt: "<driver event_idx='on'/>; not taken: a newer driver in the guest",
            verify: "the LUN's details list EVENT_IDX and INDIRECT_DESC")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        var off: [String] = []
        if try !patient.flag(.eventIndex) { off.append("event_idx=off") }
        if try !patient.flag(.indirectDescriptors) { off.append("indirect_desc=off") }
        var notes: [String] = []
        let refused = refusedFeatures(lun, &patient)
        if !refused.isEmpty {
            notes.append("offered and not taken by the guest's driver: \(list(refused))")
        }
        let load = patient.load
        if patient.knownFlag(.requestMerging) == false, load.isBusy,
            let mean = lun.rates.meanRequestBytes, mean < 16_384
        {
            notes.append("request-merging=off with requests of \(bytes(mean)) (limit 16 KiB)")
        }
        if load.isHot, patient.knownFlag(.packed) == false { notes.append("packed=off") }
        guard !off.isEmpty || !notes.isEmpty else { return .healthy }
        let severity = off.isEmpty ? Finding.Severity.info : load.tempered(.advice)
        let mended = off.map { $0.replacing("=off", with: "=on") }
        return .flag(
            severity, (off + notes).joined(separator: "; "),
            remedy: mended.isEmpty
                ? nil
                : Remedy(qemu: lun.virtioDevice + "," + mended.joined(separator: ",")))
    }

    /// What the device offers and the driver would gain from, but did not take.
    private static func refusedFeatures(_ lun: LUN, _ patient: inout Patient) -> [String] {
        guard !lun.features.isEmpty, !patient.wasJustReset,
            let offered = patient.knownTexts(.hostFeatures)
        else { return [] }
        let names = [
            "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC", "VIRTIO_F_RING_PACKED",
        ]
        return names.filter { offered.contains($0) && !lun.features.contains($0) }
    }

    static let ioeventfdOff = Rule(
        "ioeventfd-off", "kicks are handled in the vCPU, under the Big QEMU Lock", about: .lun,
        [.info, .advice, .warning], .setting, tier: .a,
        evidence: "ioeventfd of the device (qom-get)",
        condition: "ioeventfd=off: warning, advice where the LUN is not busy, info without KVM.",
        guards: "Without KVM no kick leaves the process anyway.",
        effect: "The vCPU that kicks submits the requests itself, holds the lock meanwhile and "
            + "runs no guest code. It also rules out an IOThread (\"ioeventfd is required for "
            + "iothread\") [measured with QEMU 7.2].",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,ioeventfd=on",
            libvirt: "<driver ioeventfd='on'/>",
            verify: "qom-get ioeventfd says true; the vCPUs' lock waits fall"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock else { return .notApplicable }
        if try patient.flag(.ioeventfd) { return .healthy }
        let isKVM = try patient.isKVM()
        return .flag(
            isKVM ? patient.load.tempered(.warning) : .info,
            isKVM ? "ioeventfd=off" : "ioeventfd=off, without KVM",
            remedy: Remedy(qemu: lun.virtioDevice + ",ioeventfd=on"))
    }

    static let vectorsMissing = Rule(
        "msix-missing", "too few interrupt vectors for the queues, or none", about: .lun,
        [.advice, .warning], .setting, tier: .a,
        evidence: "vectors and num-queues of the device (qom-get)",
        condition: "vectors=0, or fewer than one for each queue and one more: warning, advice "
            + "where the LUN is not busy.",
        guards: "Devices that are not on PCI. Machine types up to 5.1 have 2 for one queue, which "
            + "is enough.",
        effect: "With vectors=0 the guest is interrupted by a level-triggered line (\"IO-APIC "
            + "22-fasteoi virtio1\" [measured with QEMU 7.2]) that others share and whose end it "
            + "has to tell by an exit. With too few, queues share one and its vCPU.",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,vectors=5 for 4 queues, or no vectors=",
            libvirt: "no vectors= in <qemu:commandline>: libvirt sets none",
            verify: "grep virtio /proc/interrupts in the guest: virtioN-req.M for each queue")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock, !lun.isOffPCI else { return .notApplicable }
        let queues = try patient.need(lun.queueCount, "queues")
        let vectors = try patient.number(.vectors)
        guard vectors < Double(queues + 1) else { return .healthy }
        let text =
            "vectors=\(figures(vectors)), \(queues + 1) wanted for \(queues) "
            + (queues == 1 ? "queue" : "queues")
        return .flag(
            patient.load.tempered(.warning), text,
            remedy: Remedy(qemu: lun.virtioDevice + ",vectors=\(queues + 1), or no vectors="))
    }

    static let legacyTransport = Rule(
        "virtio-legacy-transport", "the legacy protocol of virtio 0.9 is spoken", about: .lun,
        [.info, .advice], .setting, tier: .b,
        evidence: "guest features (x-query-virtio-status), disable-modern of the device (qom-get)",
        condition: "The driver did not take VIRTIO_F_VERSION_1, or disable-modern=on: advice, info "
            + "where the LUN is not busy.",
        guards: "Guests with a kernel before 3.10, which know no other. The first 60 s after a "
            + "reset, in which the firmware's driver may be at work.",
        effect:
            "Kicks are port writes, the ring lies in guest endianness, and neither packed rings "
            + "nor a reset of single queues are to be had. Machine types up to 2.6 begin so. "
            + "[measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "-device virtio-blk-pci,drive=DRIVE,disable-legacy=on,disable-modern=off, or a "
                + "machine type of today",
            libvirt: "model='virtio-non-transitional' in the disk",
            verify: "the LUN's details list VERSION_1")
    ) { patient throws(NotChecked) in
        let lun = try patient.lun()
        guard lun.isVirtioBlock, !lun.isOffPCI else { return .notApplicable }
        if let kernel = patient.guestLinux, kernel < Release(3, 10) { return .notApplicable }
        let text: String
        if patient.knownFlag(.disableModern) == true {
            text = "disable-modern=on"
        } else {
            guard !lun.features.isEmpty, !patient.wasJustReset else {
                throw NotChecked(
                    reason: "features: the guest's driver has not told which it takes, or only "
                        + "the firmware's has")
            }
            guard !lun.features.contains("VIRTIO_F_VERSION_1") else { return .healthy }
            patient.cite("x-query-virtio-status guest-features")
            text = "the guest's driver did not take VIRTIO_F_VERSION_1"
        }
        let machine = patient.knownText(.machineType, of: .vm).map { ", machine type \($0)" } ?? ""

        return .flag(
            patient.load.tempered(.advice), text + machine,
            remedy: Remedy(
                qemu: lun.virtioDevice
                    + ",disable-legacy=on,disable-modern=off, or a machine type of today"))
    }
}

extension LUN {
    /// Whether the device is one of virtio's other transports: channel I/O or MMIO.
    var isOffPCI: Bool { device.hasSuffix("-ccw") || device == "virtio-blk-device" }
}

extension Patient {
    /// Whether its VM was reset within the last minute: the firmware's driver may be at work.
    var wasJustReset: Bool {
        let fact = sample.facts[.sinceReset, Subject(vm: subject.vm, .vm)]
        guard case .number(let seconds)? = fact?.value else { return false }
        return seconds < 60
    }
}
