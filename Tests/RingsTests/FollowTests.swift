import Telemetry
import Testing
import Virtio

@testable import Rings

@Suite("A virtqueue is followed from outside")
struct FollowTests {
    /// Whatever the two ends do between two looks, what is under way, and how much came and went,
    /// is exact.
    @Test(
        "The observer agrees with both ends",
        arguments: [[.eventIndex, .indirect], [.eventIndex], []] as [QueueFeatures],
        [false, true])
    func agrees(features: QueueFeatures, isInFile: Bool) throws {
        let ring = try LiveRing(size: 32, features: features, isInFile: isInFile)
        let rings = try ring.watch()
        var random = Repeatable(seed: 3)
        ring.look(rings)
        var (published, completed) = (0, 0)
        for step in 0..<6_000 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                let type: UInt32 = [0, 1, 4].randomElement(using: &random) ?? 0
                let bytes = type == 4 ? 0 : UInt32.random(in: 1...8, using: &random) * 512
                let before = ring.underWay.count
                ring.add(type: type, sector: UInt64(step), byteCount: bytes)
                ring.publish()
                published += ring.underWay.count - before
            case 2: ring.pop()
            case 3, 4:
                guard let at = ring.held.indices.randomElement(using: &random) else { continue }
                ring.push(at: at)
                ring.publishUsed()
                completed += 1
            default: ring.reap()
            }
            guard step % 3 == 0 else { continue }
            ring.look(rings)
            try compare(rings, ring)
        }
        rings.drainEnded { _ in }
        let reading = try #require(rings.take { $0 }["vd0"])
        #expect(reading.ended == UInt64(completed))
        #expect(reading.followed == UInt64(completed))
        #expect(reading.slipped == 0)
        let stamped = reading.readLatencies.count + reading.writeLatencies.count
        #expect(stamped > 0)
        #expect(rings.queues[0].record.meter.submissions == 0)
        #expect(published > 1500 && completed > 1400)
    }

    private func compare(_ rings: VMRings, _ ring: LiveRing) throws {
        #expect(rings.problem == nil)
        var seen: [UInt16: RequestFacts] = [:]
        var isDescribed = true
        rings.queues[0].record.book.forEach { head, entry in
            isDescribed = isDescribed && entry.chain == .read
            seen[head] = RequestFacts(
                type: entry.type, sector: entry.sector, byteCount: entry.byteCount)
        }
        #expect(isDescribed)
        #expect(seen == ring.underWay)
    }

    @Test("What came and went between two looks is seen in the rings, with its uncertainty")
    func betweenLooks() throws {
        let ring = try LiveRing()
        let rings = try ring.watch()
        ring.look(rings)
        ring.add(type: 0, sector: 8, byteCount: 4096)
        ring.publish()
        ring.pop()
        ring.push()
        ring.publishUsed()
        ring.reap()
        ring.look(rings)
        var events: [IOEvent] = []
        rings.drainEnded { events.append($0) }
        let event = try #require(events.first)
        #expect(events.count == 1)
        #expect(event.type == IOEvent.unknownType)
        // Between 0 and the time from the first look's begin to the second's end.
        let latency = try #require(event.latency)
        #expect(latency <= 1_003_000 && event.latencyError >= latency)
    }

    @Test("Where requests' time went is told once ten looks found some under way")
    func stagesWantLooks() throws {
        let ring = try LiveRing()
        let rings = try ring.watch()
        ring.look(rings)
        for (looks, isTold) in [(0, false), (9, false), (10, true)] {
            ring.add(type: 0, sector: 8, byteCount: 4096)
            ring.publish()
            ring.pop()
            // The first reads the chain too, and then looks at the ring once more.
            for _ in 0..<looks { ring.look(rings) }
            ring.push()
            ring.publishUsed()
            ring.reap()
            ring.look(rings)
            let reading = try #require(rings.take { $0 }["vd0"])
            #expect(reading.ended == 1)
            #expect((reading.stages != nil) == isTold, "\(looks) looks")
            #expect(reading.whyNoStages == (isTold ? nil : .fewRequests))
            #expect((reading.stageQuality[.storage] == .derived) == isTold)
        }
    }

    @Test("Latency lies within its bounds, and the type and place are told")
    func latency() throws {
        let ring = try LiveRing()
        let rings = try ring.watch()
        ring.look(rings)
        ring.add(type: 1, sector: 77, byteCount: 1024)
        ring.publish()
        let truth = ring.clock
        ring.look(rings)
        ring.look(rings)
        ring.pop()
        ring.look(rings)
        ring.push()
        ring.publishUsed()
        let completed = ring.clock
        ring.look(rings)
        ring.look(rings)
        ring.reap()
        let end = ring.clock
        ring.look(rings)
        var events: [IOEvent] = []
        rings.drainEnded { events.append($0) }
        let event = try #require(events.first)
        #expect(event.type == 1 && event.sector == 77 && event.byteCount == 1024)
        #expect(abs(Int64(event.queued) - Int64(truth)) <= Int64(event.queuedError))
        #expect(abs(Int64(event.published) - Int64(completed)) <= 510_000)
        #expect(abs(Int64(event.reaped) - Int64(end)) <= Int64(event.endError))
        #expect(event.popped > event.queued && event.popped < event.published)
        let latency = try #require(event.latency)
        #expect(abs(Int64(latency) - Int64(end - truth)) <= Int64(event.latencyError))
    }

    @Test("A request that does not move is said to be where it is stuck")
    func places() throws {
        let ring = try LiveRing()
        let rings = try ring.watch()
        ring.look(rings)
        for sector in 0..<3 { ring.add(type: 0, sector: UInt64(sector), byteCount: 512) }
        ring.publish()
        ring.look(rings)
        #expect(try placesNow(rings) == [.ring, .ring, .ring])
        ring.pop(2)
        ring.pop(3)
        ring.look(rings, after: 5_000_000)
        #expect(try placesNow(rings) == [.device, .device, .device])
        ring.push()
        ring.publishUsed()
        ring.look(rings, after: 5_000_000)
        ring.look(rings, after: 50_000_000)
        #expect(try placesNow(rings) == [.used, .device, .device])
        let oldest = try #require(inFlight(rings).first)
        #expect(oldest.age > 59_000 && oldest.age < 63_000)
        ring.reap()
        ring.look(rings)
        #expect(try placesNow(rings) == [.device, .device])
    }

    private func inFlight(_ rings: VMRings) throws -> [InFlightRequest] {
        try #require(rings.take { $0 }["vd0"]).inFlight
    }

    private func placesNow(_ rings: VMRings) throws -> [InFlightRequest.Place] {
        try inFlight(rings).map(\.place).sorted { $0.rawValue > $1.rawValue }
    }

    @Test("An observer that comes late lists what is under way, without an age it cannot know")
    func late() throws {
        let ring = try LiveRing()
        for sector in 0..<4 { ring.add(type: 0, sector: UInt64(sector), byteCount: 512) }
        ring.publish()
        ring.pop()
        let rings = try ring.watch()
        ring.look(rings)
        for _ in 0..<16 { ring.look(rings) }
        let requests = try inFlight(rings)
        #expect(requests.count == 4)
        #expect(requests.allSatisfy { $0.ageUncertainty == nil && $0.place == .device })
        #expect(Set(requests.map(\.sector)) == [0, 1, 2, 3])
    }

    @Test("Requests that slip through between two looks are counted by the indices")
    func slipped() throws {
        let ring = try LiveRing(size: 8)
        let rings = try ring.watch()
        ring.look(rings)
        for sector in 0..<100 {
            ring.add(type: 0, sector: UInt64(sector), byteCount: 512)
            ring.publish()
            ring.pop()
            ring.push()
            ring.publishUsed()
            ring.reap()
        }
        ring.look(rings)
        let reading = try #require(rings.take { $0 }["vd0"])
        #expect(reading.ended == 100)
        #expect(reading.whyNoStages == .brief)
        #expect(reading.slipped == 100)
        #expect(reading.virtqueues.first?.inFlight == 0)
        #expect(reading.virtqueues.first?.usedIndex == 100)
    }

    @Test(
        "An idle queue that is looked at seldom loses no request, only sharpness",
        arguments: [false, true])
    func stride(isInFile: Bool) throws {
        let ring = try LiveRing(isInFile: isInFile)
        let rings = try ring.watch()
        rings.idleStride = 4
        for _ in 0..<8 { ring.look(rings) }
        var lags: Set<Nanoseconds> = []
        for _ in 0..<4 {
            ring.look(rings)
            let lookedAt = try #require(rings.take { $0 }["vd0"]?.lookedAt)
            #expect(lookedAt.lowerBound == lookedAt.upperBound)
            lags.insert(try #require(rings.last).end - lookedAt.upperBound)
        }
        #expect(lags.count == 4 && lags.contains(0), "three looks of four were not at it")
        ring.add(type: 1, sector: 9, byteCount: 512)
        ring.publish()
        let truth = ring.clock
        for _ in 0..<4 { ring.look(rings) }
        let request = try #require(inFlight(rings).first)
        #expect(request.sector == 9)
        let uncertainty = try #require(request.ageUncertainty)
        #expect(uncertainty > 1000 && uncertainty < 2600)
        let age = Double(ring.clock - truth) / 1000
        #expect(abs(request.age - age) <= uncertainty)
        ring.pop()
        ring.push()
        ring.publishUsed()
        ring.reap()
        for _ in 0..<5 { ring.look(rings) }
        let reading = try #require(rings.take { $0 }["vd0"])
        #expect(reading.ended == 1 && reading.inFlight.isEmpty)
    }

    @Test("A side that has served a batch and wishes for the next one had to be told all the same")
    func notifications() throws {
        let ring = try LiveRing()
        let rings = try ring.watch()
        for _ in 0..<4 { ring.look(rings) }
        ring.pop()
        ring.reap()
        for _ in 0..<10 {
            for _ in 0..<3 { ring.look(rings) }
            ring.add(type: 0, sector: 1, byteCount: 512)
            ring.publish()
            ring.pop()
            ring.look(rings)
            ring.push()
            ring.publishUsed()
            ring.reap()
        }
        ring.look(rings)
        let queue = try #require(rings.take { $0 }["vd0"]?.virtqueues.first)
        #expect(queue.kicksSuppressedPercent == 0)
        #expect(queue.interruptsSuppressedPercent == 0)
        // The device does not come to rest: who adds to what it has need not tell it.
        for sector in 0..<4 {
            ring.add(type: 0, sector: UInt64(sector), byteCount: 512)
            ring.publish()
            ring.look(rings)
        }
        let busy = try #require(rings.take { $0 }["vd0"]?.virtqueues.first)
        #expect(busy.kicksSuppressedPercent == 75)
    }
}
