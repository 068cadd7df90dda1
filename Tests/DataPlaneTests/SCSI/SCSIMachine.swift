import Kernel
import Telemetry
import Virtio

@testable import DataPlane

/// A virtio-scsi controller without a thread: each step happens when the test takes it.
final class SCSIMachine {
    let controller: SCSIController
    /// The LUNs behind it, dealt out to the vCPUs in turn.
    let units: [QueueShared]
    let adapter: SCSIAdapter
    private let orders: Orders

    /// A controller of `luns`, with a ring for each of `vcpus` vCPUs. `backend` makes a LUN's
    /// backend, which takes requests in so many slots.
    init(
        _ luns: [LUNConfiguration], vcpus: Int = 1,
        backend: (QueueShared, Int) throws -> BackendBox
    ) throws {
        var configuration = EngineConfiguration(luns: luns)
        configuration.vcpus = vcpus
        let doorbells = try (0..<vcpus).map { _ in try EventDescriptor() }
        guard let controller = try SCSIController(configuration, doorbells: doorbells) else {
            throw Unusable(description: "no LUN is behind a controller")
        }
        let orders = try Orders()
        let units = try luns.enumerated().map { index, lun in
            try QueueShared(
                index: index, vcpu: index % vcpus, configuration: lun,
                memory: controller.memory(ofLUN: index), doorbell: controller.doorbell,
                interrupt: doorbells[index % vcpus], orders: orders)
        }
        let slots = SCSIAdapter.slots(of: controller)
        adapter = SCSIAdapter(
            controller: controller, units: units,
            backends: try units.map { try backend($0, slots) })
        (self.controller, self.units, self.orders) = (controller, units, orders)
    }

    /// The guest's end of ring number `number`, with the jobs of all its LUNs.
    func host(_ number: Int) throws -> SCSIHost {
        let ring = controller.rings[number]
        let mine = units.filter { $0.vcpu == ring.vcpu }
        return SCSIHost(
            ring: ring, queues: mine, units: mine.map(\.index), rate: TickRate(since: .now()),
            origin: Clock.monotonic(), trace: try TraceRing(capacity: 2))
    }

    /// The driver's end of ring number `number`, with no jobs.
    func driver(_ number: Int) -> DriverQueue {
        let ring = controller.rings[number]
        return DriverQueue(
            ring: ring.memory.ring, memory: ring.memory.memory, features: ring.features,
            indirectTables: ring.memory.indirectTables,
            indirectCapacity: LUNMemory.descriptorsPerTable)
    }
}
