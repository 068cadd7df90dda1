import Telemetry
import Testing

@testable import Rings

@Suite("A packed virtqueue is followed from outside")
struct PackedTests {
    /// A ring, how many steps of its two ends lie between two looks, and how many of four requests
    /// are in a table of their own.
    struct Course: Sendable {
        var size: Int
        var steps: Int
        var indirect: Int
    }

    /// With one step between two looks nothing is overwritten before it is seen.
    @Test(
        "The observer agrees with both ends",
        arguments: [
            Course(size: 32, steps: 1, indirect: 4), Course(size: 32, steps: 1, indirect: 2),
            Course(size: 31, steps: 1, indirect: 0), Course(size: 7, steps: 1, indirect: 1),
        ])
    func agrees(course: Course) throws {
        let (reading, completed) = try follow(course) { seen, truth in seen == truth }
        #expect(reading.ended == completed && reading.followed == completed)
        #expect(reading.slipped == 0)
    }

    /// Linux puts all requests of a disk into tables. The device may overwrite the id of one before
    /// it is seen, with that of another: then it is told by its completion alone.
    @Test(
        "Requests overwritten before they are seen are counted, and the others are right",
        arguments: [
            Course(size: 32, steps: 3, indirect: 4), Course(size: 64, steps: 9, indirect: 4),
        ])
    func overwritten(course: Course) throws {
        let (reading, completed) = try follow(course) { seen, truth in
            seen.allSatisfy { truth[$0.key] == $0.value }
        }
        #expect(reading.followed + reading.slipped <= reading.ended)
        // What the driver came round to is not counted: a packed ring has no index.
        #expect(reading.ended <= completed && reading.ended > completed / 10 * 9)
        #expect(reading.followed > reading.ended / 2)
    }

    private func follow(
        _ course: Course, _ agree: ([UInt16: RequestFacts], [UInt16: RequestFacts]) -> Bool
    ) throws -> (LUNRings, completed: UInt64) {
        let ring = try PackedLiveRing(size: course.size)
        let rings = try ring.watch()
        rings.readsAllChains = true
        var random = Repeatable(seed: 5)
        ring.look(rings)
        var completed: UInt64 = 0
        for step in 0..<6_000 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1: publish(ring, step, course, &random)
            case 2: ring.pop()
            case 3, 4:
                guard ring.heldCount > 0 else { continue }
                ring.push(at: Int.random(in: 0..<ring.heldCount, using: &random))
                completed += 1
            default: ring.reap()
            }
            guard step % course.steps == 0 else { continue }
            ring.look(rings)
            let current = try #require(rings.queues[0].current)
            try #require(current.inFlight == ring.underWay.count, "step \(step)")
            try #require(agree(seen(rings), ring.underWay), "step \(step)")
        }
        ring.look(rings)
        rings.drainEnded { _ in }
        let reading = try #require(rings.take { $0 }["vd0"])
        #expect(completed > 800)
        return (reading, completed)
    }

    private func publish(
        _ ring: PackedLiveRing, _ step: Int, _ course: Course, _ random: inout Repeatable
    ) {
        let type: UInt32 = [0, 1, 4].randomElement(using: &random) ?? 0
        let pieces = type == 4 ? 0 : Int.random(in: 1...3, using: &random)
        ring.add(
            type: type, sector: UInt64(step), pieces: pieces,
            isIndirect: Int.random(in: 0..<4, using: &random) < course.indirect)
    }

    private func seen(_ rings: VMRings) -> [UInt16: RequestFacts] {
        var seen: [UInt16: RequestFacts] = [:]
        rings.queues[0].record.book.forEach { head, entry in
            guard entry.state == .underWay else { return }
            seen[head] = RequestFacts(
                type: entry.type, sector: entry.sector, byteCount: entry.byteCount)
        }
        return seen
    }

    @Test("An observer that comes late lists what is under way", arguments: 0..<40)
    func late(rounds: Int) throws {
        let ring = try PackedLiveRing(size: 16)
        for round in 0..<rounds {
            ring.add(type: 1, sector: UInt64(round), pieces: round % 3, isIndirect: false)
            ring.pop()
            ring.push(at: 0)
            ring.reap()
        }
        for sector in 0..<3 {
            ring.add(type: 0, sector: UInt64(sector), pieces: 1, isIndirect: sector == 1)
        }
        let rings = try ring.watch()
        for _ in 0..<20 { ring.look(rings) }
        let requests = try #require(rings.take { $0 }["vd0"]).inFlight
        #expect(requests.map(\.sector).sorted { $0 ?? 0 < $1 ?? 0 } == [0, 1, 2])
        #expect(requests.allSatisfy { $0.ageUncertainty == nil && $0.byteCount == 512 })
    }
}
