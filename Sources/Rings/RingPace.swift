internal import Telemetry

/// How often the rings are looked at: as often as asked for, less where that costs more CPU than it
/// may, first the idle ones, then all, and seldom while nothing moves.
struct RingPace: Sendable {
    /// Looks per second.
    static let bounds = 10.0...20_000
    /// While nothing moved for `restAfter`, the pause between looks is at least this.
    private static let rest: Nanoseconds = 10_000_000
    private static let restAfter: Nanoseconds = 1_000_000_000
    /// The cost is judged this often.
    private static let judgement: Nanoseconds = 250_000_000

    /// The pause between two looks that is wanted, nanoseconds.
    var wanted: Nanoseconds
    /// Share of one core that may be used.
    let budget: Double
    private(set) var pause: Nanoseconds
    /// Idle queues are looked at every so many looks only: the first thing that is saved.
    private(set) var idleStride = 1
    private static let longestStride = 8
    /// CPU used in the last judgement, share of one core.
    private(set) var cost: Double?
    private var judgedAt: Nanoseconds?
    private var cpuThen: Nanoseconds = 0
    private var movedAt: Nanoseconds = 0
    private var noise: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// `rate` looks per second at most `budget` of a core.
    init(rate: Double, budget: Double) {
        let rate = min(max(rate, Self.bounds.lowerBound), Self.bounds.upperBound)
        wanted = Nanoseconds(1e9 / rate)
        pause = wanted
        self.budget = max(0.001, budget)
    }

    /// Judges what looking cost so far: `cpu` nanoseconds of this thread. `moved`: whether anything
    /// did in the last look.
    mutating func judge(now: Nanoseconds, cpu: Nanoseconds, moved: Bool) {
        if moved { movedAt = now }
        guard let then = judgedAt else {
            (judgedAt, cpuThen, movedAt) = (now, cpu, now)
            return
        }
        guard now &- then >= Self.judgement else { return }
        let share = Double(cpu &- cpuThen) / Double(now &- then)
        cost = share
        (judgedAt, cpuThen) = (now, cpu)
        if share > budget, idleStride < Self.longestStride {
            idleStride *= 2
        } else if share > budget {
            let slower = Double(pause) * min(4, share / budget)
            pause = min(Nanoseconds(slower), Nanoseconds(1e9 / Self.bounds.lowerBound))
        } else if share < budget * 0.8, pause > wanted {
            pause = max(wanted, Nanoseconds(Double(pause) * max(0.5, share / (budget * 0.9))))
        } else if share < budget * 0.5, idleStride > 1 {
            idleStride /= 2
        }
    }

    /// When to look next, if the look before was due at `due`. Looks are not evenly spaced: what
    /// beats in the guest at the same rate would otherwise be seen in one phase only.
    mutating func next(after due: Nanoseconds, now: Nanoseconds) -> Nanoseconds {
        let isIdle = now &- movedAt > Self.restAfter
        let pause = isIdle ? max(pause, Self.rest) : pause
        noise ^= noise << 13
        noise ^= noise >> 7
        noise ^= noise << 17
        let jitter = noise % max(1, pause / 2)
        let next = due &+ pause - pause / 4 &+ jitter
        // Looks that were missed are not made up for.
        return next > now ? next : now &+ pause / 8
    }
}
