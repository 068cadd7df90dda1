import QMP
import Telemetry

/// What facts were told last, and since when what they follow from is as it is.
struct FactLedger: Sendable {
    /// Whether something came in that any fact may follow from.
    var hasNews = true
    /// Disks of which something came in that only their own facts follow from, by their keys:
    /// while a VM's thousands of properties come in, the facts of most of its disks stay.
    var changedDisks: Set<String> = []
    /// Since when events are heard; `nil` while QMP is not connected.
    var watchedSince: Nanoseconds?
    /// When the guest was reset last, as far as that was seen.
    var resetAt: Nanoseconds?
    /// When the VM's status changed last, as far as that was seen.
    var statusSince: Nanoseconds?
    private var ages: VMModel.Ages?
    private var told: [Fact]?
    private var ofMachine: [Fact] = []
    private var ofDisks: [String: [Fact]] = [:]

    /// The facts of the machine and of `disks`, if they are others than last time. Both are asked
    /// for only after news, or when one of `ages` has moved on.
    mutating func news(
        _ ages: VMModel.Ages, of disks: [Disk], machine: () -> [Fact], disk: (Disk) -> [Fact]
    ) -> [Fact]? {
        guard hasNews || !changedDisks.isEmpty || ages != self.ages else { return nil }
        if hasNews || ages != self.ages { ofMachine = machine() }
        let areAllNew = hasNews || ages.ready != self.ages?.ready
        var facts = ofMachine
        var kept: [String: [Fact]] = [:]
        for one in disks {
            let known = areAllNew || changedDisks.contains(one.key) ? nil : ofDisks[one.key]
            let own = known ?? disk(one)
            kept[one.key] = own
            facts += own
        }
        ofDisks = kept
        (hasNews, changedDisks, self.ages) = (false, [], ages)
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
