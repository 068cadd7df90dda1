internal import Telemetry

/// How often the rings are looked at: as often as asked for, less where that costs more CPU than it
/// may, first the idle ones, then all, and seldom while nothing moves.
struct RingPace: Sendable {
    /// Looks per second.
    static let bounds = 10.0...20_000
    /// While nothing moved for `restAfter`, the pause between looks is at least this.
    private static let rest: Nanoseconds = 10_000_000
    private static let restAfter: Nanoseconds = 1_000_000_000
    /// What a look costs is judged this often.
    private static let judgement: Nanoseconds = 250_000_000
    /// How much of what a look costs is what it cost in the last judgement: one in which the CPU
    /// was slow, as others had its caches, shall not change the pace.
    private static let news = 0.25
    /// Looks that come late are followed sooner, and what they cost is known late.
    private static let caution = 0.9
    /// How much is forgotten of what a longer stride has saved: the load changes, and what
    /// does not save any more is tried without now and then.
    private static let forgetting = 0.02

    /// The pause between two looks that is wanted, nanoseconds.
    var wanted: Nanoseconds
    /// Share of one core that may be used.
    let budget: Double
    private(set) var pause: Nanoseconds
    /// Idle queues are looked at every so many looks only: the first thing that is saved.
    var idleStride: Int { 1 << savings.count }
    /// For each time that the stride was doubled, the share of a look's cost that this left.
    private var savings: [Double] = []
    private static let mostSavings = 3
    /// What a look cost before the stride was doubled, until it is known what that has saved.
    private var costUnsaved: Double?
    /// CPU used in the last judgement, share of one core.
    private(set) var cost: Double?
    /// CPU a look takes, nanoseconds; `nil` until it is known.
    private var lookCost: Double?
    private var judged: (at: Nanoseconds, cpu: Nanoseconds)?
    private var looks = 0
    private var movedAt: Nanoseconds = 0
    private var noise: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// `rate` looks per second at most `budget` of a core.
    init(rate: Double, budget: Double) {
        let rate = min(max(rate, Self.bounds.lowerBound), Self.bounds.upperBound)
        wanted = Nanoseconds(1e9 / rate)
        pause = wanted
        self.budget = max(0.001, budget)
    }

    /// Notes that a look was taken, and judges now and then what looking costs, by the CPU time of
    /// this thread. `moved`: whether anything did in the look.
    mutating func judge(now: Nanoseconds, cpu: () -> Nanoseconds, moved: Bool) {
        if moved || judged == nil { movedAt = now }
        looks += 1
        guard let before = judged else { return begin(now, cpu()) }
        guard now &- before.at >= Self.judgement else { return }
        let used = cpu()
        let spent = Double(used > before.cpu ? used - before.cpu : 0)
        cost = spent / Double(now &- before.at)
        // Looks that are seldom find nothing in the caches, and cost more than they will.
        if !isResting(now) { judge(spent / Double(looks)) }
        begin(now, used)
    }

    private mutating func begin(_ now: Nanoseconds, _ cpu: Nanoseconds) {
        judged = (now, cpu)
        looks = 0
    }

    /// A look has lately cost `newest` nanoseconds. Where that is more than it may, the pause is
    /// what keeps it within `caution` of the budget.
    private mutating func judge(_ newest: Double) {
        let looked = lookCost.map { $0 + (newest - $0) * Self.news } ?? newest
        if let unsaved = costUnsaved {
            savings[savings.count - 1] = min(1, newest / max(1, unsaved))
            costUnsaved = nil
        } else if let saving = savings.popLast() {
            savings.append(saving + (1 - saving) * Self.forgetting)
        }
        lookCost = looked
        let allowed = budget * Double(wanted)
        if looked > allowed, savings.count < Self.mostSavings {
            costUnsaved = looked
            savings.append(1)
            lookCost = nil
        } else if let saving = savings.last, looked < 0.9 * allowed * saving {
            savings.removeLast()
            lookCost = nil
        }
        let longest = 1e9 / Self.bounds.lowerBound
        pause =
            looked > allowed
            ? Nanoseconds(min(looked / (budget * Self.caution), longest)) : wanted
    }

    private func isResting(_ now: Nanoseconds) -> Bool { now &- movedAt > Self.restAfter }

    /// When to look next, if the look before was due at `due`. Looks are not evenly spaced: what
    /// beats in the guest at the same rate would otherwise be seen in one phase only.
    mutating func next(after due: Nanoseconds, now: Nanoseconds) -> Nanoseconds {
        let pause = isResting(now) ? max(pause, Self.rest) : pause
        noise ^= noise << 13
        noise ^= noise >> 7
        noise ^= noise << 17
        let jitter = noise % max(1, pause / 2)
        let next = due &+ pause - pause / 4 &+ jitter
        // Looks that were missed are not made up for.
        return next > now ? next : now &+ pause / 8
    }
}
