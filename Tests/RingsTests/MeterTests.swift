import Testing

@testable import Rings

@Suite("Depths are weighted by time")
struct MeterTests {
    @Test("Mean, percentiles and maximum of a depth that changes")
    func weights() {
        var meter = QueueMeter(size: 8)
        func state(_ depth: Int) -> QueueMeter.State {
            .init(
                inFlight: depth, outstanding: depth, waiting: depth / 2, unreaped: nil,
                isFull: depth == 8)
        }
        meter.add(from: state(0), to: state(0), duration: 900)
        meter.add(from: state(0), to: state(8), duration: 50)
        meter.add(from: state(8), to: state(8), duration: 50)
        #expect(meter.time == 1000)
        #expect(meter.outstandingTime / Double(meter.time) == 0.6)
        #expect(meter.waitingTime / Double(meter.waitingKnown) == 0.3)
        #expect(meter.depth(at: 0.5) == 0)
        #expect(meter.depth(at: 0.99) == 8)
        #expect(meter.deepest == 8)
        #expect(meter.fullTime == 75)
        #expect(meter.unreapedKnown == 0)
        meter.reset()
        #expect(meter.time == 0 && meter.deepest == 0 && meter.depth(at: 0.5) == nil)
        #expect(meter.timeAtDepth.count == 9)
    }
}

@Suite("The pace keeps to its budget")
struct PaceTests {
    /// A pace and the clocks it is judged by.
    private struct Run {
        var pace: RingPace
        var now: UInt64 = 1_000_000_000
        var cpu: UInt64 = 0

        /// Looks of `cost` nanoseconds each for so many seconds; how many there were.
        mutating func look(cost: UInt64, seconds: Double, moved: Bool) -> Int {
            let end = now + UInt64(seconds * 1e9)
            var (due, looks) = (now, 0)
            while now < end {
                now = max(due, now) + cost
                cpu += cost
                looks += 1
                pace.judge(now: now, cpu: { cpu }, moved: moved)
                due = pace.next(after: due, now: now)
            }
            return looks
        }
    }

    private func run(rate: Double) -> Run { Run(pace: RingPace(rate: rate, budget: 0.03)) }

    @Test("A look that costs little is taken as often as asked for")
    func cheap() {
        var run = run(rate: 1000)
        let looks = run.look(cost: 10_000, seconds: 4, moved: true)
        #expect((3900...4100).contains(looks))
    }

    @Test("A dear look is taken less often, until it keeps to the budget")
    func dear() {
        var run = run(rate: 1000)
        _ = run.look(cost: 200_000, seconds: 5, moved: true)
        #expect(run.pace.cost ?? 1 < 0.033)
        #expect(run.pace.pause > 5_000_000 && run.pace.idleStride == 8)
        _ = run.look(cost: 5000, seconds: 30, moved: true)
        #expect(run.pace.pause == run.pace.wanted && run.pace.idleStride == 1)
    }

    @Test("A look that just keeps to the budget is taken as often as asked for, after others too")
    func close() {
        var run = run(rate: 1000)
        _ = run.look(cost: 45_000, seconds: 10, moved: true)
        #expect(run.pace.pause > run.pace.wanted)
        _ = run.look(cost: 29_000, seconds: 30, moved: true)
        #expect(run.pace.pause == run.pace.wanted)
        #expect((3900...4100).contains(run.look(cost: 29_000, seconds: 4, moved: true)))
    }

    @Test("A stride that saves is kept, one that saves no more is given up")
    func strides() {
        var run = run(rate: 1000)
        func strides(seconds: Int, _ cost: (UInt64) -> UInt64) -> [Int] {
            (0..<seconds * 10).map { _ in
                let stride = run.pace.idleStride
                _ = run.look(cost: cost(UInt64(stride)), seconds: 0.1, moved: true)
                return stride
            }
        }
        let dear = strides(seconds: 60) { 10_000 + 36_000 / $0 }
        #expect(dear.suffix(500).allSatisfy { $0 == 2 })
        #expect(run.pace.pause == run.pace.wanted)
        let cheap = strides(seconds: 30) { _ in 20_000 }
        #expect(cheap.suffix(10).allSatisfy { $0 == 1 })
    }

    @Test("While nothing moves, looks are seldom; with the first request they are not")
    func idle() {
        var run = run(rate: 1000)
        let looks = run.look(cost: 10_000, seconds: 11, moved: false)
        #expect((1900...2200).contains(looks))
        #expect(run.look(cost: 10_000, seconds: 2, moved: true) > 1900)
    }

    @Test("Looks are not evenly spaced, and missed ones are not made up for")
    func jitter() {
        var pace = RingPace(rate: 1000, budget: 1)
        var gaps: Set<UInt64> = []
        var due: UInt64 = 0
        for _ in 0..<100 {
            let next = pace.next(after: due, now: due)
            gaps.insert(next - due)
            due = next
        }
        #expect(gaps.count > 50)
        #expect(gaps.allSatisfy { (750_000...1_250_000).contains($0) })
        #expect(pace.next(after: due, now: due + 50_000_000) > due + 50_000_000)
    }
}
