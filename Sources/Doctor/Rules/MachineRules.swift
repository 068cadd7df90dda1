import Telemetry

extension Rule {
    /// The machine's type and version, and how its disks are plugged.
    static let machineRules: [Rule] = [oldMachineType, riskyVersion, passThrough, notHotpluggable]

    static let oldMachineType = Rule(
        "machine-type-old", "machine type freezes the virtio defaults of long ago", about: .vm,
        [.advice], .setting, tier: .a,
        evidence: "qom-get /machine type, query-machines deprecated, properties of the disks",
        condition: "Deprecated, or of version 5.1 and older; what it costs is told from what was "
            + "read of the disks.",
        guards: "Types that distributions named by themselves (pc-q35-rhel8.2.0) carry no version "
            + "of QEMU's: they are judged by deprecation only. In a fleet that must migrate to old "
            + "hosts the type is a contract: silence the rule.",
        effect: "A guest on a new QEMU keeps old disks. Seen with QEMU 7.2 and 4 vCPUs: up to 2.4 "
            + "scsi=on; up to 2.6 no virtio 1.0; up to 2.12 no discard; up to 4.2 queue-size 128, "
            + "126 segments a request, seg-max-adjust off; up to 5.1 one queue and two vectors, "
            + "and from 5.2 a queue for each vCPU. [measured with QEMU 7.2] QEMU deletes types "
            + "after six years.",
        remedy: Remedy(
            qemu: "-machine q35 (its newest version) from the next cold boot, or by hand: "
                + "-device virtio-blk-pci,…,num-queues=VCPUS,queue-size=256,seg-max-adjust=on",
            libvirt: "<type arch='x86_64' machine='q35'>hvm</type>, or by hand: "
                + "<driver queues='VCPUS' queue_size='256'/>",
            verify: "qom-get /machine type; the LUN's page says queues and ring size")
    ) { patient throws(NotChecked) in
        let type = try patient.text(.machineType)
        let release = release(ofMachine: type)
        let isOld = release.map { $0 <= Release(5, 1) } ?? false
        if !isOld {
            guard try patient.flag(.machineIsDeprecated) else {
                if release != nil || !type.contains("-") { return .healthy }
                throw NotChecked(reason: "\(type) carries no version of QEMU's")
            }
        }
        let isDeprecated = patient.knownFlag(.machineIsDeprecated) == true
        let why = [isOld ? "of version 5.1 or older" : nil, isDeprecated ? "deprecated" : nil]
        let costs = frozenDefaults(&patient)
        return .flag(
            .advice,
            "\(type) is \(why.compactMap { $0 }.joined(separator: " and "))"
                + (costs.isEmpty ? "" : "; its disks have " + costs.joined(separator: ", ")))
    }

    /// The version at the end of a machine type: 7.2 of `pc-q35-7.2`.
    private static func release(ofMachine type: String) -> Release? {
        type.split(separator: "-").last.flatMap { part in
            part.allSatisfy { $0.isNumber || $0 == "." } ? Release(String(part)) : nil
        }
    }

    /// What the disks have that new ones have not, with how many there are.
    private static func frozenDefaults(_ patient: inout Patient) -> [String] {
        var counts: [(what: String, count: Int)] = []
        func add(_ what: String, _ isSo: Bool) {
            guard isSo else { return }
            if let index = counts.firstIndex(where: { $0.what == what }) {
                counts[index].count += 1
            } else {
                counts.append((what, 1))
            }
        }
        let isSMP = (patient.machine?.vcpus ?? 1) > 1
        for lun in patient.luns where lun.device.hasPrefix("virtio-blk") {
            let scope = Scope.lun(lun.id)
            add("one queue", isSMP && lun.queues == 1)
            add("queue-size 128", lun.queueSize == 128)
            add("seg-max-adjust off", patient.knownFlag(.segMaxAdjust, of: scope) == false)
            add("2 vectors", isSMP && patient.knownNumber(.vectors, of: scope) == 2)
            add("no discard", patient.knownFlag(.discard, of: scope) == false)
            add("no virtio 1.0", patient.knownFlag(.disableModern, of: scope) == true)
            add("scsi=on", patient.knownFlag(.scsiPassthrough, of: scope) == true)
        }
        return counts.map { $0.count > 1 ? "\($0.what) (\($0.count) of them)" : $0.what }
    }

    static let riskyVersion = Rule(
        "qemu-version-risky", "QEMU of this version has a known fault in storage", about: .vm,
        [.advice], .setting, tier: .c,
        evidence: "query-version with its package, throttle limits of the LUNs",
        condition: "Before 2.3; 1.6.0; 9.1 to 10.0 with a LUN that is throttled.",
        guards: "Distributions mend such faults without a new version: their changelog has the "
            + "last word. Native AIO without O_DIRECT is the matter of aio-native-buffered.",
        effect: "Before 2.3 a missing memory barrier can hang a request for good; 1.6.0 drops "
            + "flushes unasked (cache.no-flush); in 9.1 to 10.0 throttled LUNs with several jobs "
            + "can stop completing. [QEMU's reports]",
        remedy: Remedy(
            qemu: "update QEMU and start the VM anew, or migrate it to a host with a newer one",
            verify: "query-version; the package's changelog (rpm -q --changelog qemu-kvm-core, "
                + "apt changelog qemu-system-x86)")
    ) { patient throws(NotChecked) in
        let version = try patient.version()
        patient.cite("query-version")
        let text = patient.machine?.version ?? ""
        let throttled = patient.luns.filter { $0.throttle != nil }.map(\.id)
        guard
            let fault = faults.first(where: {
                $0.versions.contains(version) && ($0.exactly == nil || $0.exactly == text)
                    && (!$0.needsThrottle || !throttled.isEmpty)
            })
        else { return .healthy }
        let package = patient.knownText(.qemuPackage).map { $0.isEmpty ? "" : " (\($0))" } ?? ""
        let whom = fault.needsThrottle ? "; throttled: \(list(throttled))" : ""
        return .flag(
            .advice,
            "QEMU \(text)\(package): \(fault.what)\(whom). Check the package's changelog")
    }

    /// A fault of certain versions.
    private struct Fault {
        let versions: ClosedRange<Release>
        /// Only in this one, written out.
        var exactly: String?
        var needsThrottle = false
        let what: String
    }

    private static let faults = [
        Fault(
            versions: Release(1, 6)...Release(1, 6), exactly: "1.6.0",
            what: "flushes are dropped unasked (cache.no-flush)"),
        Fault(
            versions: Release(0, 0)...Release(2, 2),
            what: "a missing memory barrier can hang a request"),
        Fault(
            versions: Release(9, 1)...Release(10, 0), needsThrottle: true,
            what: "throttled LUNs can stop completing under several jobs"),
    ]

    static let passThrough = Rule(
        "pci-passthrough-tradeoff", "a storage device is passed through", about: .vm, [.info],
        .setting, tier: .c,
        evidence: "query-pci: vfio-pci devices of storage classes",
        condition: "There is one.",
        guards: "An information: it is a choice, not a fault.",
        effect: "All RAM of the guest is pinned (no balloon, no over-commitment), migration is "
            + "limited, and LUNs on it are not seen here. In 2013 it did 295,652 IOPS against "
            + "147,365 of the normal path untuned, and 939,199 against 1,601,753 of tuned "
            + "data-plane. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "where migration matters: -device vhost-vdpa-device-pci or virtio-blk-pci with "
                + "an IOThread in its place",
            libvirt: "<disk type='block' device='disk'> in place of <hostdev>",
            verify: "query-pci lists no vfio-pci of a storage class; VmLck in /proc/PID/status"),
        deck: [2, 6]
    ) { patient throws(NotChecked) in
        let devices = try patient.texts(.passThrough)
        guard !devices.isEmpty else { return .healthy }
        let locked = patient.knownNumber(.lockedMemory) ?? 0
        let pinned = locked > 0 ? "; \(bytes(locked)) of memory are locked" : ""
        return .flag(.info, "passed through: \(list(devices))\(pinned)")
    }

    static let notHotpluggable = Rule(
        "lun-not-hotpluggable", "LUNs cannot be unplugged one by one", about: .vm, [.info],
        .setting, tier: .c,
        evidence: "query-pci addresses, qom-get multifunction and hotpluggable of virtio-blk disks",
        condition: "Two LUNs and more are functions of one PCI slot, or hotpluggable is false, as "
            + "on pcie.0 of q35.",
        guards: "Disks that are not virtio-blk. An information: appliances are never changed.",
        effect: "Unplugging one function takes all of its slot along. The founding set-up packed "
            + "8 LUNs into a slot for want of slots. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-device pcie-root-port,id=rp0,chassis=1 -device virtio-blk-pci,…,bus=rp0, a "
                + "port for each LUN",
            libvirt: "<controller type='pci' model='pcie-root-port'/>, and no multifunction='on' "
                + "in the disk's <address>",
            verify: "qom-get hotpluggable says true; query-pci has one function in each slot"),
        deck: [40]
    ) { patient throws(NotChecked) in
        let luns = patient.luns.filter { $0.device.hasPrefix("virtio-blk") }
        guard !luns.isEmpty else { return .notApplicable }
        var slots: [Substring: [String]] = [:]
        var fixed: [String] = []
        var missing: NotChecked?
        for lun in luns {
            if let address = lun.pciAddress, let dot = address.lastIndex(of: ".") {
                slots[address[..<dot], default: []].append(lun.id)
            } else if luns.count > 1, !lun.isOffPCI {
                // Behind a bridge only the guest's firmware numbers the buses.
                missing = NotChecked(reason: "pci_address: \(lun.id) has none yet (query-pci)")
            }
            do throws(NotChecked) {
                if !(try patient.flag(.hotpluggable, of: .lun(lun.id))) { fixed.append(lun.id) }
            } catch { missing = error }
        }
        var seen: [String] = []
        let packed = slots.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }
        if let slot = packed.first {
            seen.append(
                "\(list(slot.value)) are functions of slot \(slot.key)"
                    + (packed.count > 1 ? " (\(packed.count) such slots)" : ""))
            patient.cite("query-pci")
        }
        if !fixed.isEmpty { seen.append("\(list(fixed)) cannot be hot-plugged where they are") }
        if seen.isEmpty, let missing { throw missing }
        return seen.isEmpty ? .healthy : .flag(.info, seen.joined(separator: "; "))
    }
}
