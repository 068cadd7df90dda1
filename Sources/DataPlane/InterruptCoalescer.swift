/// Whether a completion is told to the guest now, or held for the next ones to share its interrupt.
///
/// Nothing is held for good: with no request left in flight whatever is held is delivered. By
/// frames and time it is delivered at the deadline at the latest. By requests in flight there is no
/// timer: a disk that falls silent keeps back what it completed before, until it completes the
/// next.
struct InterruptCoalescer: Sendable {
    /// By what interrupts are held back.
    enum Policy: Sendable, Equatable {
        /// Nothing is held.
        case none
        /// By how many requests are in flight, and with no timer.
        case inFlight(InFlight)
        /// Until `frames` completions are held or `nanoseconds` have passed since the first, as
        /// host bus adapters do.
        case frames(Int, nanoseconds: UInt64)
    }

    /// The rule of vIC (Ahmad, Gulati, Mashtizadeh: "vIC: Interrupt Coalescing for Virtual Machine
    /// Storage Device IO", USENIX ATC 2011): as long as many requests are in flight the next
    /// completion is near, so that one of several can bring the news of all.
    struct InFlight: Sendable, Equatable {
        /// With fewer in flight than this, each completion is delivered.
        var threshold = 4
        /// At fewer completions per second than this, too.
        var leastRate: UInt64 = 2000
        /// Over how many nanoseconds the rate is taken.
        var epoch: UInt64 = 200_000_000

        /// Of how many completions how many are delivered, with `count` requests in flight.
        func ratio(_ count: Int) -> (delivered: Int, of: Int) {
            guard count >= threshold, threshold > 0 else { return (1, 1) }
            switch count / threshold {
            case 1: return (4, 5)
            case 2: return (3, 4)
            case 3: return (2, 3)
            default: return (1, count / (2 * threshold))
            }
        }
    }

    /// What to do.
    enum Decision: Sendable, Equatable {
        /// Interrupt the guest for all that is held.
        case deliver
        /// Do not; at `deadline`, if there is one, call `expired`. In the unit of `now`.
        case hold(deadline: UInt64?)
    }

    let policy: Policy
    /// Completions that the guest was not told of.
    private(set) var held = 0
    /// When the first of them completed.
    private var heldSince: UInt64 = 0
    /// Where in its round of completions the ratio is.
    private var round = 0
    private var epochStart: UInt64?
    private var epochCount: UInt64 = 0
    private var isFast = false

    init(_ policy: Policy) { self.policy = policy }

    /// Takes note that `count` requests (at least 1) completed at `now`, nanoseconds, and that
    /// `inFlight` are left.
    mutating func completed(_ count: Int, inFlight: Int, now: UInt64) -> Decision {
        if held == 0 { heldSince = now }
        held += count
        let delivers: Bool
        switch policy {
        case .none: delivers = true
        case .inFlight(let rule): delivers = ratioDelivers(count, inFlight, rule, now)
        case .frames(let frames, let nanoseconds):
            delivers = held >= frames || now &- heldSince >= nanoseconds
        }
        if delivers || inFlight <= 0 { return deliver() }
        return .hold(deadline: deadline)
    }

    /// A deadline that was asked for has come, or another is looked at early.
    mutating func expired(now: UInt64) -> Decision {
        guard held > 0, case .frames(_, let nanoseconds) = policy else {
            return .hold(deadline: nil)
        }
        if now &- heldSince >= nanoseconds { return deliver() }
        return .hold(deadline: deadline)
    }

    /// When what is held is to be delivered at the latest; nil if no time says so.
    private var deadline: UInt64? {
        guard case .frames(_, let nanoseconds) = policy else { return nil }
        let (deadline, overflow) = heldSince.addingReportingOverflow(nanoseconds)
        return overflow ? .max : deadline
    }

    private mutating func deliver() -> Decision {
        held = 0
        return .deliver
    }

    /// Whether one of `count` completions is one to deliver.
    private mutating func ratioDelivers(
        _ count: Int, _ inFlight: Int, _ rule: InFlight, _ now: UInt64
    ) -> Bool {
        noteRate(count, rule, now)
        let ratio = rule.ratio(inFlight)
        guard isFast, ratio.delivered < ratio.of else {
            round = 0
            return true
        }
        // The last `delivered` of each round of `of` are the ones; a round that was begun under
        // another ratio goes on in this one.
        let before = min(round, ratio.of - 1)
        round = (before + count) % ratio.of
        return before + count > ratio.of - ratio.delivered
    }

    private mutating func noteRate(_ count: Int, _ rule: InFlight, _ now: UInt64) {
        let start = epochStart ?? now
        epochStart = start
        let passed = now &- start
        if passed >= rule.epoch, passed > 0 {
            // What was counted in `passed` nanoseconds against what `leastRate` would be in them.
            isFast = Double(epochCount) * 1e9 >= Double(rule.leastRate) * Double(passed)
            epochStart = now
            epochCount = 0
        }
        epochCount += UInt64(count)
    }
}
