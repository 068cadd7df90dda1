import Testing
import Virtio

/// The driver end against devices that complete in any order, and against devices that lie.
struct DriverQueueTests {
    /// Random additions and completions in random order, compared with a plain list of what is in
    /// flight: no descriptor is ever lost, or part of two chains.
    @Test(arguments: [1, 2, 8, 64], [0, 3])
    func freeListNeitherLosesNorSharesDescriptors(size: Int, indirectCapacity: Int) throws {
        let pair = try Pair(
            size: size, features: indirectCapacity > 0 ? [.indirect] : [],
            indirectCapacity: indirectCapacity)
        var random = Repeatable(seed: UInt64(size))
        var flights: [Flight] = []
        var held: [UInt16] = []
        var wrong: [String] = []
        for _ in 0..<4_000 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let count = Int.random(in: 1...5, using: &random)
                let needed = count > 1 && count <= indirectCapacity ? 1 : count
                let free = size - flights.reduce(0) { $0 + $1.descriptors.count }
                guard let head = pair.add(buffers(count, pair)) else {
                    if needed <= free { wrong.append("refused \(needed) of \(free)") }
                    continue
                }
                flights.append(Flight(descriptors: chain(from: head, pair)))
                if flights.last?.descriptors.count != needed { wrong.append("length") }
                _ = pair.publishAvail()
            case 1:
                _ = pair.refresh()
                while case .chain(let head) = pair.pop() { held.append(head) }
            default:
                guard let position = held.indices.randomElement(using: &random) else { continue }
                let head = held.remove(at: position)
                pair.push(head)
                _ = pair.publishUsed()
                if pair.reap()?.head != head { wrong.append("reaped another") }
                flights.removeAll { $0.descriptors.first == head }
            }
            let descriptors = flights.flatMap(\.descriptors)
            if Set(descriptors).count != descriptors.count { wrong.append("shared") }
            if pair.freeCount != size - descriptors.count { wrong.append("lost") }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        #expect(pair.breakage == nil)
    }

    private struct Flight {
        var descriptors: [UInt16]
    }

    private func buffers(_ count: Int, _ pair: Pair) -> [DriverQueue.Buffer] {
        (0..<count).map {
            pair.buffer(ScriptedDriver.data + UInt64($0) * 8, 8, $0 == count - 1)
        }
    }

    /// The descriptors of the ring that the chain from `head` occupies, as they stand in memory.
    private func chain(from head: UInt16, _ pair: Pair) -> [UInt16] {
        var found = [head]
        while found.count <= 64 {
            let address = ScriptedDriver.ring + UInt64(found[found.count - 1]) * 16
            let flags = pair.memory.load(UInt16.self, at: address + 12)
            guard flags & Raw.next != 0 else { break }
            found.append(pair.memory.load(UInt16.self, at: address + 14))
        }
        return found
    }

    @Test func afterAllIsReapedEveryDescriptorCanBeUsedAlone() throws {
        let pair = try Pair(size: 8)
        for _ in 0..<3 {
            let one = try #require(pair.add())
            let two = try #require(pair.add())
            _ = pair.publishAvail()
            _ = pair.refresh()
            _ = (pair.pop(), pair.pop())
            pair.push(two)
            pair.push(one)
            _ = pair.publishUsed()
            _ = (pair.reap(), pair.reap())
        }
        let heads = (0..<8).compactMap { _ in
            pair.add([pair.buffer(ScriptedDriver.data, 8, false)])
        }
        #expect(Set(heads).count == 8)
    }

    // A device that lies: the queue stops, and nothing traps.

    /// One request in flight in a queue of 4, and a device that writes its own used ring.
    private func waiting() throws -> (Pair, head: UInt16) {
        let pair = try Pair(size: 4)
        let head = try #require(pair.add())
        _ = pair.publishAvail()
        return (pair, head)
    }

    @Test(arguments: [4, 5, 0xFFFF, 0x1_0000, UInt32.max] as [UInt32])
    func usedIDOutOfRange(id: UInt32) throws {
        let (pair, _) = try waiting()
        pair.raw.setUsed(id: id, length: 0, at: 0)
        pair.raw.setUsedIndex(1)
        expectStopped(pair, .notInFlight(id))
    }

    @Test func usedIDThatIsNotInFlight() throws {
        let (pair, head) = try waiting()
        let other = UInt32(head + 1)
        pair.raw.setUsed(id: other, length: 0, at: 0)
        pair.raw.setUsedIndex(1)
        expectStopped(pair, .notInFlight(other))
    }

    @Test func usedIDTwice() throws {
        let pair = try Pair(size: 4)
        let buffer = [pair.buffer(ScriptedDriver.data, 8, false)]
        let head = try #require(pair.add(buffer))
        _ = pair.add(buffer)
        _ = pair.publishAvail()
        pair.raw.setUsed(id: UInt32(head), length: 0, at: 0)
        pair.raw.setUsed(id: UInt32(head), length: 0, at: 1)
        pair.raw.setUsedIndex(2)
        #expect(pair.reap()?.head == head)
        expectStopped(pair, .notInFlight(UInt32(head)))
    }

    @Test(arguments: [2, 4, 0x8000, 0xFFFF] as [UInt16])
    func usedIndexJump(index: UInt16) throws {
        let (pair, _) = try waiting()
        pair.raw.setUsedIndex(index)
        expectStopped(pair, .usedIndexJump(from: 0, to: index))
    }

    private func expectStopped(_ pair: Pair, _ breakage: DriverQueue.Breakage) {
        #expect(pair.hasUsed)
        #expect(pair.reap() == nil)
        #expect(pair.breakage == breakage)
        #expect(pair.reap() == nil)
        #expect(!pair.hasUsed)
        #expect(!pair.armInterrupts())
    }

    @Test func whatTheDeviceWritesIntoTheTableIsNotBelieved() throws {
        let (pair, head) = try waiting()
        for index in 0..<4 {
            pair.raw.write(Raw(address: 0, length: 0, flags: 0xFFFF, next: 0), at: index)
        }
        pair.raw.setUsed(id: UInt32(head), length: 1, at: 0)
        pair.raw.setUsedIndex(1)
        #expect(pair.reap()?.head == head)
        #expect(pair.freeCount == 4)
        let heads = (0..<4).compactMap { _ in
            pair.add([pair.buffer(ScriptedDriver.data, 8, false)])
        }
        #expect(Set(heads).count == 4)
    }
}
