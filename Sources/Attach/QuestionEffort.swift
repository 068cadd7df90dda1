import Telemetry

/// What our questions cost QEMU's main loop, and how many more it may be asked.
///
/// QEMU does not say what an answer cost it. The time during which any question waits for its
/// answer is more than that, as it holds the way there and back and whatever else the main loop did
/// meanwhile, and it is what is gone by: not more than `share` of the time there is.
struct QuestionEffort: Sendable {
    /// Share of the time that our questions may take: at 2 % vblktop finds fault with itself; in
    /// haste, for some seconds, more.
    static let usual = 0.018
    static let hasty = 0.25
    private let share: Double
    /// How many are asked in one go at least, even while answers are slow, and at most.
    static let fewest = 1
    static let most = 64
    /// What is measured at once, nanoseconds.
    private static let window: Nanoseconds = 10_000_000_000
    /// What waiting for one answer counts at most: a VM that hangs does so without our doing.
    private static let longest: Nanoseconds = 1_000_000_000

    /// Percent of the last whole window that questions waited; `nil` before there was one.
    private(set) var percent: Double?
    private var waitingSince: Nanoseconds?
    private var windowBegan: Nanoseconds?
    private var waited: Nanoseconds = 0
    /// What may still be spent, nanoseconds; less than none after an answer that took long.
    private var credit = 0.0
    private var creditedAt: Nanoseconds?
    /// What an answer takes, nanoseconds: at first a guess on the safe side.
    private var cost = 1e6

    /// Nothing asked yet.
    init(isInHaste: Bool = false) { share = isInHaste ? Self.hasty : Self.usual }

    /// Nothing asked yet of a VM that is another one than before.
    func anew() -> QuestionEffort { QuestionEffort(isInHaste: share == Self.hasty) }

    /// A question was sent.
    mutating func asked(at now: Nanoseconds) {
        waitingSince = waitingSince ?? now
        windowBegan = windowBegan ?? now
        creditedAt = creditedAt ?? now
    }

    /// `count` questions were answered at once, and `waiting` of them go on waiting.
    mutating func answered(_ count: Int, waiting: Int, at now: Nanoseconds) {
        guard count > 0, let since = waitingSince else { return }
        let time = now > since ? min(now - since, Self.longest) : 0
        waited += time
        credit -= Double(time)
        cost += (Double(time) / Double(count) - cost) / 8 * Double(min(count, 8))
        waitingSince = waiting > 0 ? now : nil
    }

    /// `count` questions were answered at some time since they were sent, and `waiting` of them are
    /// not yet: they count as what answers took before.
    mutating func answeredUnseen(_ count: Int, waiting: Int) {
        guard count > 0, waitingSince != nil else { return }
        let time = Double(count) * cost
        waited += Nanoseconds(min(time, Double(Self.longest)))
        credit -= time
        if waiting == 0 { waitingSince = nil }
    }

    /// Nobody waits any longer for what was asked: it came too late, or the connection is gone.
    mutating func gaveUp() { waitingSince = nil }

    /// How many questions may be asked at `now` that could wait as well.
    mutating func allowance(at now: Nanoseconds) -> Int {
        let elapsed = creditedAt.map { now > $0 ? now - $0 : 0 } ?? 0
        creditedAt = now
        // A second's worth can be saved up, and no more be owed.
        let most = share * 1e9
        credit = min(most, max(-most, credit + Double(elapsed) * share))
        let count = credit / max(cost, 1000)
        return min(Self.most, max(Self.fewest, Int(count)))
    }

    /// Brings `percent` up to date, once a window is over.
    mutating func measure(at now: Nanoseconds) {
        guard let began = windowBegan, now >= began &+ Self.window else { return }
        let share = Double(waited) / Double(now - began) * 100
        percent = min(100, (share * 10).rounded() / 10)
        windowBegan = now
        waited = 0
    }
}
