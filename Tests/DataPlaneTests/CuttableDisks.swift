import Kernel
import Virtio

@testable import DataPlane

/// What a guest whose power may be cut asks for.
enum CuttableAction: Sendable {
    case read, write
    /// A write that is stable when it completes, whatever the cache mode (FUA).
    case forcedWrite
    case clear, flush
}

/// A way from a guest to a `FragileDisk`, without threads: each step happens when the test takes
/// it.
///
/// A request has a slot, with a place for its data, until it has come back.
protocol CuttableDisk: AnyObject {
    /// Requests under way at a time.
    static var slotCount: Int { get }
    /// What it can be asked for.
    static var actions: Set<CuttableAction> { get }

    init(_ lun: LUNConfiguration, file: BackingFile, cache: CacheMode, disk: FragileDisk) throws

    /// Where the data of `slot` are.
    func data(_ slot: Int) -> UInt
    /// Asks for an action on sectors, whose data are in pieces of `parts` bytes; false if there was
    /// no room.
    func ask(_ action: CuttableAction, _ sectors: Range<Int>, parts: [Int], slot: Int) -> Bool
    /// Lets the host's side move what can be moved now.
    func turn()
    /// A request that has come back, and whether it was carried out; nil if there is no other.
    func next() -> (slot: Int, isGood: Bool)?
}

extension LUNConfiguration {
    /// The backend that `CuttableDisk`s have, with `slots` slots.
    fileprivate func fragile(
        _ file: BackingFile, _ cache: CacheMode, _ disk: FragileDisk, slots: Int
    ) -> FileBackend<FragileDisk> {
        FileBackend(
            file: file, cache: cache, requests: disk, queueSize: slots, segmentLimit: segmentLimit)
    }
}

/// Through virtio-blk.
final class CuttableBlock: CuttableDisk {
    static let slotCount = 8
    static let actions: Set<CuttableAction> = [.read, .write, .clear, .flush]
    private let rig: Rig<FileBackend<FragileDisk>>
    private var slotOf: [UInt16: Int] = [:]

    init(_ lun: LUNConfiguration, file: BackingFile, cache: CacheMode, disk: FragileDisk) throws {
        rig = try Rig(lun, backend: lun.fragile(file, cache, disk, slots: lun.queueSize))
    }

    func data(_ slot: Int) -> UInt { rig.memory.host(rig.memory.buffer(slot)) }

    func ask(_ action: CuttableAction, _ sectors: Range<Int>, parts: [Int], slot: Int) -> Bool {
        var (type, sector, sizes) = (BlockRequestType.flush, UInt64(0), parts)
        switch action {
        case .read: (type, sector) = (BlockRequestType.read, UInt64(sectors.lowerBound))
        case .write, .forcedWrite:
            (type, sector) = (BlockRequestType.write, UInt64(sectors.lowerBound))
        case .flush: break
        case .clear:
            (type, sizes) = (BlockRequestType.writeZeroes, [16])
            let unmap: UInt64 = 1
            HostMemory.storeWord(UInt64(sectors.lowerBound), at: data(slot))
            HostMemory.storeWord(UInt64(sectors.count) | unmap << 32, at: data(slot) + 8)
        }
        let head = rig.queue(
            type, sector: sector, parts: sizes, areWritable: action == .read, slot: slot)
        guard let head else { return false }
        slotOf[head] = slot
        return true
    }

    func turn() {
        _ = rig.driver.publish()
        _ = rig.device.turn()
    }

    func next() -> (slot: Int, isGood: Bool)? {
        guard let used = rig.driver.reap(), let slot = slotOf.removeValue(forKey: used.head) else {
            return nil
        }
        let status = rig.memory.host(rig.memory.status(slot))
        return (slot, HostMemory.loadStatus(at: status) == BlockStatus.ok)
    }
}

/// Through a virtio-scsi controller: SYNCHRONIZE CACHE, and writes with FUA.
final class CuttableSCSI: CuttableDisk {
    static let slotCount = 8
    static let actions: Set<CuttableAction> = [.read, .write, .forcedWrite, .flush]
    private let machine: SCSIMachine
    private var driver: DriverQueue
    private var slotOf: [UInt16: Int] = [:]
    private var memory: LUNMemory { machine.units[0].memory }

    init(_ lun: LUNConfiguration, file: BackingFile, cache: CacheMode, disk: FragileDisk) throws {
        var lun = lun
        lun.path = .virtioSCSI
        machine = try SCSIMachine([lun]) { _, slots in
            BackendBox(lun.fragile(file, cache, disk, slots: slots))
        }
        driver = machine.driver(0)
    }

    func data(_ slot: Int) -> UInt { memory.host(memory.buffer(slot)) }

    func ask(_ action: CuttableAction, _ sectors: Range<Int>, parts: [Int], slot: Int) -> Bool {
        let command: SCSICommandBlock =
            action == .flush
            ? .synchronizeCache()
            : .transfer(
                isWrite: action != .read, lba: UInt64(sectors.lowerBound),
                blockCount: UInt32(sectors.count), isForced: action == .forcedWrite)
        SCSIDriver.storeHeader(
            unit: 0, tag: UInt64(slot), command, at: memory.host(memory.header(slot)))
        let header = DriverQueue.Buffer(
            address: memory.header(slot), byteCount: UInt32(SCSIDriver.headerBytes),
            isWritable: false)
        let response = DriverQueue.Buffer(
            address: memory.response(slot), byteCount: UInt32(SCSIDriver.responseBytes),
            isWritable: true)
        var address = memory.buffer(slot)
        let pieces = parts.map { count in
            defer { address = address + UInt64(count) }
            return DriverQueue.Buffer(
                address: address, byteCount: UInt32(count), isWritable: action == .read)
        }
        let chain = action == .read ? [header, response] + pieces : [header] + pieces + [response]
        guard let head = driver.add(chain.span) else { return false }
        slotOf[head] = slot
        return true
    }

    func turn() {
        _ = driver.publish()
        _ = machine.adapter.turn()
    }

    func next() -> (slot: Int, isGood: Bool)? {
        guard let used = driver.reap(), let slot = slotOf.removeValue(forKey: used.head) else {
            return nil
        }
        return (slot, SCSIDriver.loadResponse(at: memory.host(memory.response(slot))).isGood)
    }
}

/// Through an emulated IDE disk, a request at a time: FLUSH CACHE EXT.
final class CuttableIDE: CuttableDisk {
    static let slotCount = 1
    static let actions: Set<CuttableAction> = [.read, .write, .flush]
    private let rig: IDERig

    init(_ lun: LUNConfiguration, file: BackingFile, cache: CacheMode, disk: FragileDisk) throws {
        var lun = lun
        lun.path = .ide
        rig = try IDERig(lun, BackendBox(lun.fragile(file, cache, disk, slots: 1)))
    }

    func data(_ slot: Int) -> UInt { rig.shared.memory.host(rig.shared.memory.buffer(slot)) }

    func ask(_ action: CuttableAction, _ sectors: Range<Int>, parts: [Int], slot: Int) -> Bool {
        if action == .flush {
            rig.issue(IDERequest(operation: .flush))
        } else {
            rig.transfer(
                isWrite: action == .write, sector: UInt64(sectors.lowerBound), parts: parts)
        }
        return true
    }

    func turn() { _ = rig.controller.answerAll(under: rig.lock, as: 0) }

    func next() -> (slot: Int, isGood: Bool)? { rig.interrupted().map { (0, $0 == .done) } }
}
