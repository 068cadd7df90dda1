import QMP
import Telemetry

/// What facts were told last, and since when what they follow from is as it is.
struct FactLedger: Sendable {
    /// Whether something came in that facts may follow from.
    var hasNews = true
    /// Since when events are heard; `nil` while QMP is not connected.
    var watchedSince: Nanoseconds?
    /// When the guest was reset last, as far as that was seen.
    var resetAt: Nanoseconds?
    /// When the VM's status changed last, as far as that was seen.
    var statusSince: Nanoseconds?
    private var ages: [Double] = []
    private var told: [Fact]?

    /// The facts that `make` comes to, if they are others than last time. It is called only after
    /// news, or when one of `ages` has moved on.
    mutating func news(ages: [Double], _ make: () -> [Fact]) -> [Fact]? {
        guard hasNews || ages != self.ages else { return nil }
        hasNews = false
        self.ages = ages
        let facts = make()
        guard facts != told else { return nil }
        told = facts
        return facts
    }
}

/// Seconds from `start` to `now`, the coarser the longer it is: what is told as facts may not be
/// another in every sample. Ten-second steps for the first two minutes, minutes for the first two
/// hours, then hours; rounded down.
func coarseAge(since start: Nanoseconds, at now: Nanoseconds) -> Double {
    let seconds = now > start ? (now - start) / 1_000_000_000 : 0
    let step: Nanoseconds =
        switch seconds {
        case ..<120: 10
        case ..<7200: 60
        default: 3600
        }
    return Double(seconds / step * step)
}

extension QMPQuery {
    /// Whether an answer may bring other facts, besides those that are compared on their own.
    var mayBringFacts: Bool {
        switch self {
        case .block, .namedBlockNodes, .blockGraph, .virtioStatus, .version, .name, .kvm: true
        case .qomGet(_, let property): property != "limits" && property != "guest-stats"
        default: false
        }
    }
}
