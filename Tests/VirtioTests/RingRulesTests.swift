import Testing
import Virtio

/// What the ring itself may not do: the queue stops (outcome BREAK), and nothing ever traps.
struct RingRulesTests {
    @Test(arguments: [0, 5, 65_533] as [UInt16])
    func availIndexThatMovesByMoreThanTheRingHolds(start: UInt16) throws {
        let rig = try Rig(size: 4)
        try rig.advance(to: start)
        rig.driver.setAvailIndex(start &+ 5)
        #expect(rig.serve() == .broken(.availIndexJump(from: start, to: start &+ 5)))
        #expect(rig.refresh() == 0)
        #expect(rig.driver.usedIndex == start)
    }

    @Test func availIndexThatGoesBack() throws {
        let rig = try Rig(size: 4)
        try rig.advance(to: 3)
        rig.driver.setAvailIndex(2)
        #expect(rig.serve() == .broken(.availIndexJump(from: 3, to: 2)))
    }

    @Test func availIndexThatFillsTheRingIsAllowed() throws {
        let rig = try Rig(size: 4)
        rig.driver.writeHeader(type: BlockRequestType.flush)
        rig.driver.link([.header, .status])
        rig.driver.offer(0, 1, 2, 3)
        #expect(rig.refresh() == 4)
    }

    @Test(arguments: [4, 5, 255, 65_535] as [UInt16])
    func headAtOrAboveTheSize(head: UInt16) throws {
        let rig = try Rig(size: 4)
        rig.driver.offer(head)
        #expect(rig.serve() == .broken(.headOutOfRange(head)))
        #expect(rig.driver.usedIndex == 0, "a bad head must not come back")
    }

    @Test func headAlreadyInFlight() throws {
        let rig = try Rig(size: 4)
        rig.driver.writeHeader(type: BlockRequestType.flush)
        rig.driver.link([.header, .status])
        rig.driver.offer(0, 0)
        #expect(rig.refresh() == 2)
        #expect(rig.pop() == .chain(head: 0))
        #expect(rig.pop() == .broken(.headInFlight(0)))
        #expect(rig.inFlight == 1)
    }

    /// Each head is in flight at most once, so more than the size can only be a head taken twice.
    @Test func moreInFlightThanTheSize() throws {
        let rig = try Rig(size: 2)
        for head: UInt16 in 0..<2 {
            rig.driver.write(.status, at: Int(head))
            rig.driver.offer(head)
            _ = rig.refresh()
            #expect(rig.pop() == .chain(head: head))
        }
        #expect(rig.inFlight == 2)
        rig.driver.offer(1)
        #expect(rig.refresh() == 1)
        #expect(rig.pop() == .broken(.headInFlight(1)))
        #expect(rig.inFlight == 2)
    }

    @Test func brokenQueueStaysBrokenAndGivesBackWhatItHolds() throws {
        let rig = try Rig(size: 4)
        rig.driver.write(.status, at: 1)
        rig.driver.offer(1, 9)
        #expect(rig.refresh() == 2)
        #expect(rig.pop() == .chain(head: 1))
        #expect(rig.pop() == .broken(.headOutOfRange(9)))
        #expect(rig.pop() == .broken(.headOutOfRange(9)))
        #expect(!rig.hasWork)
        #expect(!rig.armKicks(), "a broken queue has no work to stay awake for")
        rig.push(head: 1, written: 0)
        _ = rig.publish()
        #expect(rig.driver.usedIndex == 1)
        #expect(rig.inFlight == 0)
    }

    @Test func entriesBeyondTheRefreshedIndexWait() throws {
        let rig = try Rig(size: 4)
        rig.driver.write(.status, at: 0)
        rig.driver.write(.status, at: 1)
        rig.driver.offer(0)
        #expect(rig.refresh() == 1)
        rig.driver.offer(1)
        #expect(rig.pop() == .chain(head: 0))
        #expect(rig.pop() == .empty)
        #expect(rig.hasWork)
        #expect(rig.refresh() == 1)
    }
}

extension Rig {
    /// Serves requests until the ring's indices stand at `index`.
    func advance(to index: UInt16) throws {
        driver.writeHeader(type: BlockRequestType.flush)
        driver.link([.header, .status])
        while driver.availIndex != index {
            driver.offer(0)
            guard case .execute = serve() else {
                Issue.record("could not advance")
                return
            }
        }
    }
}
