import Kernel
import Telemetry
import Virtio

@testable import Rings

/// A packed virtqueue (virtio 1.2 §2.8) with both of its ends in this process: plain, one chain
/// after the other, and without any barrier, as nobody looks at the same time.
final class PackedLiveRing {
    /// Where an end writes next, and its wrap counter.
    private struct End {
        var slot = 0
        var wrap = true

        mutating func advance(_ count: Int, _ size: Int) {
            slot += count
            if slot >= size {
                slot -= size
                wrap.toggle()
            }
        }
    }

    /// A request: the buffer id it goes by, and its descriptors in the ring.
    private struct Request {
        var id: UInt16
        var length: Int
        var facts: RequestFacts
    }

    private static let start = LiveRing.start
    private static let tables = start + 0x4_0000
    private static let headers = start + 0x8_0000

    let size: Int
    let mapping: SharedMapping
    let place: RingPlace
    var clock: Nanoseconds = 1_000_000_000
    /// What the driver has published and the device not given back, by buffer id.
    private(set) var underWay: [UInt16: RequestFacts] = [:]
    /// Requests that the device has popped and not given back.
    var heldCount: Int { held.count }
    private var waiting: [Request] = []
    private var held: [Request] = []
    private var lengths: [UInt16: Int] = [:]
    private var freeIDs: [UInt16]
    private var freeSlots: Int
    private var (driver, device, reaper) = (End(), End(), End())
    private var turn: UInt64 = 0

    init(size: Int, features: QueueFeatures = [.indirect]) throws {
        self.size = size
        mapping = try SharedMapping(byteCount: LiveRing.byteCount)
        freeIDs = (0..<UInt16(size)).reversed()
        freeSlots = size
        func at(_ offset: UInt64) -> GuestAddress { GuestAddress(rawValue: Self.start + offset) }
        place = RingPlace(
            lun: "vd0", queue: 0, size: size, layout: .packed, descriptors: at(0),
            avail: at(0x1_0000), used: at(0x1_0004), features: features, showsPops: false,
            showsReaps: false)
    }

    func watch() throws -> VMRings {
        let region = GuestRAM.Region(
            guest: GuestAddress(rawValue: Self.start), byteCount: UInt64(LiveRing.byteCount),
            host: UInt64(mapping.address))
        return try VMRings(GuestRAM(pid: Process.id, regions: [region]), [place]) { _ in 0 }
    }

    func look(_ rings: VMRings, after pause: Nanoseconds = 1_000_000) {
        clock += pause
        rings.look {
            self.clock += 1000
            return self.clock
        }
    }

    private func host(_ address: UInt64) -> UInt { mapping.address + UInt(address - Self.start) }

    private func store(
        _ address: UInt64, _ byteCount: UInt32, id: UInt16, flags: UInt16, at place: UInt64
    ) {
        HostMemory.storeWord(address, at: host(place))
        HostMemory.storeWord(
            UInt64(byteCount) | UInt64(id) << 32 | UInt64(flags) << 48, at: host(place) + 8)
    }

    private func slot(_ index: Int) -> UInt64 { Self.start + UInt64(index) * 16 }

    /// The driver publishes a read, write or flush, its data in so many pieces; whether there was
    /// room.
    @discardableResult
    func add(type: UInt32, sector: UInt64, pieces: Int, isIndirect: Bool) -> Bool {
        let length = isIndirect ? 1 : pieces + 2
        guard length <= freeSlots, let id = freeIDs.popLast() else { return false }
        turn = (turn + 1) % 1000
        let header = Self.headers + turn * 32
        HostMemory.storeHeader(type: type, sector: sector, at: host(header))
        var parts: [(UInt64, UInt32, UInt16)] = [(header, 16, 0)]
        for piece in 0..<pieces {
            parts.append((0xC_0000 + UInt64(piece) * 512, 512, type == 0 ? 2 : 0))
        }
        parts.append((header + 16, 1, 2))
        if isIndirect {
            let table = Self.tables + turn * 256
            for (index, part) in parts.enumerated() {
                store(part.0, part.1, id: 0, flags: part.2, at: table + UInt64(index) * 16)
            }
            parts = [(table, UInt32(parts.count * 16), 4)]
        }
        write(parts, id)
        let facts = RequestFacts(
            type: type, sector: type == 4 ? 0 : sector, byteCount: UInt64(pieces * 512))
        freeSlots -= length
        lengths[id] = length
        waiting.append(Request(id: id, length: length, facts: facts))
        underWay[id] = facts
        return true
    }

    /// Writes a chain, its first descriptor last: that one publishes it (§2.8.6).
    private func write(_ parts: [(UInt64, UInt32, UInt16)], _ id: UInt16) {
        var places: [End] = []
        for _ in parts {
            places.append(driver)
            driver.advance(1, size)
        }
        for index in parts.indices.reversed() {
            let (part, end) = (parts[index], places[index])
            let next: UInt16 = index + 1 < parts.count ? 1 : 0
            store(
                part.0, part.1, id: id, flags: part.2 | next | (end.wrap ? 0x80 : 0x8000),
                at: slot(end.slot))
        }
    }

    /// The device takes all there is.
    func pop() {
        held += waiting
        waiting = []
    }

    /// The device gives back what it holds at `index`: one used descriptor, and past the rest of
    /// the chain, wherever that stood (§2.8.9).
    func push(at index: Int) {
        let request = held.remove(at: index)
        store(
            0, 1, id: request.id, flags: device.wrap ? 0x8080 : 0, at: slot(device.slot))
        device.advance(request.length, size)
        underWay[request.id] = nil
    }

    /// The driver takes back all that is used.
    func reap() {
        while true {
            let word = HostMemory.loadWord(at: host(slot(reaper.slot)) + 8)
            let flags = UInt16(word >> 48)
            guard (flags & 0x80 != 0) == reaper.wrap, (flags & 0x8000 != 0) == reaper.wrap,
                freeSlots < size
            else { return }
            let id = UInt16(truncatingIfNeeded: word >> 32)
            let length = lengths.removeValue(forKey: id) ?? 0
            freeSlots += length
            freeIDs.append(id)
            reaper.advance(length, size)
        }
    }
}
