import Kernel
import Telemetry
import Virtio

@testable import DataPlane

/// An IDE controller on a backend, without threads, and the guest's driver of it.
final class IDERig {
    let shared: QueueShared
    let lock: CountedLock
    let controller: IDEController
    private var driver = IDEDriver()
    private var ports: Ports
    private var interruptsSeen: UInt64 = 0

    private struct Ports: IDEPort {
        let controller: IDEController
        func write(_ register: IDERegister, _ value: UInt32) { controller.write(register, value) }
        func read(_ register: IDERegister) -> UInt32 { controller.read(register) }
    }

    init(_ lun: LUNConfiguration, _ backend: BackendBox) throws {
        lock = try CountedLock(threads: 1, rate: TickRate(since: .now()))
        shared = try QueueShared(
            index: 0, configuration: lun, interrupt: try EventDescriptor(), orders: try Orders(),
            bigLock: lock)
        controller = try IDEController(
            shared: shared, backend: backend, lock: lock, mainLoop: 0)
        ports = Ports(controller: controller)
    }

    /// Lets the guest issue a request; nothing else is under way.
    func issue(_ request: IDERequest) { driver.issue(request, through: &ports) }

    /// Issues a transfer from `sector` on, whose data are in slot 0 in pieces of `parts` bytes.
    func transfer(isWrite: Bool, sector: UInt64, parts: [Int]) {
        let memory = shared.memory
        let table = memory.indirectTables
        var writer = PRDTable.Writer(at: memory.host(table), capacity: parts.count)
        var address = memory.buffer(0)
        for count in parts {
            _ = writer.append(address, byteCount: UInt64(count))
            address = address + UInt64(count)
        }
        writer.finish()
        issue(
            IDERequest(
                operation: isWrite ? .write : .read, sector: sector,
                sectorCount: UInt32(parts.reduce(0, +) / 512),
                table: UInt32(truncatingIfNeeded: table.rawValue)))
    }

    /// What the guest's handler made of an interrupt; nil if there was none.
    func interrupted() -> IDEDriver.Interrupt? {
        let interrupts = shared.counters[DeviceCounter.interrupts]
        guard interrupts != interruptsSeen else { return nil }
        interruptsSeen = interrupts
        return driver.interrupted(through: &ports)
    }
}
