/// How long to look for work before sleeping: as long as looking pays.
///
/// The rule is QEMU's (util/aio-posix.c): a wait that polling covered keeps the budget; one that
/// ended soon after we slept doubles it, because a little more polling would have caught it; a long
/// sleep sets it to nothing, so that an idle LUN costs no CPU.
public struct AdaptivePoll: Sendable {
    /// The longest budget; the start value is an eighth of it.
    public let longest: UInt64
    /// Time to poll before the next sleep, in the caller's unit.
    public private(set) var budget: UInt64

    /// A budget between 0 and `longest`.
    public init(longest: UInt64) {
        self.longest = longest
        budget = longest / 8
    }

    /// Takes note that work came `waited` after it was first looked for.
    public mutating func workCame(after waited: UInt64) {
        if waited <= budget { return }
        if waited > longest {
            budget = 0
        } else {
            budget = min(longest, max(longest / 8, budget * 2))
        }
    }
}
