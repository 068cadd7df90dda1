import Virtio

/// What became of a command.
struct Served: Equatable {
    /// What a backend was to do, nil if nothing.
    var request: SCSIRequest?
    /// Its data, as host segments.
    var data: [Segment] = []
    /// What the driver reads; nil if the chain went back with length 0.
    var response: SCSIResponse?
    /// The data-in buffers afterwards.
    var dataIn: [UInt8] = []
    /// The length in the used ring.
    var written: UInt32 = 0

    static func == (one: Served, other: Served) -> Bool {
        one.request?.block.sector == other.request?.block.sector
            && one.request?.block.byteCount == other.request?.block.byteCount
            && one.request?.block.operation == other.request?.block.operation
            && one.request?.isForced == other.request?.isForced
            && one.request?.unit == other.request?.unit
            && one.data.reduce(0) { $0 + $1.byteCount }
                == other.data.reduce(0) { $0 + $1.byteCount }
            && one.response == other.response && one.dataIn == other.dataIn
            && one.written == other.written
    }
}

/// A command as a driver sends it.
struct SCSISending: Sendable {
    var command: [UInt8]
    var target: UInt8 = 0
    var unit = 0
    var dataOut: [UInt8] = []
    var dataInBytes = 0
    /// Lengths of the descriptors of what the device reads and of what it writes; one each if nil.
    var readableCut: [Int]?
    var writableCut: [Int]?
    /// What the backend says; nil for success.
    var result: Int64?
}

/// A scripted driver and a target behind a queue. Header and data-out stand one after the other, as
/// do response and data-in, so that they can be cut anywhere.
final class SCSIRig {
    static let header = ScriptedDriver.header
    static let response = ScriptedDriver.data + 0x2000
    /// What is in the buffers before.
    static let untouched: UInt8 = 0xEE

    var driver: ScriptedDriver
    var device: DeviceQueue
    var list = SegmentList(capacity: 1024)
    let target: SCSITarget
    var memory: TestMemory { driver.memory }

    /// Unit 0 has 1,000 blocks of 512 bytes, transfers of 8 KiB at most and ranges of 100 blocks;
    /// unit 1 is the same for reading only; unit 2 has 4 GiB + 1 blocks of 4 KiB.
    static let usual = [
        SCSIUnit(
            BlockLimits(
                sectors: 1000, maximumTransfer: 8192, maximumDiscardSectors: 100, serial: "vd0"),
            hasVolatileCache: true),
        SCSIUnit(BlockLimits(sectors: 1000, isReadOnly: true), hasVolatileCache: false),
        SCSIUnit(
            BlockLimits(
                sectors: 8 << 32 + 8, blockSize: 4096, serial: "a serial of over twenty bytes"),
            hasVolatileCache: false),
    ]

    init(units: [SCSIUnit] = usual) throws {
        let memory = try TestMemory()
        driver = ScriptedDriver(memory: memory, size: 8)
        device = DeviceQueue(ring: try driver.ring(), memory: memory.guest, features: [.indirect])
        target = SCSITarget(units: units, queueSize: 8)
    }

    /// Lays a command out, offers it, and serves it.
    func serve(_ sending: SCSISending) -> Served {
        layOut(sending)
        let readable =
            sending.readableCut ?? [SCSIDriver.headerBytes + sending.dataOut.count]
        let writable = sending.writableCut ?? [SCSIDriver.responseBytes + sending.dataInBytes]
        var chain: [Raw] = []
        var address = Self.header
        for count in readable {
            chain.append(Raw(address: address, length: UInt32(count)))
            address += UInt64(count)
        }
        address = Self.response
        for count in writable {
            chain.append(Raw(address: address, length: UInt32(count), flags: Raw.write))
            address += UInt64(count)
        }
        return serve(chain, result: sending.result, dataInBytes: sending.dataInBytes)
    }

    func layOut(_ sending: SCSISending) {
        SCSIDriver.storeHeader(
            target: sending.target, unit: sending.unit, tag: 0x1234,
            SCSICommandBlock(sending.command), at: memory.host(Self.header))
        for (index, byte) in sending.dataOut.enumerated() {
            memory.store(byte, at: Self.header + 51 + UInt64(index))
        }
        for index in 0..<SCSIDriver.responseBytes + sending.dataInBytes {
            memory.store(Self.untouched, at: Self.response + UInt64(index))
        }
    }

    /// Serves `chain` from an indirect table.
    func serve(_ chain: [Raw], result: Int64? = nil, dataInBytes: Int = 0) -> Served {
        driver.link(chain, table: ScriptedDriver.table)
        driver.link([
            Raw(
                address: ScriptedDriver.table, length: UInt32(chain.count * 16),
                flags: Raw.indirect)
        ])
        driver.offer(0)
        _ = device.refresh()
        guard case .chain(let head) = device.pop(into: &list) else { return Served() }
        var served = Served()
        switch target.parse(list, head: head) {
        case .malformed: break
        case .answer(let answer):
            served.written = target.finish(answer, in: list, head: head)
        case .execute(let request):
            served.request = request
            let block = request.block
            served.data = (0..<block.segmentCount).map { list[block.firstSegment + $0] }
            served.written = target.finish(
                request, result: result ?? Int64(block.byteCount), head: head)
        }
        device.push(head: head, written: served.written)
        _ = device.publish()
        if served.written > 0 {
            served.response = SCSIDriver.loadResponse(at: memory.host(Self.response))
        }
        served.dataIn = (0..<dataInBytes).map {
            memory.load(UInt8.self, at: Self.response + 108 + UInt64($0))
        }
        return served
    }
}

extension SCSIResponse {
    static func good(residual: UInt32 = 0) -> SCSIResponse {
        SCSIResponse(response: 0, status: 0, residual: residual, sense: .none)
    }
    static func check(_ sense: SCSISense, residual: UInt32 = 0) -> SCSIResponse {
        SCSIResponse(response: 0, status: 2, residual: residual, sense: sense)
    }
    static func transport(_ response: UInt8, residual: UInt32 = 0) -> SCSIResponse {
        SCSIResponse(response: response, status: 0, residual: residual, sense: .none)
    }
}
