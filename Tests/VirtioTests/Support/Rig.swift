import Virtio

/// What became of one chain.
enum Outcome: Equatable, Sendable {
    case nothing
    /// A request to execute, and its data as host segments.
    case execute(Work)
    /// The status byte was set to this and the head given back with length 1.
    case status(UInt8)
    /// The head was given back with length 0, because of the chain or, when nil, of its framing.
    case returned(ChainError?)
    case broken(DeviceQueue.Breakage)
}

/// A request to execute.
struct Work: Equatable, Sendable {
    var operation: BlockRequest.Operation
    var sector: UInt64
    var byteCount: UInt64
    var data: [Segment]
    var status: UInt
}

/// A scripted driver and a device end that gives every head back as docs/virtqueue.md says.
final class Rig {
    var driver: ScriptedDriver
    var device: DeviceQueue
    var list: SegmentList
    var limits = BlockLimits(sectors: 1 << 20)
    var memory: TestMemory { driver.memory }

    init(
        size: Int = 8, features: QueueFeatures = [.indirect], capacity: Int = 64,
        memory: TestMemory? = nil
    ) throws {
        let memory = try memory ?? TestMemory()
        driver = ScriptedDriver(memory: memory, size: size)
        device = DeviceQueue(ring: try driver.ring(), memory: memory.guest, features: features)
        list = SegmentList(capacity: capacity)
    }

    // The device end's calls: `#expect` cannot look into a value that is not copyable.

    func refresh() -> Int { device.refresh() }
    func pop() -> DeviceQueue.Popped { device.pop(into: &list) }
    func push(head: UInt16, written: UInt32) { device.push(head: head, written: written) }
    func publish() -> Bool { device.publish() }
    func armKicks() -> Bool { device.armKicks() }
    var hasWork: Bool { device.hasWork }
    var inFlight: Int { device.inFlight }
    var unpublished: Int { device.unpublished }

    /// Takes one chain and answers it; requests to execute are answered OK without moving data.
    func serve() -> Outcome {
        _ = device.refresh()
        switch device.pop(into: &list) {
        case .empty: return device.breakage.map { .broken($0) } ?? .nothing
        case .broken(let breakage): return .broken(breakage)
        case .malformed(let head, let error):
            give(head, written: 0)
            return .returned(error)
        case .chain(let head): return answer(head)
        }
    }

    private func answer(_ head: UInt16) -> Outcome {
        switch limits.parse(list) {
        case .malformed:
            give(head, written: 0)
            return .returned(nil)
        case .answer(let status, let address):
            setByte(at: address, status)
            give(head, written: 1)
            return .status(status)
        case .execute(let request):
            let data = (0..<request.segmentCount).map { list[request.firstSegment + $0] }
            setByte(at: request.statusAddress, BlockStatus.ok)
            give(head, written: 1)
            return .execute(
                Work(
                    operation: request.operation, sector: request.sector,
                    byteCount: request.byteCount, data: data, status: request.statusAddress))
        }
    }

    private func give(_ head: UInt16, written: UInt32) {
        device.push(head: head, written: written)
        _ = device.publish()
    }

    /// Offers `descriptors` linked one after the other from head 0, and serves them.
    func serve(_ descriptors: [Raw]) -> Outcome {
        driver.link(descriptors)
        driver.offer(0)
        return serve()
    }

    /// Offers an indirect table of `descriptors`, each linked to the following one, and serves it.
    func serveIndirect(_ descriptors: [Raw]) -> Outcome {
        driver.link(descriptors, table: ScriptedDriver.table)
        let length = UInt32(descriptors.count * 16)
        return serve([Raw(address: ScriptedDriver.table, length: length, flags: Raw.indirect)])
    }

    /// Whether a plain FLUSH is still served: the queue goes on and no head was lost.
    func servesFlush() -> Bool {
        driver.writeHeader(type: BlockRequestType.flush)
        let outcome = serve([.header, .status])
        guard case .execute(let work) = outcome, device.inFlight == 0 else { return false }
        return work.operation == .flush
    }
}

extension Raw {
    /// The usual header.
    static let header = Raw(address: ScriptedDriver.header, length: 16)
    /// The usual status byte.
    static let status = Raw(address: ScriptedDriver.status, length: 1, flags: Raw.write)
    /// Data the device reads.
    static func out(_ length: UInt32, at address: UInt64 = ScriptedDriver.data) -> Raw {
        Raw(address: address, length: length)
    }
    /// Data the device writes.
    static func into(_ length: UInt32, at address: UInt64 = ScriptedDriver.data) -> Raw {
        Raw(address: address, length: length, flags: Raw.write)
    }
}
