import Telemetry
import Testing
import Virtio

/// A driver end and a device end over one ring, in the usual memory.
final class Pair {
    let memory: TestMemory
    var driver: DriverQueue
    var device: DeviceQueue
    var list: SegmentList
    let observer: QueueObserver
    let raw: ScriptedDriver

    init(size: Int = 4, features: QueueFeatures = [], indirectCapacity: Int = 0) throws {
        memory = try TestMemory()
        raw = ScriptedDriver(memory: memory, size: size)
        let ring = try raw.ring()
        driver = DriverQueue(
            ring: ring, memory: memory.guest, features: features,
            indirectTables: GuestAddress(rawValue: ScriptedDriver.table),
            indirectCapacity: indirectCapacity)
        device = DeviceQueue(ring: ring, memory: memory.guest, features: features)
        list = SegmentList(capacity: 64)
        observer = QueueObserver(ring: ring, features: features)
    }

    /// A chain of header, data and status with the data at `offset`.
    func add(data: UInt32 = 512, offset: UInt64 = 0) -> UInt16? {
        add([
            buffer(ScriptedDriver.header, 16, false),
            buffer(ScriptedDriver.data + offset, data, true),
            buffer(ScriptedDriver.status, 1, true),
        ])
    }

    func add(_ buffers: [DriverQueue.Buffer]) -> UInt16? { driver.add(buffers.span) }

    func buffer(_ address: UInt64, _ byteCount: UInt32, _ isWritable: Bool)
        -> DriverQueue.Buffer
    {
        DriverQueue.Buffer(
            address: GuestAddress(rawValue: address), byteCount: byteCount, isWritable: isWritable)
    }

    // `#expect` cannot look into values that are not copyable.

    func publishAvail() -> Bool { driver.publish() }
    func refresh() -> Int { device.refresh() }
    func pop() -> DeviceQueue.Popped { device.pop(into: &list) }
    func push(_ head: UInt16, _ written: UInt32 = 1) { device.push(head: head, written: written) }
    func publishUsed() -> Bool { device.publish() }
    func reap() -> DriverQueue.Used? { driver.reap() }
    func armKicks() -> Bool { device.armKicks() }
    func armInterrupts(after count: Int = 1) -> Bool { driver.armInterrupts(after: count) }
    var freeCount: Int { driver.freeCount }
    var unpublished: Int { device.unpublished }
    var breakage: DriverQueue.Breakage? { driver.breakage }
    var hasUsed: Bool { driver.hasUsed }
}

/// Requests that go driver → device → driver as they should.
struct RoundTripTests {
    struct Ends: Sendable {
        var features: QueueFeatures
        var indirectCapacity: Int
    }

    static let ends = [
        Ends(features: [], indirectCapacity: 0), Ends(features: [.eventIndex], indirectCapacity: 0),
        Ends(features: [.indirect], indirectCapacity: 3),
        Ends(features: [.indirect, .eventIndex], indirectCapacity: 3),
    ]

    @Test(arguments: ends)
    func oneRequest(_ ends: Ends) throws {
        let pair = try Pair(features: ends.features, indirectCapacity: ends.indirectCapacity)
        let head = try #require(pair.add())
        #expect(pair.freeCount == (ends.indirectCapacity > 0 ? 3 : 1))
        #expect(pair.refresh() == 0, "not published yet")
        #expect(pair.publishAvail(), "a ring of zeroes asks for the first kick")
        #expect(pair.refresh() == 1)
        #expect(pair.pop() == .chain(head: head))
        let segments = (0..<pair.list.count).map { pair.list[$0] }
        #expect(
            segments == [
                Segment(address: pair.memory.host(ScriptedDriver.header), byteCount: 16),
                Segment(address: pair.memory.host(ScriptedDriver.data), byteCount: 512),
                Segment(address: pair.memory.host(ScriptedDriver.status), byteCount: 1),
            ])
        #expect(pair.reap() == nil)
        pair.push(head, 513)
        #expect(pair.reap() == nil, "not published yet")
        #expect(pair.publishUsed(), "a ring of zeroes asks for the first interrupt")
        let used = try #require(pair.reap())
        #expect(used.head == head && used.written == 513)
        #expect(pair.freeCount == 4)
        #expect(pair.reap() == nil)
    }

    /// Without a feature or without room for its tables, chains are direct.
    @Test func indirectOnlyWhereItFits() throws {
        let pair = try Pair(size: 8, features: [.indirect], indirectCapacity: 2)
        _ = try #require(pair.add())
        #expect(pair.freeCount == 5, "three buffers do not fit into a table of two")
        _ = try #require(pair.add([pair.buffer(ScriptedDriver.data, 8, false)]))
        #expect(pair.freeCount == 4, "one buffer needs no table")
        let memory = try TestMemory()
        let raw = ScriptedDriver(memory: memory, size: 4)
        let queue = DriverQueue(
            ring: try raw.ring(), memory: memory.guest, features: [.indirect],
            indirectTables: GuestAddress(rawValue: ScriptedDriver.gap - 16), indirectCapacity: 4)
        let capacity = queue.indirectCapacity
        #expect(capacity == 0)
    }

    @Test func batchBecomesVisibleAtOnce() throws {
        let pair = try Pair(size: 16)
        let heads = (0..<5).compactMap { _ in pair.add() }
        #expect(heads.count == 5)
        #expect(pair.refresh() == 0)
        _ = pair.publishAvail()
        #expect(pair.refresh() == 5)
        for head in heads { #expect(pair.pop() == .chain(head: head)) }
        #expect(pair.pop() == .empty)
        for head in heads.reversed() { pair.push(head) }
        #expect(pair.unpublished == 5)
        #expect(pair.reap() == nil)
        _ = pair.publishUsed()
        #expect(pair.unpublished == 0)
        #expect((0..<5).compactMap { _ in pair.reap()?.head } == heads.reversed())
    }

    @Test func fullRingTakesNoMore() throws {
        let pair = try Pair(size: 4)
        #expect(pair.add() != nil)
        #expect(pair.add() == nil)
        #expect(pair.add([pair.buffer(ScriptedDriver.data, 8, false)]) != nil)
        #expect(pair.add([pair.buffer(ScriptedDriver.data, 8, false)]) == nil)
        #expect(pair.freeCount == 0)
    }

    /// Far more requests than an index has values, in batches of one and two, with all
    /// notifications.
    @Test(arguments: ends)
    func indicesWrap(_ ends: Ends) throws {
        let pair = try Pair(features: ends.features, indirectCapacity: ends.indirectCapacity)
        var served = 0
        var wrong = 0
        while served < 70_000 {
            let batch = ends.indirectCapacity > 0 ? 1 + served % 2 : 1
            // Both ends have gone to sleep: the next batch must wake them.
            if pair.armKicks() || pair.armInterrupts() { wrong += 1 }
            let heads = (0..<batch).compactMap { _ in pair.add() }
            if !pair.publishAvail() || pair.refresh() != batch { wrong += 1 }
            for head in heads {
                if pair.pop() != .chain(head: head) { wrong += 1 }
                pair.push(head, UInt32(served))
            }
            if !pair.publishUsed() { wrong += 1 }
            for head in heads {
                let used = pair.reap()
                if used?.head != head || used?.written != UInt32(served) { wrong += 1 }
            }
            served += batch
        }
        #expect(wrong == 0)
        #expect(pair.freeCount == 4)
        #expect(pair.observer.observe().availIndex == UInt16(truncatingIfNeeded: served))
    }
}
