import Virtio

/// The driver end against a device that writes anything into its ring.
struct FuzzDriver: ~Copyable {
    let memory: FuzzMemory
    let size: Int
    let used: UInt64
    var queue: DriverQueue
    /// Heads in flight and how many descriptors of the ring each has.
    var flights: [UInt16: Int] = [:]
    var usedIndex: UInt16 = 0

    init(_ input: inout FuzzInput, memory: FuzzMemory) throws {
        self.memory = memory
        size = 1 << input.choice(5)
        let places = SplitRing.consecutive(
            size: size, from: GuestAddress(rawValue: FuzzMemory.ring))
        used = places.used.rawValue
        let ring = try SplitRing(
            size: size, descriptors: places.descriptors, avail: places.avail, used: places.used,
            in: memory.guest)
        queue = DriverQueue(
            ring: ring, memory: memory.guest, features: QueueFeatures(rawValue: input.byte() & 3),
            indirectTables: GuestAddress(rawValue: FuzzMemory.table), indirectCapacity: 3)
    }

    mutating func run(_ input: inout FuzzInput) {
        while !input.isOver {
            step(&input)
            let descriptors = flights.values.reduce(0, +)
            require(queue.freeCount == size - descriptors, "a descriptor was lost")
            require(queue.inFlight == flights.count, "in flight is not what was added")
        }
    }

    private mutating func step(_ input: inout FuzzInput) {
        switch input.choice(8) {
        case 0: add(1 + input.choice(5))
        case 1: _ = queue.publish()
        case 2: reap()
        case 3:
            let entry = used + 4 + UInt64(Int(usedIndex) % size) * 8
            memory.store(UInt32(input.ringWord()), at: entry)
            usedIndex &+= 1
            memory.store(usedIndex, at: used + 2)
        case 4:
            usedIndex = input.word()
            memory.store(usedIndex, at: used + 2)
        case 5: memory.store(UInt32(input.word()) << 8, at: input.address())
        case 6: _ = queue.armInterrupts(after: Int(input.word()) - 100)
        default: queue.suppressInterrupts()
        }
    }

    private mutating func add(_ count: Int) {
        let buffer = DriverQueue.Buffer(
            address: GuestAddress(rawValue: FuzzMemory.data), byteCount: 8, isWritable: false)
        let buffers = Array(repeating: buffer, count: count)
        let before = queue.freeCount
        let needed = count > 1 && count <= queue.indirectCapacity ? 1 : count
        guard let head = queue.add(buffers.span) else {
            require(before < needed, "refused although there is room")
            return
        }
        require(Int(head) < size && flights[head] == nil, "a head given out twice")
        flights[head] = needed
    }

    private mutating func reap() {
        guard let completed = queue.reap() else { return }
        require(flights.removeValue(forKey: completed.head) != nil, "reaped what was not added")
    }
}
