import Telemetry

/// How one rule stands towards one patient: what it said of late, and whether a finding came of it.
struct Standing: Sendable {
    /// How long a rule's timing makes a finding wait to appear, and to clear.
    private struct Pace {
        /// Verdicts looked back on, and how many of them must agree.
        var window: Int
        var needed: Int
        /// Nanoseconds without the condition after which a finding clears.
        var calm: Nanoseconds

        init(_ timing: Rule.Timing, interval: Double) {
            switch timing {
            case .setting: self.init(1, 1, 0)
            case .event: self.init(1, 1, 300_000_000_000)
            case .trend: self.init(6, 4, 120_000_000_000)
            case .load:
                // Verdicts further apart than a second are fewer in ten.
                let window = min(10, max(3, Int((10 / max(interval, 1)).rounded())))
                self.init(window, (window * 4 + 4) / 5, 30_000_000_000)
            }
        }

        private init(_ window: Int, _ needed: Int, _ calm: Nanoseconds) {
            self.window = window
            self.needed = needed
            self.calm = calm
        }
    }

    /// Ranks of the last verdicts, 4 bits each, the newest lowest: there is one such for each rule
    /// of load and each LUN, every second.
    private struct Ranks: Sendable {
        private var words: UInt64 = 0
        private(set) var count = 0

        /// Adds `rank`, -1 for nothing said, and keeps the last `window`, 15 at most.
        mutating func append(_ rank: Int, window: Int) {
            count = min(count + 1, window)
            words = (words << 4 | UInt64(rank + 1)) & (1 << UInt64(4 * window) - 1)
        }

        /// The highest rank that `needed` of them reach, -1 for none.
        func rank(reachedBy needed: Int) -> Int {
            for rank in stride(from: 3, through: 0, by: -1) {
                var (left, found) = (words, 0)
                while left > 0 {
                    if Int(left & 15) > rank { found += 1 }
                    left >>= 4
                }
                if found >= needed { return rank }
            }
            return -1
        }
    }

    /// The finding that stands, with its evidence as it was when the condition last held.
    private(set) var finding: Finding?
    private var describedAt: Nanoseconds = 0
    private var ranks = Ranks()
    /// Since when the verdicts are milder than the finding.
    private var calmSince: Nanoseconds?
    /// How many verdicts are missing before anything can be said; 0 once there are enough.
    private(set) var missingVerdicts = 0

    /// Takes what `rule` says at `now`, `nil` for nothing; `describe` makes a finding of it.
    /// `interval` is the seconds between verdicts. Returns the finding that cleared, if one did.
    mutating func take(
        _ flag: Flag?, at now: Nanoseconds, of rule: Rule, every interval: Double,
        describe: (Flag, Finding.Severity) -> Finding
    ) -> Finding? {
        let pace = Pace(rule.timing, interval: interval)
        ranks.append(flag?.severity.rank ?? -1, window: pace.window)
        missingVerdicts = max(0, pace.needed - ranks.count)
        let proved = ranks.rank(reachedBy: pace.needed)
        let rank = max(proved, flag?.meanwhile?.rank ?? -1)
        let standing = finding?.severity.rank ?? -1
        // How bad it is just now, proved or not.
        let current = flag.map { max($0.severity.rank, $0.meanwhile?.rank ?? -1) } ?? -1
        if let flag, rank >= 0, rank > standing || (rank == standing && current >= standing) {
            raise(flag, to: rank, at: now, rule.timing, describe)
            return nil
        }
        // Milder than what stands, or gone: for how long?
        if current >= standing {
            calmSince = nil
            return nil
        }
        let since = calmSince ?? now
        calmSince = since
        guard now &- since >= pace.calm, var old = finding else { return nil }
        calmSince = nil
        if let flag, rank >= 0 {
            raise(flag, to: rank, at: now, rule.timing, describe)
            return nil
        }
        finding = nil
        old.cleared = now
        return old
    }

    /// The words of a finding about load change seldom: recordings keep what changes, and people
    /// like to read to the end.
    private static let refreshTime: Nanoseconds = 60_000_000_000

    private mutating func raise(
        _ flag: Flag, to rank: Int, at now: Nanoseconds, _ timing: Rule.Timing,
        _ describe: (Flag, Finding.Severity) -> Finding
    ) {
        let severity = Finding.Severity.allCases.first { $0.rank == rank } ?? .info
        calmSince = nil
        let isFresh = now < describedAt &+ Self.refreshTime
        if isFresh, finding?.severity == severity, timing == .load || timing == .trend { return }
        var new = describe(flag, severity)
        new.since = finding?.since ?? now
        finding = new
        describedAt = now
    }
}
