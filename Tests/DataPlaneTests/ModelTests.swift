import Kernel
import Telemetry
import Testing
import Virtio

@testable import DataPlane

/// The parts that compute: what a job asks for, how long a modelled disk takes, how long to poll.
@Suite struct ModelTests {
    // MARK: ServiceTime and DelayLine

    @Test func serviceTimesAreExponentialAroundTheirMean() {
        let model = ServiceTime(mean: 1_000_000)
        var random = Random(seed: 7)
        let count = 200_000
        var sum = 0.0
        for _ in 0..<count {
            let due = model.due(completedAt: 5, unit: random.unit())
            #expect(due >= 5 && due <= 5 + 8_000_000)
            sum += Double(due - 5)
        }
        #expect(abs(sum / Double(count) - 1_000_000) < 10_000)
    }

    /// 70 ns of work, 30 ns of stall: what would be answered in the stall is answered at its end.
    @Test(arguments: [(0, 0), (69, 69), (70, 100), (99, 100), (100, 100), (169, 169), (170, 200)])
    func aStallAnswersAtItsEnd(_ now: UInt64, _ due: UInt64) {
        let model = ServiceTime(mean: 0, stallEvery: 100, stallFor: 30)
        #expect(model.due(completedAt: now, unit: 1) == due)
    }

    @Test func aStallLongerThanItsPeriodIsAllStall() {
        let model = ServiceTime(mean: 0, stallEvery: 100, stallFor: .max)
        #expect(model.due(completedAt: 1, unit: 1) == 100)
        #expect(model.due(completedAt: 101, unit: 0) == 200)
    }

    /// Random inserts and takes give what a sorted array gives.
    @Test(arguments: 1...20)
    func theDelayLineSorts(_ seed: UInt64) {
        var random = Random(seed: seed)
        var line = DelayLine(capacity: 64)
        var model: [UInt64] = []
        var now: UInt64 = 0
        for head in 0..<2000 {
            if model.count < 64, random.below(2) == 0 {
                let due = now + random.below(50)
                line.insert(.init(due: due, result: Int64(head), head: UInt16(head & 63)))
                model.append(due)
                model.sort()
            } else {
                now += random.below(10)
                while let entry = line.take(at: now) {
                    #expect(model.first == entry.due && entry.due <= now)
                    model.removeFirst()
                }
                #expect(model.first ?? .max > now)
            }
            let (count, first) = (line.count, line.firstDue)
            #expect(count == model.count && first == model.first)
        }
    }

    // MARK: JobGenerator

    private func wishes(_ job: JobConfiguration, sectors: UInt64, count: Int)
        -> [JobGenerator.Wish]
    {
        var generator = JobGenerator(job, part: 0..<sectors)
        return (0..<count).map { _ in generator.next(slot: 0) }
    }

    @Test(arguments: [0, 1, 30, 50, 99, 100])
    func readsComeInTheirShare(_ percent: Int) {
        let wishes = wishes(job(reads: percent), sectors: 1 << 20, count: 50_000)
        let reads = wishes.count { $0.type == BlockRequestType.read }
        #expect(abs(Double(reads) / 500 - Double(percent)) < 1)
        #expect(wishes.allSatisfy { $0.byteCount == 4096 && $0.sector % 8 == 0 })
        #expect(wishes.allSatisfy { $0.sector + 8 <= 1 << 20 })
    }

    @Test func randomBlocksCoverTheDiskEvenly() {
        let wishes = wishes(job(), sectors: 64 * 8 + 7, count: 64_000)
        var hits = [Int](repeating: 0, count: 64)
        for wish in wishes { hits[Int(wish.sector / 8)] += 1 }
        #expect(hits.allSatisfy { (800...1200).contains($0) })
    }

    @Test func sequentialJobsStartApartAndWrap() {
        var work = job()
        work.pattern = .sequential
        (work.jobs, work.depth) = (2, 4)
        var generator = JobGenerator(work, part: 0..<80)
        // The slots of a job are its own, in whatever order they come.
        let first = [0, 3, 1, 2, 3, 0, 0].map { generator.next(slot: $0).sector / 8 }
        let second = [7, 4, 4, 5, 6, 7, 4].map { generator.next(slot: $0).sector / 8 }
        #expect(first == [0, 1, 2, 3, 4, 5, 6])
        #expect(second == [5, 6, 7, 8, 9, 0, 1])
    }

    @Test func theSameSeedAsksTheSame() {
        var other = job()
        other.seed = 2
        func places(_ job: JobConfiguration) -> [UInt64] {
            wishes(job, sectors: 1 << 30, count: 100).map(\.sector)
        }
        #expect(places(job()) == places(job()))
        #expect(places(job()) != places(other))
    }

    @Test(arguments: [100.0, 28_800, 1e6])
    func arrivalsAreAPoissonProcessAtTheRate(_ rate: Double) {
        var work = job()
        work.rate = rate
        var generator = JobGenerator(work, part: 0..<1 << 20)
        var gaps: [Double] = []
        var last = generator.due
        for _ in 0..<100_000 {
            generator.advance(now: generator.due)
            gaps.append(Double(generator.due - last))
            last = generator.due
        }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        #expect(abs(mean * rate / 1e9 - 1) < 0.02)
        // An exponential distribution's deviation is its mean.
        #expect(abs(variance.squareRoot() / mean - 1) < 0.03)
    }

    @Test func aSwingKeepsTheMeanOverItsPeriod() {
        var work = job()
        work.rate = 10_000
        work.swing = 0.5
        work.swingPeriod = 2
        var generator = JobGenerator(work, part: 0..<1 << 20)
        var perQuarter = [Int](repeating: 0, count: 4)
        while generator.due < 20_000_000_000 {
            perQuarter[Int(generator.due % 2_000_000_000 / 500_000_000)] += 1
            generator.advance(now: generator.due)
        }
        #expect(abs(perQuarter.reduce(0, +) - 200_000) < 4000)
        #expect((perQuarter.max() ?? 0) > (perQuarter.min() ?? 0) * 3 / 2)
    }

    @Test func aStandstillIsForgotten() {
        var work = job()
        work.rate = 1000
        var generator = JobGenerator(work, part: 0..<1 << 20)
        let late = generator.due + 10_000_000_000
        generator.advance(now: late)
        #expect(generator.due >= late)
    }

    // MARK: AdaptivePoll

    /// How long waits took, and the budget they leave; the longest is 32.
    static let waits: [(waits: [UInt64], budget: UInt64)] = [
        ([], 4), ([3], 4), ([4], 4), ([5], 8), ([5, 9], 16), ([5, 9, 17, 32], 32), ([33], 0),
        ([33, 1], 4), ([33, 33], 0), ([5, 9, 17, 30, 31], 32), ([33, 32], 4),
    ]

    @Test(arguments: waits)
    func pollingFollowsWhatPays(_ waits: [UInt64], _ budget: UInt64) {
        var poll = AdaptivePoll(longest: 32)
        for waited in waits { poll.workCame(after: waited) }
        #expect(poll.budget == budget)
    }

    @Test func noPollingStaysNone() {
        var poll = AdaptivePoll(longest: 0)
        for waited: UInt64 in [0, 1, .max] {
            poll.workCame(after: waited)
            #expect(poll.budget == 0)
        }
    }
}
