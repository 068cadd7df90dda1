import Telemetry

/// When questions that could wait are asked, and how their answers are taken: QEMU gives them one
/// by one, and to read each as it comes is a wake-up each. They are left lying until the next
/// sample, but for those of some rounds, which tell how long an answer takes.
struct DetailRounds: Sendable {
    /// Questions asked in one go.
    struct Round: Equatable {
        var count: Int
        /// Whether the answers are left lying.
        var leavesAnswers: Bool
    }
    /// The first rounds are all timed, so that what an answer takes is no guess any more; later
    /// every eighth is, and then of few questions.
    static let settling = 3
    static let period = 8
    static let timedCount = 4
    /// Nobody waits longer than this for what lies there: events may be among it.
    private static let longestRest: Nanoseconds = 1_000_000_000

    private let isInHaste: Bool
    private var rounds = 0
    private var due = 0
    /// Whether answers are left lying just now.
    private(set) var leavesAnswers = false

    /// None asked yet; in haste all answers are read as they come.
    init(isInHaste: Bool = false) { self.isInHaste = isInHaste }

    /// None asked yet of a VM that is another one than before.
    func anew() -> DetailRounds { DetailRounds(isInHaste: isInHaste) }

    /// A sample begins, and everything that came is read. Returns whether it was left lying.
    mutating func end() -> Bool {
        defer { leavesAnswers = false }
        due = 0
        return leavesAnswers
    }

    /// `count` questions may be asked before the next sample.
    mutating func allow(_ count: Int) { due = count }

    /// The round to ask now, where samples are `interval` apart; `nil`: none. What is to be timed
    /// must come soon, and so nothing of that is behind what can wait: a round begins when there is
    /// nothing left to be answered.
    mutating func next(isBusy: Bool, every interval: Nanoseconds) -> Round? {
        guard due > 0, isInHaste || !isBusy else { return nil }
        defer { due = 0 }
        if isInHaste || interval > Self.longestRest || rounds < Self.settling {
            return Round(count: due, leavesAnswers: false)
        }
        return rounds % Self.period == 0
            ? Round(count: min(due, Self.timedCount), leavesAnswers: false)
            : Round(count: due, leavesAnswers: true)
    }

    /// `round` was asked.
    mutating func begin(_ round: Round) {
        rounds += 1
        leavesAnswers = round.leavesAnswers
    }
}
