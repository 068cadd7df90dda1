import Telemetry
import Testing
import Virtio

/// The observer tells the truth at every step, and survives rings that are rubbish.
struct QueueObserverTests {
    @Test(arguments: [[], [.eventIndex]] as [QueueFeatures])
    func agreesWithTheEndsAtEveryStep(features: QueueFeatures) throws {
        let pair = try Pair(size: 16, features: features)
        var random = Repeatable(seed: 7)
        var published: UInt16 = 0
        var completed: UInt16 = 0
        var waiting: UInt16 = 0
        var wrong: [Virtqueue] = []
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0: if pair.add() != nil { waiting += 1 }
            case 1:
                let isWanted = pair.observer.wantsKick
                let isBatchOfOne = waiting == 1
                published &+= waiting
                waiting = 0
                let isAsked = pair.publishAvail()
                if isBatchOfOne, isAsked != isWanted { wrong.append(pair.observer.observe()) }
            case 2:
                _ = pair.refresh()
                while case .chain(let head) = pair.pop() { pair.push(head) }
                completed &+= UInt16(pair.unpublished)
                _ = pair.publishUsed()
            case 3: while pair.reap() != nil {}
            default:
                if Bool.random(using: &random) {
                    _ = pair.armKicks()
                } else {
                    pair.device.suppressKicks()
                }
            }
            let seen = pair.observer.observe()
            let truth = Virtqueue(
                index: 0, size: 16, availIndex: published, usedIndex: completed,
                inFlight: Int(published &- completed))
            if seen != truth { wrong.append(seen) }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(3))")
    }

    @Test func tellsItsQueue() throws {
        let pair = try Pair(size: 4)
        let observer = QueueObserver(ring: pair.driver.ring, features: [], index: 3)
        #expect(observer.observe().index == 3)
        #expect(observer.observe().size == 4)
    }

    /// Indices that cannot be are shown as they are; in-flight stays within the ring.
    @Test func rubbishNeverFails() throws {
        let pair = try Pair(size: 4, features: [.eventIndex])
        var random = Repeatable(seed: 3)
        for _ in 0..<20_000 {
            let avail = UInt16.random(in: .min ... .max, using: &random)
            let used = UInt16.random(in: .min ... .max, using: &random)
            pair.raw.memory.store(avail, at: pair.raw.avail + 2)
            pair.raw.setUsedIndex(used)
            pair.raw.setAvailEvent(UInt16.random(in: .min ... .max, using: &random))
            let seen = pair.observer.observe()
            let isWithin = (0...4).contains(seen.inFlight)
            if seen.availIndex != avail || seen.usedIndex != used || !isWithin {
                Issue.record("\(seen)")
                return
            }
            _ = pair.observer.wantsKick
        }
    }
}
