import Telemetry
import Virtio

/// The device end against a driver that writes anything anywhere at any time.
struct FuzzDevice: ~Copyable {
    let memory: FuzzMemory
    let size: Int
    let avail: UInt64
    let used: UInt64
    let observer: QueueObserver
    let limits: BlockLimits
    var queue: DeviceQueue
    var list: SegmentList
    var held: [UInt16] = []
    var pushedCount: UInt16 = 0
    var availIndex: UInt16 = 0

    init(_ input: inout FuzzInput, memory: FuzzMemory) throws {
        self.memory = memory
        size = 1 << input.choice(5)
        let features = QueueFeatures(rawValue: input.byte() & 3)
        let places = SplitRing.consecutive(
            size: size, from: GuestAddress(rawValue: FuzzMemory.ring))
        avail = places.avail.rawValue
        used = places.used.rawValue
        let ring = try SplitRing(
            size: size, descriptors: places.descriptors, avail: places.avail, used: places.used,
            in: memory.guest)
        queue = DeviceQueue(ring: ring, memory: memory.guest, features: features)
        observer = QueueObserver(ring: ring, features: features)
        list = SegmentList(capacity: 1 + input.choice(16))
        limits = BlockLimits(
            sectors: 64, isReadOnly: input.byte() & 1 != 0, maximumTransfer: 2048,
            maximumDiscardSectors: 16)
    }

    /// Lets the input act until it ends, then gives back all that is held.
    mutating func run(_ input: inout FuzzInput) {
        while !input.isOver { step(&input) }
        while !held.isEmpty { push(held.count - 1) }
        publish()
        require(queue.inFlight == 0 && queue.unpublished == 0, "a head was lost")
    }

    private mutating func step(_ input: inout FuzzInput) {
        switch input.choice(12) {
        case 0:
            let index = UInt64(input.choice(size))
            memory.storeDescriptor(&input, at: FuzzMemory.ring + index * 16)
        case 1:
            memory.storeDescriptor(&input, at: FuzzMemory.table + UInt64(input.choice(8)) * 16)
        case 2: offer(input.ringWord())
        case 3:
            availIndex = input.word()
            memory.store(availIndex, at: avail + 2)
        case 4: storeHeader(&input)
        case 5: memory.store(UInt32(input.word()) << 8, at: input.address())
        case 6: refresh()
        case 7: pop()
        case 8: if !held.isEmpty { push(input.choice(held.count)) }
        case 9: publish()
        case 10: _ = queue.armKicks()
        default:
            queue.suppressKicks()
            observe()
        }
    }

    private mutating func offer(_ head: UInt16) {
        memory.store(head, at: avail + 4 + UInt64(Int(availIndex) % size) * 2)
        availIndex &+= 1
        memory.store(availIndex, at: avail + 2)
    }

    private func storeHeader(_ input: inout FuzzInput) {
        let types: [UInt32] = [0, 1, 4, 8, 11, 13, 0x8000_0001, 99]
        let sectors: [UInt64] = [0, 63, 64, UInt64.max, 1 << 55]
        memory.store(types[input.choice(types.count)], at: FuzzMemory.header)
        memory.store(sectors[input.choice(sectors.count)], at: FuzzMemory.header + 8)
    }

    private mutating func refresh() {
        let isBroken = queue.breakage != nil
        let count = queue.refresh()
        require(count >= 0 && count <= size, "more chains than the ring holds")
        require(!isBroken || count == 0, "a broken queue has chains")
    }

    private mutating func pop() {
        switch queue.pop(into: &list) {
        case .empty: break
        case .broken: require(queue.breakage != nil, "broken without a reason")
        case .malformed(let head, _): take(head)
        case .chain(let head):
            take(head)
            checkSegments()
            parse()
        }
        require(queue.inFlight == held.count, "in flight is not what was popped")
        require(queue.inFlight <= size, "more in flight than the ring holds")
    }

    private mutating func take(_ head: UInt16) {
        require(Int(head) < size, "a head out of range")
        require(!held.contains(head), "a head popped twice")
        held.append(head)
    }

    private func checkSegments() {
        require(list.count > 0 && list.readableCount <= list.count, "counts")
        var bytes: UInt64 = 0
        for index in 0..<list.count {
            require(memory.holds(list[index]), "a segment outside memory")
            require(list[index].byteCount > 0, "an empty segment")
            bytes += UInt64(list[index].byteCount)
        }
        require(bytes == list.readableBytes + list.writableBytes, "bytes are not the sum")
    }

    private func parse() {
        switch limits.parse(list) {
        case .malformed: break
        case .answer(let status, let address):
            require(status == 1 || status == 2, "an answer that is none")
            require(memory.holds(Segment(address: address, byteCount: 1)), "status address")
        case .execute(let request): check(request)
        }
    }

    private func check(_ request: BlockRequest) {
        let status = Segment(address: request.statusAddress, byteCount: 1)
        require(memory.holds(status), "status outside memory")
        require(request.firstSegment >= 0 && request.segmentCount >= 0, "segments")
        require(request.firstSegment + request.segmentCount <= list.count, "segments")
        var bytes: UInt64 = 0
        for index in 0..<request.segmentCount {
            let segment = list[request.firstSegment + index]
            require(memory.holds(segment) && segment.byteCount > 0, "data outside memory")
            bytes += UInt64(segment.byteCount)
        }
        switch request.operation {
        case .read, .write: require(bytes == request.byteCount, "data are not the request's")
        case .getID: require(request.byteCount <= min(20, bytes), "identity without room")
        case .flush, .discard, .writeZeroes, .writeZeroesUnmapping: break
        }
        guard request.operation != .getID, request.operation != .flush else { return }
        require(request.byteCount % 512 == 0 && request.byteCount > 0, "no whole sectors")
        require(request.sector <= limits.sectors, "outside the disk")
        require(request.byteCount / 512 <= limits.sectors - request.sector, "outside the disk")
        require(!limits.isReadOnly || request.operation == .read, "write to a read-only disk")
    }

    private mutating func push(_ position: Int) {
        queue.push(head: held.remove(at: position), written: 1)
        pushedCount &+= 1
    }

    private mutating func publish() {
        _ = queue.publish()
        require(queue.unpublished == 0, "published and not")
        observe()
    }

    private func observe() {
        let inFlight = observer.observe().inFlight
        require(inFlight >= 0 && inFlight <= size, "an observation out of range")
        _ = observer.wantsKick
    }
}
