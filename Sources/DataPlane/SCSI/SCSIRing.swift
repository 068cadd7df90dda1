import Kernel
import Virtio

/// A request queue of the virtio-scsi controller: that of one vCPU, for all the LUNs it drives.
final class SCSIRing: Sendable {
    /// The vCPU that drives it.
    let vcpu: Int
    /// The ring, and the slots of all its LUNs, one after the other.
    let memory: LUNMemory
    let queueSize: Int
    let features: QueueFeatures
    let stamps: StampTable
    /// Wakes the controller's thread.
    let doorbell: EventDescriptor
    /// Wakes the vCPU.
    let interrupt: EventDescriptor

    /// The ring of `vcpu` for LUNs `luns`, each with its number.
    init(
        vcpu: Int, luns: [(index: Int, configuration: LUNConfiguration)],
        doorbell: EventDescriptor, interrupt: EventDescriptor
    ) throws {
        self.vcpu = vcpu
        self.doorbell = doorbell
        self.interrupt = interrupt
        let configurations = luns.map(\.configuration)
        queueSize = configurations.map(\.queueSize).max() ?? 256
        features = configurations.first?.features ?? []
        stamps = try StampTable(queueSize: queueSize)
        memory = try LUNMemory(
            lun: luns.first?.index ?? 0, layout: .scsi, queueSize: queueSize,
            slots: max(1, configurations.reduce(0) { $0 + $1.job.slots }),
            bufferBytes: configurations.map(\.job.blockSize).max() ?? 512)
    }
}

/// A virtio-scsi controller: its rings and its units, which are LUNs of the engine in their order.
struct SCSIController: Sendable {
    /// The engine's numbers of its units.
    let luns: [Int]
    /// One for each vCPU that drives a unit.
    let rings: [SCSIRing]
    /// Wakes its thread.
    let doorbell: EventDescriptor
    private let slices: [LUNMemory]

    /// The controller of all LUNs in `configuration` that are behind one; nil if there are none.
    /// `doorbells` are the vCPUs'.
    init?(_ configuration: EngineConfiguration, doorbells: [EventDescriptor]) throws {
        luns = configuration.luns.indices.filter {
            configuration.luns[$0].path == .virtioSCSI
        }
        if luns.isEmpty { return nil }
        doorbell = try EventDescriptor()
        var rings: [SCSIRing] = []
        var slices: [Int: LUNMemory] = [:]
        for vcpu in doorbells.indices {
            let mine = luns.filter { $0 % doorbells.count == vcpu }
                .map { (index: $0, configuration: configuration.luns[$0]) }
            if mine.isEmpty { continue }
            let ring = try SCSIRing(
                vcpu: vcpu, luns: mine, doorbell: doorbell, interrupt: doorbells[vcpu])
            var first = 0
            for lun in mine {
                let count = lun.configuration.job.slots
                slices[lun.index] = ring.memory.slice(from: first, count: count)
                first += count
            }
            rings.append(ring)
        }
        self.rings = rings
        self.slices = luns.compactMap { slices[$0] }
    }

    /// The slots of LUN number `lun`; nil if it is not behind the controller.
    func memory(ofLUN lun: Int) -> LUNMemory? {
        luns.firstIndex(of: lun).map { slices[$0] }
    }
}
