import QMP
import Telemetry

/// Which properties of devices are asked for, and what facts they are. Those of a virtio disk are
/// read on its PCI function, which has the properties of the backend inside it too; the backend has
/// no `vectors`, `ioeventfd` or `disable-legacy`.
enum DeviceProperties {
    /// Of a virtio-blk disk, what costs most when it is wrong first.
    static let virtioBlock: [PropertyFact] = [
        PropertyFact(.ioeventfd, "ioeventfd"),
        PropertyFact(.vectors, "vectors", .number),
        PropertyFact(.werror, "werror", .text),
        PropertyFact(.rerror, "rerror", .text),
        // Removed from QEMU together with what it switched on.
        PropertyFact(.scsiPassthrough, "scsi", absence: false),
        PropertyFact(.configWCE, "config-wce"),
        PropertyFact(.writeCacheProperty, "write-cache", .text),
        PropertyFact(.eventIndex, "event_idx"),
        PropertyFact(.indirectDescriptors, "indirect_desc"),
        PropertyFact(.guestLogicalBlock, "logical_block_size", .number),
        PropertyFact(.guestPhysicalBlock, "physical_block_size", .number),
        PropertyFact(.requestMerging, "request-merging"),
        // What a QEMU from before these knew nothing of, its devices do not do.
        PropertyFact(.packed, "packed", absence: false),
        PropertyFact(.discard, "discard", absence: false),
        PropertyFact(.segMaxAdjust, "seg-max-adjust", absence: false),
        PropertyFact(.disableModern, "disable-modern"),
        PropertyFact(.disableLegacy, "disable-legacy", .text),
        PropertyFact(.multifunction, "multifunction"),
        PropertyFact(.hotpluggable, "hotpluggable"),
    ]
    /// Of a SCSI, IDE or other disk.
    static let otherDisk: [PropertyFact] = [
        PropertyFact(.werror, "werror", .text),
        PropertyFact(.rerror, "rerror", .text),
        PropertyFact(.writeCacheProperty, "write-cache", .text),
        PropertyFact(.guestLogicalBlock, "logical_block_size", .number),
        PropertyFact(.guestPhysicalBlock, "physical_block_size", .number),
        PropertyFact(.hotpluggable, "hotpluggable"),
    ]
    /// Of the first CPU; all are alike.
    static let cpu: [PropertyFact] = [
        PropertyFact(.cpuMissingFeatures, "unavailable-features", .texts),
        PropertyFact(.cpuX2APIC, "x2apic"),
        PropertyFact(.cpuPVEOI, "kvm-pv-eoi"),
        PropertyFact(.cpuKVMClock, "kvmclock"),
        PropertyFact(.cpuInvariantTSC, "invtsc"),
        PropertyFact(.cpuLongMode, "lm"),
        PropertyFact(.cpuPollControl, "kvm-poll-control", absence: false),
        PropertyFact(.cpuHyperVTime, "hv-time"),
        PropertyFact(.cpuHyperVAPIC, "hv-vapic"),
    ]
    /// The CPU runs guests of its own with either, by who made it.
    static let cpuVirtualization = ["vmx", "svm"]
}

extension Disk {
    /// The properties that are facts about it.
    var properties: [PropertyFact] {
        isVirtio ? DeviceProperties.virtioBlock : DeviceProperties.otherDisk
    }

    /// Whether it hangs on an adapter of its own kind, as SCSI and IDE disks do.
    var hasAdapter: Bool {
        !isVirtio && (lun.device.hasPrefix("scsi-") || lun.device.hasPrefix("ide-"))
    }

    /// Where the adapter is on whose bus it hangs, as far as `book` says: of
    /// `/machine/peripheral/scsi0/virtio-backend/scsi0.0` that is `/machine/peripheral/scsi0`.
    func adapterPath(in book: PropertyBook) -> String? {
        guard hasAdapter, let bus = book.value(objectPath, "parent_bus")?.text,
            let end = bus.lastIndex(of: "/"), end > bus.startIndex
        else { return nil }
        let path = bus[..<end]
        let backend = "/virtio-backend"
        return String(path.hasSuffix(backend) ? path.dropLast(backend.count) : path)
    }
}
