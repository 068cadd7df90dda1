import Synchronization
import Testing
import Virtio

/// When a side is notified, when it is not, and that no notification is lost in between.
struct NotificationTests {
    /// An event is passed when it is one of the indices `old`, `old + 1`, … `new − 1`: the entries
    /// that were just published. Over all values of `new`, so that every wrap is met.
    @Test func passesEventForExactlyTheEntriesPublished() {
        var wrong = 0
        for new in 0...UInt16.max {
            for published: UInt16 in [0, 1, 2, 3, 32, 256, 1024, 0x7FFF, 0x8000, 0xFFFF] {
                let old = new &- published
                let events = [
                    old &- 2, old &- 1, old, old &+ 1, old &+ published / 2, new &- 1, new,
                    new &+ 1, new &+ 0x8000, 0,
                ]
                for event in events {
                    let isAmongThem = Int(event &- old) < Int(published)
                    if passesEvent(event, old: old, new: new) != isAmongThem { wrong += 1 }
                }
            }
        }
        #expect(wrong == 0)
    }

    @Test func kickIsWantedOnceAfterArming() throws {
        let pair = try Pair(size: 16, features: [.eventIndex])
        #expect(!pair.armKicks())
        _ = pair.add()
        #expect(pair.publishAvail())
        _ = pair.add()
        #expect(!pair.publishAvail(), "the device is awake: it did not arm again")
        #expect(pair.refresh() == 2)
        _ = (pair.pop(), pair.pop())
        #expect(!pair.armKicks())
        _ = pair.add()
        #expect(pair.publishAvail())
    }

    @Test func oneKickForABatch() throws {
        let pair = try Pair(size: 16, features: [.eventIndex])
        #expect(!pair.armKicks())
        for _ in 0..<5 { _ = pair.add() }
        #expect(pair.publishAvail())
        #expect(!pair.publishAvail(), "nothing new")
    }

    @Test func kicksAreSuppressedByTheFlagWithoutEventIndex() throws {
        let pair = try Pair(size: 16)
        pair.device.suppressKicks()
        #expect(pair.raw.usedFlags == 1)
        _ = pair.add()
        #expect(!pair.publishAvail())
        #expect(pair.refresh() == 1)
        _ = pair.pop()
        #expect(!pair.armKicks())
        #expect(pair.raw.usedFlags == 0)
        _ = pair.add()
        #expect(pair.publishAvail())
    }

    @Test func flagsMeanNothingWithEventIndex() throws {
        let pair = try Pair(size: 16, features: [.eventIndex])
        pair.device.suppressKicks()
        pair.driver.suppressInterrupts()
        #expect(pair.raw.usedFlags == 0)
        pair.raw.setUsedFlags(1)
        pair.raw.setAvailFlags(1)
        _ = pair.add()
        #expect(pair.publishAvail())
        serveAll(pair)
        #expect(pair.publishUsed())
    }

    @Test func workBeforeArmingIsSeenByIt() throws {
        for features: QueueFeatures in [[], [.eventIndex]] {
            let pair = try Pair(size: 16, features: features)
            #expect(!pair.armKicks())
            _ = pair.add()
            _ = pair.publishAvail()
            #expect(pair.armKicks(), "published before arming")
            _ = pair.refresh()
            #expect(pair.armKicks(), "seen and not popped")
            _ = pair.pop()
            #expect(!pair.armKicks())
        }
    }

    @Test func interruptsOnceArmed() throws {
        let pair = try Pair(size: 16, features: [.eventIndex])
        for _ in 0..<4 { _ = pair.add() }
        _ = pair.publishAvail()
        #expect(!pair.armInterrupts())
        #expect(complete(1, pair))
        #expect(!complete(1, pair), "the driver is awake: it did not arm again")
        #expect(pair.armInterrupts(), "completed before arming")
        _ = (pair.reap(), pair.reap())
        #expect(!pair.armInterrupts())
        #expect(complete(2, pair), "one interrupt for a batch")
    }

    @Test func interruptAfterSeveral() throws {
        let pair = try Pair(size: 16, features: [.eventIndex])
        for _ in 0..<5 { _ = pair.add() }
        _ = pair.publishAvail()
        #expect(!pair.armInterrupts(after: 3))
        #expect(!complete(1, pair))
        #expect(!complete(1, pair))
        #expect(complete(1, pair))
        while pair.reap() != nil {}
        #expect(!pair.armInterrupts(after: 1000), "never beyond what is in flight")
        #expect(!complete(1, pair))
        #expect(complete(1, pair))
        while pair.reap() != nil {}
        for count in [Int.min, -1, 0, 1] { #expect(!pair.armInterrupts(after: count)) }
        _ = pair.add()
        _ = pair.publishAvail()
        #expect(complete(1, pair))
    }

    @Test func interruptsAreSuppressedByTheFlagWithoutEventIndex() throws {
        let pair = try Pair(size: 16)
        for _ in 0..<2 { _ = pair.add() }
        _ = pair.publishAvail()
        pair.driver.suppressInterrupts()
        #expect(!complete(1, pair))
        _ = pair.reap()
        #expect(!pair.armInterrupts())
        #expect(complete(1, pair))
    }

    /// Takes `count` more requests, completes them, and returns whether the driver wants to know.
    private func complete(_ count: Int, _ pair: Pair) -> Bool {
        _ = pair.refresh()
        for _ in 0..<count {
            guard case .chain(let head) = pair.pop() else { return false }
            pair.push(head)
        }
        return pair.publishUsed()
    }

    private func serveAll(_ pair: Pair) {
        _ = pair.refresh()
        while case .chain(let head) = pair.pop() { pair.push(head) }
    }
}

/// Both sides at the same time: whoever publishes while the other falls asleep either sees that it
/// wants to be woken, or is seen. This is what the two fences are for.
struct LostWakeupTests {
    private static let rounds = 20_000

    /// One end each for two threads, which never touch the other's.
    private final class Shared: @unchecked Sendable {
        let pair: Pair
        var published = [Bool](repeating: false, count: LostWakeupTests.rounds)
        var armed = [Bool](repeating: false, count: LostWakeupTests.rounds)
        init(_ pair: Pair) { self.pair = pair }
    }

    private func bothMissed(_ shared: Shared) -> Int {
        zip(shared.published, shared.armed).count { !$0 && !$1 }
    }

    @Test(arguments: [[], [.eventIndex]] as [QueueFeatures])
    func noKickIsLost(features: QueueFeatures) throws {
        let shared = Shared(try Pair(features: features))
        let meeting = Meeting()
        atTheSameTime({
            for round in 0..<Self.rounds {
                _ = shared.pair.add()
                meeting.wait(round: 3 * round + 1)
                meeting.stagger(round)
                shared.published[round] = shared.pair.publishAvail()
                meeting.wait(round: 3 * round + 2)
                meeting.wait(round: 3 * round + 3)
                _ = shared.pair.reap()
            }
        }) {
            for round in 0..<Self.rounds {
                shared.pair.device.suppressKicks()
                meeting.wait(round: 3 * round + 1)
                meeting.stagger(round / 32)
                shared.armed[round] = shared.pair.armKicks()
                meeting.wait(round: 3 * round + 2)
                _ = shared.pair.refresh()
                if case .chain(let head) = shared.pair.pop() { shared.pair.push(head) }
                _ = shared.pair.publishUsed()
                meeting.wait(round: 3 * round + 3)
            }
        }
        #expect(shared.pair.freeCount == 4, "every round had its request")
        #expect(bothMissed(shared) == 0)
    }

    @Test(arguments: [[], [.eventIndex]] as [QueueFeatures])
    func noInterruptIsLost(features: QueueFeatures) throws {
        let shared = Shared(try Pair(features: features))
        let meeting = Meeting()
        atTheSameTime({
            for round in 0..<Self.rounds {
                _ = shared.pair.reap()
                shared.pair.driver.suppressInterrupts()
                _ = shared.pair.add()
                _ = shared.pair.publishAvail()
                meeting.wait(round: 3 * round + 1)
                meeting.wait(round: 3 * round + 2)
                meeting.stagger(round / 32)
                shared.armed[round] = shared.pair.armInterrupts()
                meeting.wait(round: 3 * round + 3)
            }
        }) {
            for round in 0..<Self.rounds {
                meeting.wait(round: 3 * round + 1)
                _ = shared.pair.refresh()
                if case .chain(let head) = shared.pair.pop() { shared.pair.push(head) }
                meeting.wait(round: 3 * round + 2)
                meeting.stagger(round)
                shared.published[round] = shared.pair.publishUsed()
                meeting.wait(round: 3 * round + 3)
            }
        }
        #expect(bothMissed(shared) == 0)
    }
}
