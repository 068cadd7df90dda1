import Testing
import Virtio

/// Every chain of up to three descriptors over all classes of flags, next, length and address, in
/// queues of 2 and 4, compared with a reference that was written for clarity alone. In place of a
/// proof.
struct ExhaustiveChainTests {
    private static let places = [
        TestMemory.Place(guest: 0x1_0000, byteCount: 0x1_0000),
        TestMemory.Place(guest: 0x2_0000, byteCount: 0x40),
    ]

    /// A class of (address, length).
    private typealias Extent = (address: UInt64, length: UInt32)

    /// All descriptors with one of `extents`, `nexts` mattering only where NEXT is set.
    private static func descriptors(_ extents: [Extent], nexts: [UInt16]) -> [Raw] {
        extents.flatMap { extent in
            (0..<8 as Range<UInt16>).flatMap { flags in
                (flags & Raw.next == 0 ? [nexts[0]] : nexts).map {
                    Raw(
                        address: extent.address, length: extent.length, flags: flags, next: $0)
                }
            }
        }
    }

    private static func extents(_ addresses: [UInt64], _ lengths: [UInt32]) -> [Extent] {
        addresses.flatMap { address in lengths.map { (address, $0) } }
    }

    /// Two descriptors, each class with each: 5 addresses, 4 lengths. The ring itself can be the
    /// indirect table, so that the pair is also tried as one.
    @Test func allPairsInAQueueOfTwo() throws {
        let all = Self.descriptors(
            Self.extents(
                [ScriptedDriver.ring, 0x1_8000, 0x1_FFF8, 0x2_0030, UInt64.max - 7],
                [0, 16, 32, 0xFFFF_FFF0]), nexts: [1, 0, 2, 0xFFFF])
        let model = try Model(size: 2, places: Self.places, capacity: 3)
        for first in all {
            model.write(first, at: 0)
            for second in all {
                model.write(second, at: 1)
                try model.compare()
            }
            try model.serveFlush()
        }
        #expect(model.compared == all.count * all.count)
        #expect(model.servedCount > 1000 && model.returnedCount > 1000)
    }

    /// Three of four descriptors, each class with each: the classes are fewer, the chains longer.
    @Test func allTriplesInAQueueOfFour() throws {
        let all = Self.descriptors(
            [(0x1_8000, 16), (ScriptedDriver.ring, 48), (0x1_FFFF, 2), (0x2_003F, 2)],
            nexts: [1, 2, 4])
        let model = try Model(size: 4, places: Self.places, capacity: 4)
        model.write(Raw(address: 0x1_8000, length: 1, flags: Raw.write), at: 3)
        for first in all {
            model.write(first, at: 0)
            for second in all {
                model.write(second, at: 1)
                for third in all {
                    model.write(third, at: 2)
                    try model.compare()
                }
            }
            try model.serveFlush()
        }
        #expect(model.servedCount > 1000 && model.returnedCount > 1000)
    }
}

/// A queue and the reference, fed the same descriptors.
private final class Model {
    private let rig: Rig
    private var reference: ReferenceChain
    private(set) var compared = 0
    private(set) var servedCount = 0
    private(set) var returnedCount = 0

    struct Difference: Error {
        var ring: [Raw]
        var expected: [ReferenceChain.Run]?
        var found: DeviceQueue.Popped
    }

    init(size: Int, places: [TestMemory.Place], capacity: Int) throws {
        rig = try Rig(size: size, capacity: capacity, memory: TestMemory(places))
        let none = Raw(address: 0, length: 0)
        reference = ReferenceChain(
            ring: Array(repeating: none, count: size), tables: [:], memory: places,
            capacity: capacity)
    }

    func write(_ descriptor: Raw, at index: Int) {
        rig.driver.write(descriptor, at: index)
        reference.ring[index] = descriptor
        reference.tables = [ScriptedDriver.ring: reference.ring]
    }

    /// Serves the chain from 0 and compares what it is; no head may stay behind.
    func compare() throws {
        rig.driver.offer(0)
        _ = rig.refresh()
        let expected = reference.runs(from: 0)
        let found = rig.pop()
        guard isSame(found, expected) else {
            throw Difference(ring: reference.ring, expected: expected, found: found)
        }
        rig.push(head: 0, written: 0)
        _ = rig.publish()
        compared += 1
        let isGivenBack = rig.inFlight == 0 && rig.driver.usedIndex == rig.driver.availIndex
        guard isGivenBack else {
            throw Difference(ring: reference.ring, expected: expected, found: found)
        }
    }

    /// After all that, a plain request is still served.
    func serveFlush() throws { try #require(rig.servesFlush()) }

    private func isSame(_ found: DeviceQueue.Popped, _ expected: [ReferenceChain.Run]?) -> Bool {
        switch (found, expected) {
        case (.malformed(head: 0, _), nil):
            returnedCount += 1
            return true
        case (.chain(head: 0), .some(let runs)):
            servedCount += 1
            guard runs.count == rig.list.count else { return false }
            for (index, run) in runs.enumerated() {
                let segment = rig.list[index]
                guard segment.address == rig.memory.host(run.guest),
                    UInt64(segment.byteCount) == run.byteCount,
                    run.isWritable == (index >= rig.list.readableCount)
                else { return false }
            }
            return true
        default: return false
        }
    }
}
