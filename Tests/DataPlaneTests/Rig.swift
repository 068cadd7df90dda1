import Glibc
import Kernel
import Telemetry
import Virtio

@testable import DataPlane

/// A device without a thread, and the driver end of its queue in the test's hands: each step
/// happens when the test takes it.
final class Rig<B: Backend & ~Copyable> {
    let shared: LUNShared
    var driver: DriverQueue
    var device: Device<B>
    var memory: LUNMemory { shared.memory }

    init(
        _ configuration: LUNConfiguration, backend: consuming B, trace: TraceMode = .off
    ) throws {
        let orders = try Orders()
        orders.trace = trace
        shared = try LUNShared(
            index: 0, configuration: configuration, interrupt: try EventDescriptor(), orders: orders
        )
        driver = DriverQueue(
            ring: shared.memory.ring, memory: shared.memory.memory,
            features: configuration.features, indirectTables: shared.memory.indirectTables,
            indirectCapacity: LUNMemory.descriptorsPerTable)
        device = Device(shared: shared, backend: backend, waitMode: .block, pollTicks: 0)
    }

    /// What became of a request.
    struct Answer: Equatable {
        var status: UInt8
        var written: UInt32
    }

    /// Queues a request whose data stand in slot `slot`: `out` bytes the device reads, `into` bytes
    /// it writes, the status byte last.
    @discardableResult
    func queue(
        _ type: UInt32, sector: UInt64 = 0, out: Int = 0, into: Int = 0, slot: Int = 0
    ) -> UInt16? {
        queue(
            type, sector: sector, parts: out + into > 0 ? [out + into] : [], areWritable: into > 0,
            slot: slot)
    }

    /// Queues a request whose data are in several descriptors, one behind the other in slot `slot`.
    func queue(
        _ type: UInt32, sector: UInt64, parts sizes: [Int], areWritable: Bool, slot: Int
    ) -> UInt16? {
        HostMemory.storeHeader(type: type, sector: sector, at: memory.host(memory.header(slot)))
        HostMemory.storeStatus(0xFF, at: memory.host(memory.status(slot)))
        var parts = [
            DriverQueue.Buffer(address: memory.header(slot), byteCount: 16, isWritable: false)
        ]
        var address = memory.buffer(slot)
        for size in sizes {
            parts.append(
                DriverQueue.Buffer(
                    address: address, byteCount: UInt32(size), isWritable: areWritable))
            address = address + UInt64(size)
        }
        parts.append(
            DriverQueue.Buffer(address: memory.status(slot), byteCount: 1, isWritable: true))
        return driver.add(parts.span)
    }

    /// Queues a request, lets the device turn until it comes back, and reads its answer.
    func ask(
        _ type: UInt32, sector: UInt64 = 0, out: Int = 0, into: Int = 0
    ) -> Answer? {
        guard let head = queue(type, sector: sector, out: out, into: into) else { return nil }
        _ = driver.publish()
        var used: DriverQueue.Used?
        wait {
            _ = device.turn()
            used = driver.reap()
            return used != nil
        }
        guard used?.head == head else { return nil }
        return Answer(
            status: HostMemory.loadStatus(at: memory.host(memory.status(0))),
            written: used?.written ?? 0)
    }

    /// The first `count` bytes of slot 0's data.
    func data(_ count: Int) -> [UInt8] {
        let address = memory.host(memory.buffer(0))
        return (0..<count).map { HostMemory.loadStatus(at: address + UInt($0)) }
    }

    /// Fills slot 0's data.
    func fill(_ byte: UInt8, count: Int = 4096) {
        HostMemory.fill(
            memory.host(memory.buffer(0)), with: byte, byteCount: UInt(count))
    }

    /// Puts DISCARD's or WRITE ZEROES' segment into slot 0's data.
    func putRange(sector: UInt64, count: UInt32, flags: UInt32 = 0) {
        let address = memory.host(memory.buffer(0))
        HostMemory.storeWord(sector, at: address)
        HostMemory.storeWord(UInt64(count) | UInt64(flags) << 32, at: address + 8)
    }
}

/// All pairs, for tests with more than two kinds of arguments.
func product<First, Second>(_ first: [First], _ second: [Second]) -> [(First, Second)] {
    first.flatMap { first in second.map { (first, $0) } }
}

/// What a test needs and this machine does not give.
struct Unusable: Error, CustomStringConvertible { var description: String }

/// A file of `byteCount` zeroes with a name, to be opened; the caller removes it.
func temporaryFile(in directory: String, byteCount: Int) throws -> String {
    let path = "\(directory)/vblktop-test-\(getpid())"
    let descriptor = unsafe open(path, O_CREAT | O_RDWR | O_EXCL, 0o600)
    guard descriptor >= 0, ftruncate(descriptor, byteCount) == 0 else {
        throw Unusable(description: "cannot create \(path)")
    }
    close(descriptor)
    return path
}

/// Takes the file's name away.
func remove(_ path: String) { _ = unsafe unlink(path) }
