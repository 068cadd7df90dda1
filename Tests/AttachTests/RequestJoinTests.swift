import Telemetry
import Testing

@testable import Attach
@testable import Rings

/// A request of LUN number `lun` from `begin` to `begin` + 100, microseconds.
private func event(_ lun: UInt16, sector: UInt64, at begin: UInt64) -> IOEvent {
    var event = IOEvent(
        type: 0, status: 0, lun: lun, head: 0, sector: sector, byteCount: 4096,
        queued: begin * 1000, kicked: 0, popped: (begin + 5) * 1000, submitted: 0, completed: 0,
        published: (begin + 100) * 1000, notified: 0, reaped: 0)
    (event.queuedError, event.endError) = (2000, 2000)
    return event
}

private func record(sector: UInt64, issued: UInt64, took: UInt64 = 60) -> BlockRequestTrace {
    BlockRequestTrace(
        major: 8, minor: 0, operation: 0, sector: sector, byteCount: 4096, inserted: 0,
        issued: issued * 1000, completed: (issued + took) * 1000)
}

/// Where two LUNs lie; a third is nowhere.
private func place(_ lun: String) -> (disk: String, map: SectorMap)? {
    let offsets: [String: UInt64] = ["a": 1000, "b": 2000]
    return offsets[lun].map { ("sda", SectorMap(offset: $0)) }
}

@Suite struct RequestJoinTests {
    private var join = RequestJoin()

    private mutating func join(
        _ events: [IOEvent], passed: [UInt16: Int] = [:], now: UInt64 = 1_000_000
    ) -> (events: [IOEvent], outcomes: [String: RequestJoin.Outcome]) {
        var held = HeldRequests(events: events, passed: passed, lunNames: ["a", "b", "nowhere"])
        let outcomes = join.join(&held, now: now * 1000, place: place)
        return (held.events, outcomes)
    }

    @Test mutating func stampsAndSums() throws {
        join.take(
            [
                record(sector: 1008, issued: 20), record(sector: 2008, issued: 30),
                record(sector: 1008, issued: 220, took: 70),
            ], of: "sda")
        let (events, outcomes) = join([
            event(0, sector: 8, at: 10), event(2, sector: 8, at: 10), event(1, sector: 8, at: 10),
            event(0, sector: 8, at: 210),
        ])
        #expect(events.map(\.submitted) == [20_000, 0, 30_000, 220_000])
        #expect(events.map(\.completed) == [80_000, 0, 90_000, 290_000])
        #expect(outcomes.keys.sorted() == ["a", "b"])
        let first = try #require(outcomes["a"])
        #expect((first.followed, first.joined, first.popped) == (2, 2, 2))
        #expect((first.submit, first.storage, first.complete) == (10_000, 130_000, 50_000))
        #expect(join.counts.joined == 3 && join.counts.unmatched == 0)
    }

    /// A request of the disk may be over long before the guest's is seen to be, and is nobody's
    /// twice.
    @Test mutating func requestsOfDisksWait() {
        join.take([record(sector: 1008, issued: 20)], of: "sda")
        #expect(join([], now: 4_900_000).events.isEmpty)
        #expect(join([event(0, sector: 8, at: 10)]).events[0].submitted == 20_000)
        #expect(join([event(0, sector: 8, at: 10)]).events[0].submitted == 0)
        join.take([record(sector: 1008, issued: 20)], of: "sda")
        #expect(join([], now: 6_000_000).events.isEmpty)
        #expect(join([event(0, sector: 8, at: 10)]).events[0].submitted == 0, "too old")
    }

    /// Those of another disk are others.
    @Test mutating func disksAreTold() {
        join.take([record(sector: 1008, issued: 20)], of: "sdb")
        #expect(join([event(0, sector: 8, at: 10)]).events[0].submitted == 0)
        #expect(join.counts.unmatched == 1)
    }

    /// Of too many the newest are kept.
    @Test mutating func noMoreThanThereIsRoomFor() {
        for number: UInt64 in 0..<140 {
            join.take(
                (0..<1000).map { record(sector: $0 * 8 + 1_000_000, issued: number) }, of: "sda")
        }
        join.take([record(sector: 1008, issued: 20)], of: "sda")
        #expect(join([event(0, sector: 8, at: 10)]).events[0].submitted == 20_000)
        #expect(join.records["sda"]?.count ?? 0 <= 1 << 17)
    }

    /// Means are those of all only where nearly all were joined; those that passed by count too.
    @Test(arguments: [(9, 1, 0, true), (8, 1, 0, false), (9, 0, 2, false), (0, 0, 3, false)])
    mutating func nearlyAll(joined: Int, missing: Int, passed: Int, isTelling: Bool) {
        let records = (0..<joined).map { record(sector: 1008, issued: UInt64($0) * 200 + 20) }
        join.take(records, of: "sda")
        let events = (0..<(joined + missing)).map { event(0, sector: 8, at: UInt64($0) * 200 + 10) }
        let outcomes = join(events, passed: passed > 0 ? [0: passed] : [:]).outcomes
        #expect(outcomes["a"]?.isTelling == isTelling)
        #expect(outcomes["a"]?.followed == joined + missing + passed)
    }
}

@Suite struct JoinedStageTests {
    private func snapshot(_ outcome: RequestJoin.Outcome) -> LUN {
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: "vm"), sequence: 1, monotonic: 0, wallClock: 0,
            interval: 1)
        var lun = LUN(id: "a", device: "virtio-blk-pci")
        lun.rates.stages = StageTimes(ringWait: 1, storage: 99, notify: 2)
        for stage in [StageTimes.Stage.ringWait, .storage, .notify] {
            lun.rates.stageQuality[stage] = .derived
        }
        snapshot.luns = [lun]
        snapshot.fillStages(from: ["a": outcome])
        return snapshot.luns[0]
    }

    private func outcome(_ joined: Int, of followed: Int, popped: Int) -> RequestJoin.Outcome {
        RequestJoin.Outcome(
            followed: followed, joined: joined, popped: popped, submit: Double(popped) * 10_000,
            storage: Double(joined) * 60_000, complete: Double(joined) * 20_000)
    }

    @Test func meansOfTheJoined() {
        let rates = snapshot(outcome(95, of: 100, popped: 95)).rates
        #expect(
            rates.stages
                == StageTimes(ringWait: 1, submit: 10, storage: 60, complete: 20, notify: 2))
        #expect(rates.stageQuality.letters == "demed")
    }

    @Test func tooFewLeaveWhatIsThere() {
        let rates = snapshot(outcome(89, of: 100, popped: 89)).rates
        #expect(rates.stages == StageTimes(ringWait: 1, storage: 99, notify: 2))
        #expect(rates.stageQuality.letters == "d-d-d")
    }

    /// A device that does not show what it pops leaves `submit` unknown.
    @Test func withoutPops() {
        let rates = snapshot(outcome(100, of: 100, popped: 50)).rates
        #expect(rates.stages?.submit == nil && rates.stages?.storage == 60)
        #expect(rates.stageQuality.letters == "d-med")
    }

    /// Looks are off in both directions; a mean below nothing is nothing.
    @Test func neverLessThanNothing() {
        var odd = outcome(10, of: 10, popped: 10)
        (odd.submit, odd.complete) = (-5, -7)
        let rates = snapshot(odd).rates
        #expect(rates.stages?.submit == 0 && rates.stages?.complete == 0)
    }

    @Test func theSlowestGetTheirStamps() {
        var snapshot = Snapshot(
            source: Source(kind: .qmp, name: "vm"), sequence: 1, monotonic: 0, wallClock: 0,
            interval: 1)
        let events = [event(0, sector: 8, at: 10), event(0, sector: 8, at: 300)]
        snapshot.slowest = events.map { SlowRequest(lun: "a", request: $0) }
        var joined = events[1]
        (joined.submitted, joined.completed) = (310_000, 390_000)
        snapshot.stampSlowest(from: [events[0], joined])
        #expect(snapshot.slowest.map(\.request) == [events[0], joined])
    }
}
