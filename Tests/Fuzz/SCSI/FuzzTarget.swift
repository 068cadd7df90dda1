import Virtio

/// A virtio-scsi target against a driver that sends any command in any chain.
struct FuzzTarget: ~Copyable {
    private static let size = 16
    private static let operations: [UInt8] = [
        0x00, 0x03, 0x08, 0x0A, 0x12, 0x1A, 0x25, 0x28, 0x2A, 0x2F, 0x35, 0x42, 0x5A, 0x88, 0x8A,
        0x8F, 0x91, 0x93, 0x9E, 0xA0, 0xA8, 0xAA, 0xAF,
    ]
    private static let limits = [
        BlockLimits(sectors: 64, maximumTransfer: 2048, maximumDiscardSectors: 16, serial: "vd0"),
        BlockLimits(sectors: 64, isReadOnly: true, maximumTransfer: 2048),
        BlockLimits(sectors: 1 << 63, maximumTransfer: .max, maximumDiscardSectors: .max),
        BlockLimits(sectors: 80, blockSize: 4096),
    ]

    let memory: FuzzMemory
    let avail: UInt64
    var queue: DeviceQueue
    var list: SegmentList
    let target: SCSITarget
    var availIndex: UInt16 = 0

    init(_ input: inout FuzzInput, memory: FuzzMemory) throws {
        self.memory = memory
        let places = SplitRing.consecutive(
            size: Self.size, from: GuestAddress(rawValue: FuzzMemory.ring))
        avail = places.avail.rawValue
        let ring = try SplitRing(
            size: Self.size, descriptors: places.descriptors, avail: places.avail,
            used: places.used, in: memory.guest)
        queue = DeviceQueue(ring: ring, memory: memory.guest, features: [])
        list = SegmentList(capacity: 2 + input.choice(24))
        let flags = input.byte()
        target = SCSITarget(
            units: Self.limits.map { SCSIUnit($0, hasVolatileCache: flags & 1 != 0) },
            queueSize: Self.size)
    }

    /// One request from its descriptors to its response.
    mutating func step(_ input: inout FuzzInput) {
        layOut(&input)
        _ = queue.refresh()
        switch queue.pop(into: &list) {
        case .empty, .broken: fatalError("a chain that was offered is not there")
        case .malformed(let head, _): queue.push(head: head, written: 0)
        case .chain(let head): serve(head, result: Int64(input.byte()) - 40)
        }
        _ = queue.publish()
    }

    // MARK: The driver

    private mutating func layOut(_ input: inout FuzzInput) {
        let header = input.address()
        var bytes: [UInt8] = [1, 0, 0x40, input.byte() & 7, 0, 0, 0, 0]
        if input.byte() & 15 == 0 { bytes[input.choice(8)] = input.byte() }
        bytes += Array(repeating: 0, count: 11)
        let known = input.choice(Self.operations.count + 1)
        bytes.append(
            known < Self.operations.count ? Self.operations[known] : input.byte())
        for _ in 0..<15 { bytes.append(input.byte()) }
        if input.byte() & 1 == 0 { setRange(&bytes, &input) }
        for (index, byte) in bytes.enumerated() {
            memory.store(byte, at: header &+ UInt64(index))
        }
        let (readable, writable) = (1 + input.choice(4), input.choice(5))
        for index in 0..<readable + writable {
            let isLast = index == readable + writable - 1
            let at = FuzzMemory.ring + UInt64(index * 16)
            memory.store(index == 0 ? header : input.address(), at: at)
            memory.store(input.length(), at: at + 8)
            memory.store(UInt16((isLast ? 0 : 1) | (index < readable ? 0 : 2)), at: at + 12)
            memory.store(UInt16(index + 1), at: at + 14)
        }
        // Parameters and patterns.
        for _ in 0..<input.choice(16) { memory.store(input.byte(), at: input.address()) }
        memory.store(UInt16(0), at: avail + 4 + UInt64(Int(availIndex) % Self.size) * 2)
        availIndex &+= 1
        memory.store(availIndex, at: avail + 2)
    }

    /// An address and a count that matter, in their places of the command at byte 19.
    private func setRange(_ bytes: inout [UInt8], _ input: inout FuzzInput) {
        let addresses: [UInt64] = [0, 9, 10, 15, 62, 63, 64, 1 << 32, 1 << 63 - 1, .max]
        let counts: [UInt64] = [0, 1, 2, 4, 5, 16, 17, .max]
        let (address, count) = (addresses[input.choice(10)], counts[input.choice(8)])
        // Where they stand follows from the group of the operation.
        let places: (address: ClosedRange<Int>, count: ClosedRange<Int>) =
            switch bytes[19] >> 5 {
            case 0: (22...22, 23...23)
            case 1, 2: (21...24, 26...27)
            case 5: (21...24, 25...28)
            default: (21...28, 29...32)
            }
        for (range, value) in [(places.address, address), (places.count, count)] {
            for index in range {
                bytes[index] = UInt8(
                    truncatingIfNeeded: value >> UInt64(8 * (range.upperBound - index)))
            }
        }
    }

    // MARK: The device

    private mutating func serve(_ head: UInt16, result: Int64) {
        let writable = (list.readableCount..<list.count).map { list[$0] }
        let room = list.writableBytes
        let before = memory.contents()
        let parsed = target.parse(list, head: head)
        require(memory.isUnchanged(since: before, but: []), "parsing wrote into memory")
        let written: UInt32
        switch parsed {
        case .malformed: written = 0
        case .answer(let answer):
            require(answer.status == 0 || answer.status == 2, "a status that is none")
            written = target.finish(answer, in: list, head: head)
        case .execute(let request):
            check(request)
            written = target.finish(request, result: result, head: head)
            if request.block.operation == .read, result >= 0 {
                require(UInt64(written) == 108 + request.block.byteCount, "length of a read")
            } else {
                require(written == 108, "length of a response")
            }
        }
        require(UInt64(written) <= room, "more was written than there is room for")
        require(
            memory.isUnchanged(since: before, but: writable), "written outside of the buffers")
        queue.push(head: head, written: written)
    }

    private func check(_ request: SCSIRequest) {
        require(Self.limits.indices.contains(request.unit), "a unit that is not there")
        let limits = Self.limits[request.unit]
        let block = request.block
        require(block.firstSegment >= 0 && block.segmentCount >= 0, "segments")
        require(block.firstSegment + block.segmentCount <= list.count, "segments")
        var bytes: UInt64 = 0
        for index in 0..<block.segmentCount {
            let segment = list[block.firstSegment + index]
            require(memory.holds(segment) && segment.byteCount > 0, "data outside memory")
            let isWritable = block.firstSegment + index >= list.readableCount
            require(isWritable == (block.operation == .read), "data of the other direction")
            bytes += UInt64(segment.byteCount)
        }
        switch block.operation {
        case .read, .write: require(bytes == block.byteCount, "data are not the request's")
        case .flush: require(block.byteCount == 0, "a flush with data")
        case .discard, .writeZeroes, .writeZeroesUnmapping: break
        case .getID: fatalError("no command of SCSI")
        }
        guard block.operation != .flush else { return }
        require(block.byteCount > 0, "nothing to do")
        require(block.byteCount % UInt64(limits.blockSize) == 0, "no whole blocks")
        require(block.sector <= limits.sectors, "outside the disk")
        require(block.byteCount / 512 <= limits.sectors - block.sector, "outside the disk")
        require(!limits.isReadOnly || block.operation == .read, "write to a read-only disk")
    }
}
