import Telemetry
import Virtio

@testable import Rings

/// An observer of virtqueues whose two ends write anything anywhere at any time.
struct FuzzRings {
    private var input: FuzzInput
    private let memory: FuzzMemory
    private let places: [RingPlace]
    private var looks: FuzzLooks
    /// The indices and laps that the two ends would have, by queue.
    private var ends: [Ends]

    private struct Ends {
        var avail: UInt16 = 0
        var used: UInt16 = 0
    }

    /// What was seen, in order.
    var story: [UInt64] { looks.story }

    init(_ input: FuzzInput, memory: FuzzMemory) throws {
        self.input = input
        self.memory = memory
        memory.clear()
        _ = self.input.byte()
        var places: [RingPlace] = []
        for number in 0...self.input.choice(3) {
            places.append(Self.place(&self.input, number: number))
        }
        self.places = places
        ends = Array(repeating: Ends(), count: places.count)
        looks = try FuzzLooks(memory.ram, places)
    }

    /// A queue in one piece, in pieces, or with parts where nothing can be read.
    private static func place(_ input: inout FuzzInput, number: Int) -> RingPlace {
        let kind = input.byte()
        let layout: RingPlace.Layout = kind & 1 == 0 ? .split : .packed
        let size = layout == .split ? 1 << input.choice(6) : 1 + input.choice(32)
        let start = GuestAddress(rawValue: FuzzMemory.rings + UInt64(number) * 0x500)
        var parts = SplitRing.consecutive(size: layout == .split ? size : 64, from: start)
        if kind & 6 == 6 { parts.used = parts.used + 512 }
        if kind & 0x18 == 0x18 {
            let apart = [FuzzMemory.removable - 64, FuzzMemory.unreadable - 64, FuzzMemory.small]
            parts.used = GuestAddress(rawValue: apart[input.choice(3)])
        }
        let tells = kind & 0x20 != 0
        return RingPlace(
            lun: kind & 0x40 == 0 ? "a" : "b", queue: number, size: size, layout: layout,
            descriptors: parts.descriptors, avail: parts.avail, used: parts.used,
            features: QueueFeatures(rawValue: kind >> 6 & 3), showsPops: tells, showsReaps: tells)
    }

    mutating func run() {
        while !input.isOver {
            let queue = input.choice(places.count)
            switch places[queue].layout {
            case .split: split(queue)
            case .packed: packed(queue)
            }
        }
        looks.look(after: 1)
        looks.take()
        memory.setReadable(true)
    }

    /// What can be done whatever the layout; `kind` is 0…7.
    private mutating func common(_ kind: Int) {
        switch kind {
        case 0:
            memory.storeDescriptor(&input, at: FuzzMemory.tables + UInt64(input.choice(16)) * 16)
        case 1:
            let header = FuzzMemory.headers + UInt64(input.choice(4)) * 16
            memory.store(UInt32(input.choice(14)), at: header)
            memory.store(UInt64(input.word()), at: header + 8)
        case 2: memory.store(UInt32(input.word()) << 8, at: input.address())
        case 3, 4: looks.look(after: 1 << UInt64(input.choice(32)))
        case 5: looks.take()
        case 6: memory.setReadable(input.byte() & 1 == 0)
        default: looks.set(stride: input.choice(9), readsAll: input.byte() & 1 == 1)
        }
    }

    private mutating func split(_ queue: Int) {
        let place = places[queue]
        let (avail, used) = (place.avail.rawValue, place.used.rawValue)
        let size = UInt16(place.size)
        switch input.choice(16) {
        case 0, 1:
            memory.store(input.ringWord(), at: avail + 4 + UInt64(ends[queue].avail % size) * 2)
            ends[queue].avail &+= 1
            memory.store(ends[queue].avail, at: avail + 2)
        case 2, 3:
            let entry = used + 4 + UInt64(ends[queue].used % size) * 8
            memory.store(UInt32(input.ringWord()), at: entry)
            ends[queue].used &+= 1
            memory.store(ends[queue].used, at: used + 2)
        case 4:
            ends[queue].avail = input.word()
            memory.store(ends[queue].avail, at: avail + 2)
        case 5:
            ends[queue].used = input.word()
            memory.store(ends[queue].used, at: used + 2)
        case 6:
            // How far each side says it has come.
            memory.store(ends[queue].avail &- input.ringWord(), at: used + 4 + UInt64(size) * 8)
            memory.store(ends[queue].used &- input.ringWord(), at: avail + 4 + UInt64(size) * 2)
        case 7:
            let index = UInt64(input.choice(place.size))
            memory.storeDescriptor(&input, at: place.descriptors.rawValue + index * 16)
        case let kind: common(kind - 8)
        }
    }

    private mutating func packed(_ queue: Int) {
        let size = UInt16(places[queue].size)
        switch input.choice(16) {
        case 0, 1, 2:
            let bits: UInt16 = ends[queue].avail / size & 1 == 0 ? 0x80 : 0x8000
            storeSlot(queue, ends[queue].avail % size, bits)
            ends[queue].avail &+= 1
        case 3, 4:
            let bits: UInt16 = ends[queue].used / size & 1 == 0 ? 0x8080 : 0
            storeSlot(queue, ends[queue].used % size, bits)
            ends[queue].used &+= 1 + UInt16(input.choice(4))
        case 5: ends[queue].avail = input.ringWord()
        case 6: ends[queue].used = input.ringWord()
        case 7: storeSlot(queue, UInt16(input.choice(Int(size))), input.word())
        case let kind: common(kind - 8)
        }
    }

    private mutating func storeSlot(_ queue: Int, _ slot: UInt16, _ bits: UInt16) {
        let place = places[queue].descriptors.rawValue + UInt64(slot) * 16
        memory.store(input.address(), at: place)
        memory.store(input.length(), at: place + 8)
        memory.store(input.ringWord(), at: place + 12)
        memory.store(UInt16(input.byte() & 7) | bits, at: place + 14)
    }
}
