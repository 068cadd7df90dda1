import Testing
import Virtio

/// What a chain may not do: its head goes back with length 0 (outcome RETURN) and the queue goes
/// on.
struct ChainRulesTests {
    /// One way to get a chain wrong, in a queue of 8 with the usual memory.
    struct Violation: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var error: ChainError
        var features: QueueFeatures = [.indirect]
        /// Descriptors by index in the ring; the head is 0.
        var ring: [Raw]
        /// Entries of the indirect table.
        var table: [Raw] = []
    }

    private static func pointer(
        _ length: UInt32, at address: UInt64 = ScriptedDriver.table, flags: UInt16 = 0,
        next: UInt16 = 0
    ) -> Raw {
        Raw(address: address, length: length, flags: Raw.indirect | flags, next: next)
    }

    private static func on(_ descriptor: Raw, to next: UInt16) -> Raw {
        var linked = descriptor
        linked.flags |= Raw.next
        linked.next = next
        return linked
    }

    private static let links: [Violation] = [
        Violation(
            testDescription: "next equals the table length", error: .nextOutOfRange,
            ring: [on(.header, to: 8)]),
        Violation(
            testDescription: "next is 65,535", error: .nextOutOfRange,
            ring: [on(.header, to: 65_535)]),
        Violation(
            testDescription: "next leaves the indirect table", error: .nextOutOfRange,
            ring: [pointer(32)], table: [on(.header, to: 2), .status]),
        Violation(
            testDescription: "a descriptor is its own next", error: .loop,
            ring: [on(.header, to: 0)]),
        Violation(
            testDescription: "loop over two descriptors", error: .loop,
            ring: [on(.header, to: 1), on(.header, to: 0)]),
        Violation(
            testDescription: "loop in the indirect table", error: .loop,
            ring: [pointer(32)], table: [on(.header, to: 1), on(.header, to: 0)]),
    ]

    private static let tables: [Violation] = [
        Violation(
            testDescription: "INDIRECT without the feature", error: .indirectNotNegotiated,
            features: [.eventIndex], ring: [pointer(32)], table: [.header, .status]),
        Violation(
            testDescription: "indirect table of length 0", error: .indirectLength,
            ring: [pointer(0)]),
        Violation(
            testDescription: "indirect table of 15 bytes", error: .indirectLength,
            ring: [pointer(15)]),
        Violation(
            testDescription: "indirect table of 33 bytes", error: .indirectLength,
            ring: [pointer(33)]),
        Violation(
            testDescription: "indirect table of 65,536 entries", error: .indirectLength,
            ring: [pointer(65_536 * 16)]),
        Violation(
            testDescription: "indirect table of 4 GiB - 16", error: .indirectLength,
            ring: [pointer(0xFFFF_FFF0)]),
        Violation(
            testDescription: "indirect table in the gap", error: .indirectOutsideMemory,
            ring: [pointer(32, at: ScriptedDriver.gap)]),
        Violation(
            testDescription: "indirect table over the edge of two regions that touch",
            error: .indirectOutsideMemory,
            ring: [pointer(32, at: ScriptedDriver.secondRegion - 16)]),
        Violation(
            testDescription: "indirect table over the end of the address space",
            error: .indirectOutsideMemory, ring: [pointer(32, at: UInt64.max - 15)]),
        Violation(
            testDescription: "INDIRECT inside an indirect table", error: .indirectInIndirect,
            ring: [pointer(32)], table: [on(.header, to: 1), pointer(16)]),
        Violation(
            testDescription: "indirect table that is its own entry", error: .indirectInIndirect,
            ring: [pointer(16)], table: [pointer(16)]),
        Violation(
            testDescription: "INDIRECT and NEXT together", error: .indirectWithNext,
            ring: [pointer(32, flags: Raw.next, next: 1), .status], table: [.header, .status]),
    ]

    private static let buffers: [Violation] = [
        Violation(
            testDescription: "device-readable after device-writable",
            error: .readableAfterWritable, ring: [on(.status, to: 1), .header]),
        Violation(
            testDescription: "device-readable after device-writable, in the indirect table",
            error: .readableAfterWritable, ring: [pointer(32)],
            table: [on(.status, to: 1), .header]),
        Violation(
            testDescription: "zero-length readable descriptor", error: .emptyBuffer,
            ring: [on(.out(0), to: 1), .status]),
        Violation(
            testDescription: "zero-length writable descriptor", error: .emptyBuffer,
            ring: [on(.header, to: 1), .into(0)]),
        Violation(
            testDescription: "zero-length descriptor outside memory", error: .emptyBuffer,
            ring: [.out(0, at: ScriptedDriver.gap)]),
        Violation(
            testDescription: "address + length overflows 64 bits", error: .outsideMemory,
            ring: [.out(2, at: UInt64.max)]),
        Violation(
            testDescription: "address + length overflows 64 bits, at most", error: .outsideMemory,
            ring: [.out(UInt32.max, at: UInt64.max)]),
        Violation(
            testDescription: "buffer in the gap", error: .outsideMemory,
            ring: [.out(1, at: ScriptedDriver.gap)]),
        Violation(
            testDescription: "buffer into the gap", error: .outsideMemory,
            ring: [.out(2, at: ScriptedDriver.gap - 1)]),
        Violation(
            testDescription: "buffer over two regions into the gap", error: .outsideMemory,
            ring: [.out(0x1_0002, at: ScriptedDriver.secondRegion - 1)]),
        Violation(
            testDescription: "buffer of 4 GiB - 1", error: .outsideMemory,
            ring: [.out(UInt32.max)]),
    ]

    @Test(arguments: links + tables + buffers)
    func violation(_ violation: Violation) throws {
        let rig = try Rig(features: violation.features)
        for (index, descriptor) in violation.ring.enumerated() {
            rig.driver.write(descriptor, at: index)
        }
        for (index, descriptor) in violation.table.enumerated() {
            rig.driver.write(descriptor, at: index, table: ScriptedDriver.table)
        }
        rig.driver.offer(0)
        #expect(rig.serve() == .returned(violation.error))
        #expect(rig.driver.usedIndex == 1)
        #expect(rig.driver.used(at: 0) == (id: 0, length: 0))
        #expect(rig.servesFlush(), "the queue goes on")
    }

    @Test func chainOfAsManyDescriptorsAsTheTableHasIsNoLoop() throws {
        let rig = try Rig(size: 4)
        let chain: [Raw] = [.out(8), .out(8), .into(8), .status]
        #expect(rig.serve(chain) == .status(BlockStatus.ioError))
        #expect(rig.serveIndirect(chain) == .status(BlockStatus.ioError))
    }

    @Test func moreSegmentsThanTheListHolds() throws {
        let rig = try Rig(size: 8, capacity: 3)
        let four: [Raw] = [.header, .into(512), .into(512), .status]
        rig.driver.writeHeader(type: BlockRequestType.read)
        #expect(rig.serve(four) == .returned(.tooManySegments))
        #expect(rig.serveIndirect(four) == .returned(.tooManySegments))
        // A buffer over the edge of two regions is two segments.
        let edge = [.header, Raw.into(512, at: ScriptedDriver.secondRegion - 256), .status]
        #expect(rig.serve(edge) == .returned(.tooManySegments))
        #expect(rig.servesFlush())
    }

    /// The sum is checked over the whole chain: no single buffer here is too long.
    @Test func moreThanFourGiBInOneChain() throws {
        var places = TestMemory.usual
        places.append(TestMemory.Place(guest: 0x1_0000_0000, byteCount: 1 << 31))
        let rig = try Rig(memory: try TestMemory(places))
        let half = Raw.into(1 << 31, at: 0x1_0000_0000)
        rig.driver.writeHeader(type: BlockRequestType.read)
        #expect(rig.serve([.header, half, half, .status]) == .returned(.tooLong))
        let less = Raw.into((1 << 31) - 17, at: 0x1_0000_0000)
        #expect(rig.serve([.header, half, less]) == .status(BlockStatus.ioError))
        #expect(rig.servesFlush())
    }
}

/// What a device must accept although it looks odd.
struct ChainAcceptanceTests {
    private let read: [Raw] = [.header, .into(512), .status]

    private func expectRead(_ outcome: Outcome, _ bytes: UInt64 = 512) {
        guard case .execute(let work) = outcome else {
            Issue.record("not executed: \(outcome)")
            return
        }
        #expect(work.operation == .read && work.byteCount == bytes)
    }

    @Test func directChain() throws {
        let rig = try Rig(features: [])
        rig.driver.writeHeader(type: BlockRequestType.read)
        expectRead(rig.serve(read))
    }

    @Test func indirectTable() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.read)
        expectRead(rig.serveIndirect(read))
    }

    @Test func writeFlagOnTheDescriptorThatPointsToTheTable() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.read)
        rig.driver.link(read, table: ScriptedDriver.table)
        let pointer = Raw(
            address: ScriptedDriver.table, length: 48, flags: Raw.indirect | Raw.write)
        expectRead(rig.serve([pointer]))
    }

    @Test func normalDescriptorsThenOneIndirect() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.read)
        rig.driver.link([.into(512), .status], table: ScriptedDriver.table)
        let pointer = Raw(address: ScriptedDriver.table, length: 32, flags: Raw.indirect)
        expectRead(rig.serve([.header, pointer]))
    }

    /// The table's own length bounds it, not the queue's size.
    @Test func indirectTableLongerThanTheQueue() throws {
        let rig = try Rig(size: 2, capacity: 64)
        rig.driver.writeHeader(type: BlockRequestType.read)
        let data = (0..<40).map { Raw.into(64, at: ScriptedDriver.data + UInt64($0) * 64) }
        expectRead(rig.serveIndirect([.header] + data + [.status]), 40 * 64)
    }

    @Test func unknownFlagBits() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.read)
        let unknown: UInt16 = 0xFFF8
        expectRead(
            rig.serve(
                read.map {
                    Raw(address: $0.address, length: $0.length, flags: $0.flags | unknown)
                }))
    }

    @Test func nextIsIgnoredWithoutItsFlag() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.flush)
        rig.driver.link([.header, .status])
        rig.driver.write(
            Raw(address: ScriptedDriver.status, length: 1, flags: Raw.write, next: 999), at: 1)
        rig.driver.offer(0)
        guard case .execute = rig.serve() else {
            Issue.record("not executed")
            return
        }
    }

    @Test func dataOverTheEdgeOfTwoRegionsAreSplit() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.read)
        let edge = ScriptedDriver.secondRegion
        guard case .execute(let work) = rig.serve([.header, .into(512, at: edge - 200), .status])
        else {
            Issue.record("not executed")
            return
        }
        #expect(
            work.data == [
                Segment(address: rig.memory.host(edge - 200), byteCount: 200),
                Segment(address: rig.memory.host(edge), byteCount: 312),
            ])
    }

    /// Stricter devices refuse this; ours gathers the header as from two descriptors.
    @Test func headerOverTheEdgeOfTwoRegionsIsGathered() throws {
        let rig = try Rig()
        let address = ScriptedDriver.secondRegion - 8
        rig.memory.store(BlockRequestType.read, at: address)
        rig.memory.store(UInt32(0), at: address + 4)
        rig.memory.store(UInt64(77), at: address + 8)
        guard
            case .execute(let work) = rig.serve([
                Raw(address: address, length: 16), .into(512), .status,
            ])
        else {
            Issue.record("not executed")
            return
        }
        #expect(work.sector == 77 && work.byteCount == 512)
    }

    @Test func bufferThatEndsWithTheAddressSpace() throws {
        let rig = try Rig()
        rig.driver.writeHeader(type: BlockRequestType.read)
        expectRead(
            rig.serve([.header, .into(512, at: 0xFFFF_FFFF_FFFF_FE00), .status]))
    }
}
