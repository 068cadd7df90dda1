import Kernel
import Telemetry
import Virtio

@testable import Rings

/// A virtqueue with both of its ends in this process, whose memory the observer reads as it would
/// another's, at times that the test sets.
final class LiveRing {
    static let start: UInt64 = 0x10_0000
    static let byteCount = 1 << 20
    private static let tables = start + 0x4_0000
    private static let headers = start + 0x8_0000
    private static let data = start + 0xC_0000

    let mapping: SharedMapping
    private let file: GuestRAM.SharedFile?
    let memory: GuestMemory
    private var driver: DriverQueue
    private var device: DeviceQueue
    private var list = SegmentList(capacity: 64)
    let place: RingPlace
    var clock: Nanoseconds = 1_000_000_000
    /// What the driver has published and the device not completed, by head.
    private(set) var underWay: [UInt16: RequestFacts] = [:]
    private var unpublished: [UInt16: RequestFacts] = [:]
    private var pushed: [UInt16] = []
    private(set) var held: [UInt16] = []
    private var slot: UInt64 = 0

    /// `isInFile`: the observer can map the memory, as that of a VM with memory-backend-memfd.
    init(
        size: Int = 16, features: QueueFeatures = [.eventIndex, .indirect], isInFile: Bool = false
    ) throws {
        let name = "vblktop-test-ring-\(Clock.monotonic())"
        mapping =
            isInFile
            ? try SharedMapping(byteCount: Self.byteCount, addedTo: try MemoryFile(name))
            : try SharedMapping(byteCount: Self.byteCount)
        let folder = "/proc/self/fd/"
        file = try directoryEntries(folder).map { folder + $0 }
            .first { (try? linkTarget($0)) == "/memfd:\(name) (deleted)" }
            .map { GuestRAM.SharedFile(path: $0, offset: 0) }
        memory = try GuestMemory([
            .init(
                guest: GuestAddress(rawValue: Self.start), byteCount: Self.byteCount,
                host: mapping.address)
        ])
        let parts = SplitRing.consecutive(size: size, from: GuestAddress(rawValue: Self.start))
        let ring = try SplitRing(
            size: size, descriptors: parts.descriptors, avail: parts.avail, used: parts.used,
            in: memory)
        driver = DriverQueue(
            ring: ring, memory: memory, features: features,
            indirectTables: GuestAddress(rawValue: Self.tables), indirectCapacity: 8)
        device = DeviceQueue(ring: ring, memory: memory, features: features)
        place = RingPlace(
            lun: "vd0", queue: 0, size: size, layout: .split, descriptors: parts.descriptors,
            avail: parts.avail, used: parts.used, features: features,
            showsPops: features.contains(.eventIndex),
            showsReaps: features.contains(.eventIndex))
    }

    /// This process's memory as a VM's.
    var ram: GuestRAM {
        GuestRAM(
            pid: Process.id,
            regions: [
                .init(
                    guest: GuestAddress(rawValue: Self.start), byteCount: UInt64(Self.byteCount),
                    host: UInt64(mapping.address), file: file)
            ])
    }

    func watch() throws -> VMRings { try VMRings(ram, [place]) { _ in 0 } }

    /// Has `rings` take a look, one microsecond long, `after` nanoseconds from now.
    func look(_ rings: VMRings, after pause: Nanoseconds = 1_000_000) {
        clock += pause
        rings.look {
            self.clock += 1000
            return self.clock
        }
    }

    /// Where guest-physical `address` is here.
    func host(_ address: UInt64) -> UInt { mapping.address + UInt(address - Self.start) }

    /// The driver adds a read or write of `byteCount` bytes, or a flush of none; the head, `nil`
    /// where there is no room.
    @discardableResult
    func add(type: UInt32, sector: UInt64, byteCount: UInt32) -> UInt16? {
        slot = (slot + 1) % 8000
        let header = Self.headers + slot * 32
        HostMemory.storeHeader(type: type, sector: sector, at: host(header))
        var buffers = [buffer(header, 16, false)]
        if byteCount > 0 { buffers.append(buffer(Self.data, byteCount, type == 0)) }
        buffers.append(buffer(header + 16, 1, true))
        guard let head = driver.add(buffers.span) else { return nil }
        unpublished[head] = RequestFacts(
            type: type, sector: type == 4 ? 0 : sector, byteCount: UInt64(byteCount))
        return head
    }

    private func buffer(_ address: UInt64, _ byteCount: UInt32, _ isWritable: Bool)
        -> DriverQueue.Buffer
    {
        DriverQueue.Buffer(
            address: GuestAddress(rawValue: address), byteCount: byteCount, isWritable: isWritable)
    }

    func publish() {
        _ = driver.publish()
        underWay.merge(unpublished) { $1 }
        unpublished = [:]
    }

    /// The device pops all there is, and shows how far it came, as QEMU does.
    func pop(_ limit: Int = .max) {
        _ = device.refresh()
        while held.count < limit, case .chain(let head) = device.pop(into: &list) {
            held.append(head)
        }
        _ = device.armKicks()
    }

    /// The device completes what it holds at `index`.
    func push(at index: Int = 0) {
        let head = held.remove(at: index)
        device.push(head: head, written: 1)
        pushed.append(head)
    }

    func publishUsed() {
        _ = device.publish()
        for head in pushed { underWay[head] = nil }
        pushed = []
    }

    /// The driver reaps all there is, and shows how far it came, as Linux does.
    func reap() {
        while driver.reap() != nil {}
        _ = driver.armInterrupts()
    }
}

/// Random numbers that are the same in every run (SplitMix64).
struct Repeatable: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
