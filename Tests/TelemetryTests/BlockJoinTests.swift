import Telemetry
import Testing

private func event(
    _ type: UInt32, sector: UInt64, bytes: UInt32 = 4096, queued: UInt64, published: UInt64,
    errors: (UInt32, UInt32) = (0, 0)
) -> IOEvent {
    var event = IOEvent(
        type: type, status: 0, lun: 0, head: 0, sector: sector, byteCount: bytes, queued: queued,
        kicked: 0, popped: 0, submitted: 0, completed: 0, published: published, notified: 0,
        reaped: 0)
    (event.queuedError, event.endError) = errors
    return event
}

private func record(
    _ operation: UInt8, sector: UInt64, bytes: UInt32 = 4096, issued: UInt64, completed: UInt64
) -> BlockRequestTrace {
    BlockRequestTrace(
        major: 7, minor: 0, operation: operation, sector: sector, byteCount: bytes, inserted: 0,
        issued: issued, completed: completed)
}

/// The counts of a join and the stamps it set.
private func join(
    _ events: [IOEvent], _ records: [BlockRequestTrace], _ map: SectorMap = SectorMap()
) -> (counts: [Int], events: [IOEvent]) {
    var (events, join) = (events, BlockJoin())
    join.join(&events, with: records, by: map)
    return ([join.joined, join.ambiguous, join.unmatched], events)
}

@Suite struct BlockJoinTests {
    @Test func oneMatchGivesTheStamps() {
        let (counts, events) = join(
            [event(0, sector: 8, queued: 100, published: 200)],
            [record(0, sector: 2056, issued: 120, completed: 180)], SectorMap(offset: 2048))
        #expect(counts == [1, 0, 0])
        #expect((events[0].submitted, events[0].completed) == (120, 180))
    }

    /// Each differs from a match in one thing.
    @Test(arguments: [
        record(1, sector: 8, issued: 120, completed: 180),
        record(0, sector: 9, issued: 120, completed: 180),
        record(0, sector: 8, bytes: 512, issued: 120, completed: 180),
        record(0, sector: 8, issued: 99, completed: 180),
        record(0, sector: 8, issued: 120, completed: 201),
        record(0, sector: 8, issued: 180, completed: 120),
    ])
    func whatDiffersDoesNotMatch(other: BlockRequestTrace) {
        let (counts, events) = join([event(0, sector: 8, queued: 100, published: 200)], [other])
        #expect(counts == [0, 0, 1])
        #expect((events[0].submitted, events[0].completed) == (0, 0))
    }

    /// A bound that may be off by 5 lets in what lies 5 beyond it, and no more.
    @Test func boundsAreAsWideAsTheyAreUnsure() {
        let unsure = event(0, sector: 8, queued: 100, published: 200, errors: (5, 7))
        #expect(
            join([unsure], [record(0, sector: 8, issued: 95, completed: 207)]).counts == [1, 0, 0])
        #expect(
            join([unsure], [record(0, sector: 8, issued: 94, completed: 207)]).counts == [0, 0, 1])
        #expect(
            join([unsure], [record(0, sector: 8, issued: 95, completed: 208)]).counts == [0, 0, 1])
    }

    @Test func twoMatchesAreNone() {
        let twice = [
            record(0, sector: 8, issued: 110, completed: 120),
            record(0, sector: 8, issued: 130, completed: 140),
        ]
        let (counts, events) = join([event(0, sector: 8, queued: 100, published: 200)], twice)
        #expect(counts == [0, 1, 0])
        #expect(events[0].submitted == 0)
    }

    @Test func twoThatShareOneHaveNone() {
        let twins = [
            event(1, sector: 8, queued: 100, published: 200),
            event(1, sector: 8, queued: 105, published: 205),
        ]
        let (counts, events) = join(twins, [record(1, sector: 8, issued: 110, completed: 190)])
        #expect(counts == [0, 2, 0])
        #expect(events.allSatisfy { $0.submitted == 0 })
    }

    /// Two LUNs on one disk: each is looked for where it lies, and what was joined is told.
    @Test func twoLUNsOnOneDisk() {
        var events = [
            event(0, sector: 8, queued: 100, published: 200),
            event(0, sector: 8, queued: 100, published: 200),
            event(0, sector: 8, queued: 100, published: 200),
        ]
        for index in events.indices { events[index].lun = UInt16(index) }
        let records = [
            record(0, sector: 9, issued: 105, completed: 150),
            record(0, sector: 2008, issued: 120, completed: 180),
            record(0, sector: 1008, issued: 110, completed: 190),
        ]
        let maps: [SectorMap?] = [SectorMap(offset: 1000), SectorMap(offset: 2000), nil]
        var join = BlockJoin()
        let used = join.join(&events, with: records) { maps[Int($0.lun)] }
        #expect(used.sorted() == [1, 2])
        #expect(events.map(\.submitted) == [110, 120, 0])
        #expect((join.joined, join.ambiguous, join.unmatched) == (2, 0, 1))
    }

    @Test func kinds() {
        let all = [
            event(11, sector: 8, queued: 100, published: 200),
            event(13, sector: 16, queued: 100, published: 200),
            event(13, sector: 24, queued: 100, published: 200),
            event(4, sector: 0, bytes: 0, queued: 100, published: 200),
            event(IOEvent.unknownType, sector: 0, queued: 100, published: 200),
            event(0, sector: 40, queued: 100, published: 0),
        ]
        let records = [
            record(3, sector: 8, issued: 110, completed: 120),
            record(9, sector: 16, issued: 110, completed: 120),
            record(3, sector: 24, issued: 110, completed: 120),
            record(2, sector: 0, bytes: 0, issued: 110, completed: 120),
            record(0, sector: 0, issued: 110, completed: 120),
            record(0, sector: 40, issued: 110, completed: 120),
        ]
        #expect(join(all, records).counts == [3, 0, 3])
    }

    /// Requests that do not overlap in both place and time are told apart, whatever else the disk
    /// did; every one is in one count.
    @Test(arguments: 0..<200) func whatWasMadeApartIsJoined(seed: UInt64) {
        var random = Random(seed: seed)
        var (events, records): ([IOEvent], [BlockRequestTrace]) = ([], [])
        var expected: [UInt64: (UInt64, UInt64)] = [:]
        for number in 0..<UInt64(50) {
            let begin = 1_000 + number * 100 + random.next() % 50
            let isWrite = random.next() % 2 == 0
            let sector = random.next() % 16 * 8
            let (issued, completed) = (begin + random.next() % 10, begin + 15 + random.next() % 10)
            events.append(
                event(isWrite ? 1 : 0, sector: sector, queued: begin, published: begin + 30))
            if random.next() % 4 != 0 {
                records.append(
                    record(
                        isWrite ? 1 : 0, sector: sector + 4096, issued: issued,
                        completed: completed))
                expected[number] = (issued, completed)
            }
            // Somebody else's, beyond the LUN.
            records.append(
                record(isWrite ? 1 : 0, sector: sector, issued: issued, completed: completed))
        }
        records.shuffle(using: &random)
        let map = SectorMap(extents: [.init(lun: 0, disk: 4096, count: 128)])
        let (counts, joined) = join(events, records, map)
        #expect(counts == [expected.count, 0, 50 - expected.count])
        for (index, event) in joined.enumerated() {
            let stamps = expected[UInt64(index)] ?? (0, 0)
            #expect((event.submitted, event.completed) == stamps)
        }
    }

    /// Of arbitrary requests, what is joined lies within its bounds, at its place, and is nobody
    /// else's; the counts add up.
    @Test(arguments: 0..<300) func whatIsJoinedFits(seed: UInt64) {
        var random = Random(seed: seed)
        let events = (0..<40).map { _ in
            let begin = 10 + random.next() % 100
            return event(
                [0, 1, 4, 11, 13][Int(random.next() % 5)], sector: random.next() % 6 * 8,
                bytes: UInt32(random.next() % 3 * 512), queued: begin,
                published: begin + random.next() % 40, errors: (UInt32(random.next() % 3), 0))
        }
        let records = (0..<40).map { _ in
            let begin = 1 + random.next() % 100
            return record(
                [0, 1, 2, 3, 9][Int(random.next() % 5)], sector: random.next() % 6 * 8 + 100,
                bytes: UInt32(random.next() % 3 * 512), issued: begin,
                completed: begin + random.next() % 40)
        }
        let (counts, joined) = join(events, records, SectorMap(offset: 100))
        #expect(counts.reduce(0, +) == events.count)
        let done = joined.filter { $0.submitted != 0 }
        #expect(done.count == counts[0])
        for event in done {
            let matches = records.filter {
                $0.sector == event.sector + 100 && $0.byteCount == event.byteCount
                    && $0.issued >= event.queued - UInt64(event.queuedError)
                    && $0.completed <= event.published
            }
            let isThere = matches.contains {
                $0.issued == event.submitted && $0.completed == event.completed
            }
            #expect(isThere)
        }
    }
}

@Suite struct SectorMapTests {
    @Test func pieces() {
        let map = SectorMap(extents: [
            .init(lun: 100, disk: 5_000, count: 50), .init(lun: 0, disk: 1_000, count: 60),
            .init(lun: 60, disk: 1_060, count: 40),
        ])
        #expect(map.extents.count == 2, "neighbours are one piece")
        #expect(map.place(of: 0, count: 100) == 1_000)
        #expect(map.place(of: 92, count: 8) == 1_092)
        #expect(map.place(of: 92, count: 9) == nil, "crosses a border")
        #expect(map.place(of: 100, count: 50) == 5_000)
        #expect(map.place(of: 149, count: 2) == nil)
        #expect(map.place(of: 150, count: 1) == nil)
    }

    @Test func holesAndNonsense() {
        let map = SectorMap(extents: [
            .init(lun: 10, disk: 1, count: 10), .init(lun: 15, disk: 90, count: 10),
            .init(lun: 30, disk: .max, count: 2), .init(lun: 40, disk: 3, count: 0),
        ])
        #expect(map.extents == [.init(lun: 10, disk: 1, count: 10)])
        #expect(map.place(of: 9, count: 1) == nil)
        #expect(map.place(of: 10, count: .max) == nil)
        #expect(SectorMap(extents: []).place(of: 0, count: 1) == nil)
        #expect(SectorMap(offset: 7).place(of: .max - 8, count: 1) == UInt64.max - 1)
        #expect(SectorMap(offset: 7).place(of: .max, count: 1) == nil)
    }
}
