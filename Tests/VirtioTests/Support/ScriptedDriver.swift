import Virtio

/// A descriptor as a test writes it, right or wrong.
struct Raw: Sendable, Equatable {
    var address: UInt64
    var length: UInt32
    var flags: UInt16 = 0
    var next: UInt16 = 0

    static let next: UInt16 = 1
    static let write: UInt16 = 2
    static let indirect: UInt16 = 4
}

/// A driver that writes whatever it is told into the ring, word by word, with no rule kept.
///
/// Where things stand in the usual layout of `TestMemory`:
///
///     0x1_0000  ring    0x1_4000  indirect table    0x1_8000  header    0x1_9000  data
///     0x1_F000  status  0x2_0000  second region     0x3_0000  gap       0x4_0000  32 bytes
struct ScriptedDriver {
    static let ring: UInt64 = 0x1_0000
    static let table: UInt64 = 0x1_4000
    static let header: UInt64 = 0x1_8000
    static let data: UInt64 = 0x1_9000
    static let status: UInt64 = 0x1_F000
    static let secondRegion: UInt64 = 0x2_0000
    static let gap: UInt64 = 0x3_0000

    let memory: TestMemory
    let size: Int
    let avail: UInt64
    let used: UInt64
    private(set) var availIndex: UInt16 = 0

    init(memory: TestMemory, size: Int) {
        self.memory = memory
        self.size = size
        let places = SplitRing.consecutive(size: size, from: GuestAddress(rawValue: Self.ring))
        avail = places.avail.rawValue
        used = places.used.rawValue
    }

    func ring() throws -> SplitRing {
        try SplitRing(
            size: size, descriptors: GuestAddress(rawValue: Self.ring),
            avail: GuestAddress(rawValue: avail), used: GuestAddress(rawValue: used),
            in: memory.guest)
    }

    /// Writes one descriptor exactly as given.
    func write(_ descriptor: Raw, at index: Int, table: UInt64 = Self.ring) {
        let address = table + UInt64(index) * 16
        memory.store(descriptor.address, at: address)
        memory.store(descriptor.length, at: address + 8)
        memory.store(descriptor.flags, at: address + 12)
        memory.store(descriptor.next, at: address + 14)
    }

    /// Writes `descriptors` from `first` on, each linked to the following one.
    func link(_ descriptors: [Raw], from first: Int = 0, table: UInt64 = Self.ring) {
        for (position, descriptor) in descriptors.enumerated() {
            var linked = descriptor
            if position < descriptors.count - 1 {
                linked.flags |= Raw.next
                linked.next = UInt16(first + position + 1)
            }
            write(linked, at: first + position, table: table)
        }
    }

    /// Puts heads into the avail ring and publishes them.
    mutating func offer(_ heads: UInt16...) {
        for head in heads {
            memory.store(head, at: avail + 4 + UInt64(Int(availIndex) % size) * 2)
            availIndex &+= 1
        }
        setAvailIndex(availIndex)
    }

    mutating func setAvailIndex(_ index: UInt16) {
        availIndex = index
        memory.store(index, at: avail + 2)
    }

    func setAvailFlags(_ flags: UInt16) { memory.store(flags, at: avail) }
    func setUsedEvent(_ index: UInt16) { memory.store(index, at: avail + 4 + UInt64(size) * 2) }

    // The device's side, for tests of the driver end.

    func setUsedIndex(_ index: UInt16) { memory.store(index, at: used + 2) }
    func setUsedFlags(_ flags: UInt16) { memory.store(flags, at: used) }
    func setAvailEvent(_ index: UInt16) { memory.store(index, at: used + 4 + UInt64(size) * 8) }
    func setUsed(id: UInt32, length: UInt32, at index: UInt16) {
        let entry = used + 4 + UInt64(Int(index) % size) * 8
        memory.store(id, at: entry)
        memory.store(length, at: entry + 4)
    }

    var usedIndex: UInt16 { memory.load(UInt16.self, at: used + 2) }
    var usedFlags: UInt16 { memory.load(UInt16.self, at: used) }
    var availEvent: UInt16 { memory.load(UInt16.self, at: used + 4 + UInt64(size) * 8) }
    func used(at index: UInt16) -> (id: UInt32, length: UInt32) {
        let entry = used + 4 + UInt64(Int(index) % size) * 8
        return (
            memory.load(UInt32.self, at: entry), memory.load(UInt32.self, at: entry + 4)
        )
    }

    /// Writes a request header.
    func writeHeader(type: UInt32, sector: UInt64 = 0, at address: UInt64 = Self.header) {
        memory.store(type, at: address)
        memory.store(UInt32(0), at: address + 4)
        memory.store(sector, at: address + 8)
    }

    /// Writes a segment of DISCARD or WRITE ZEROES.
    func writeRange(sector: UInt64, count: UInt32, flags: UInt32, at address: UInt64) {
        memory.store(sector, at: address)
        memory.store(count, at: address + 8)
        memory.store(flags, at: address + 12)
    }
}
