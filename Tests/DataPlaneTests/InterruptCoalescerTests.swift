import Testing

@testable import DataPlane

/// When an interrupt is held back, and that none is for good.
@Suite struct InterruptCoalescerTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func withoutAPolicyEachIsDelivered() {
        var coalescer = InterruptCoalescer(.none)
        for now: UInt64 in 0..<100 {
            #expect(coalescer.completed(1, inFlight: 64, now: now) == .deliver)
        }
        #expect(coalescer.held == 0)
    }

    // MARK: By requests in flight

    @Test(arguments: [
        (0, 1, 1), (3, 1, 1), (4, 4, 5), (7, 4, 5), (8, 3, 4), (12, 2, 3), (15, 2, 3),
        (16, 1, 2), (32, 1, 4), (64, 1, 8), (1024, 1, 128),
    ])
    func ratios(_ inFlight: Int, _ delivered: Int, _ of: Int) {
        let ratio = InterruptCoalescer.InFlight().ratio(inFlight)
        #expect(ratio.delivered == delivered && ratio.of == of)
    }

    /// A coalescer that has seen an epoch of `rate` completions per second, and the time.
    private func warmed(rate: UInt64) -> (InterruptCoalescer, now: UInt64) {
        var coalescer = InterruptCoalescer(.inFlight(.init()))
        var now: UInt64 = 0
        while now <= 400_000_000 {
            _ = coalescer.completed(1, inFlight: 1, now: now)
            now += Self.second / rate
        }
        return (coalescer, now)
    }

    /// The share of interrupts is the ratio, whatever the depth.
    @Test(arguments: [1, 3, 4, 8, 12, 16, 32, 64, 200])
    func shareOfInterrupts(_ inFlight: Int) {
        var (coalescer, now) = warmed(rate: 50_000)
        let ratio = InterruptCoalescer.InFlight().ratio(inFlight)
        var delivered = 0
        for _ in 0..<ratio.of * 100 {
            now += 20_000
            if coalescer.completed(1, inFlight: inFlight, now: now) == .deliver { delivered += 1 }
        }
        #expect(delivered == ratio.delivered * 100)
    }

    /// Below 2,000 a second, latency is all that counts.
    @Test func slowLoadIsNotHeld() {
        var (coalescer, now) = warmed(rate: 1900)
        for _ in 0..<2000 {
            now += Self.second / 1900
            #expect(coalescer.completed(1, inFlight: 64, now: now) == .deliver)
        }
    }

    /// A fast load that becomes slow is told at once again.
    @Test func slowsDown() {
        var (coalescer, now) = warmed(rate: 50_000)
        var decisions: [InterruptCoalescer.Decision] = []
        for _ in 0..<1000 {
            now += 1_000_000
            decisions.append(coalescer.completed(1, inFlight: 64, now: now))
        }
        #expect(decisions[..<100].contains(.hold(deadline: nil)))
        #expect(decisions[500...].allSatisfy { $0 == .deliver })
    }

    /// As many completions as a round has bring an interrupt with them.
    @Test func batches() {
        var (coalescer, now) = warmed(rate: 50_000)
        for _ in 0..<100 {
            now += 20_000
            #expect(coalescer.completed(8, inFlight: 64, now: now) == .deliver)
        }
        let held = coalescer.completed(3, inFlight: 64, now: now)
        #expect(held == .hold(deadline: nil) && coalescer.held == 3)
    }

    // MARK: By frames and time

    @Test func untilEnoughAreHeld() {
        var coalescer = InterruptCoalescer(.frames(4, nanoseconds: 1000))
        #expect(coalescer.completed(1, inFlight: 9, now: 50) == .hold(deadline: 1050))
        #expect(coalescer.completed(2, inFlight: 9, now: 90) == .hold(deadline: 1050))
        #expect(coalescer.completed(1, inFlight: 9, now: 99) == .deliver)
        #expect(coalescer.completed(7, inFlight: 9, now: 100) == .deliver)
        #expect(coalescer.completed(1, inFlight: 9, now: 200) == .hold(deadline: 1200))
    }

    @Test func untilTheTimeIsOver() {
        var coalescer = InterruptCoalescer(.frames(4, nanoseconds: 1000))
        #expect(coalescer.expired(now: 10) == .hold(deadline: nil))
        _ = coalescer.completed(1, inFlight: 9, now: 50)
        #expect(coalescer.expired(now: 1049) == .hold(deadline: 1050))
        #expect(coalescer.expired(now: 1050) == .deliver)
        #expect(coalescer.expired(now: 1051) == .hold(deadline: nil))
        _ = coalescer.completed(1, inFlight: 9, now: 2000)
        // The completion itself may be what comes after the time.
        #expect(coalescer.completed(1, inFlight: 9, now: 3000) == .deliver)
        // A time that has no end.
        var slow = InterruptCoalescer(.frames(4, nanoseconds: .max))
        #expect(slow.completed(1, inFlight: 9, now: 5) == .hold(deadline: .max))
        #expect(slow.expired(now: 6) == .hold(deadline: .max))
    }

    // MARK: For good

    /// Random depths, batches and times under every policy: what is held is delivered with the last
    /// request, by frames and time at the deadline, and nothing is delivered that was not held.
    @Test(arguments: 1...12)
    func nothingIsHeldForGood(_ seed: UInt64) {
        var random = Random(seed: seed)
        let policies: [InterruptCoalescer.Policy] = [
            .none, .inFlight(.init()), .inFlight(.init(threshold: 1, leastRate: 0, epoch: 1)),
            .inFlight(.init(threshold: 0)), .frames(8, nanoseconds: 50_000),
            .frames(0, nanoseconds: 0),
        ]
        for policy in policies {
            var coalescer = InterruptCoalescer(policy)
            var (inFlight, now, owed) = (0, UInt64(0), 0)
            for _ in 0..<3000 {
                inFlight += Int(random.below(40))
                guard inFlight > 0 else { continue }
                let count = 1 + Int(random.below(UInt64(inFlight)))
                inFlight -= count
                owed += count
                now += random.below(20_000)
                switch coalescer.completed(count, inFlight: inFlight, now: now) {
                case .deliver: owed = 0
                case .hold(nil): #expect(inFlight > 0)
                case .hold(let deadline?):
                    #expect(inFlight > 0 && deadline > now)
                    guard random.below(2) == 0 else { break }
                    now = deadline
                    #expect(coalescer.expired(now: now) == .deliver)
                    owed = 0
                }
                #expect(coalescer.held == owed)
                if inFlight == 0 { #expect(owed == 0) }
            }
        }
    }
}
