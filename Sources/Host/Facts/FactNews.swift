internal import Telemetry

/// Keeps numbers from changing by noise alone, so that samples without news share their facts: a
/// number stays as it was told until it has moved by more than its noise.
struct FactNews: Sendable {
    private var told: FactSheet?

    /// `facts` with what has hardly moved as it was told before; `nil` if nothing else is new.
    mutating func news(in facts: [Fact]) -> [Fact]? {
        let settled = told.map { told in facts.map { Self.settled($0, told: told) } } ?? facts
        guard settled != told?.facts else { return nil }
        told = FactSheet(settled)
        return settled
    }

    private static func settled(_ fact: Fact, told: FactSheet) -> Fact {
        guard let noise = fact.name.noise, case .number(let new) = fact.value,
            let before = told[fact.name, fact.subject], case .number(let old) = before.value,
            abs(new - old) <= max(noise.least, noise.share * abs(old))
        else { return fact }
        var fact = fact
        fact.value = before.value
        return fact
    }
}

extension FactName {
    /// How far a number must move to be news: by this share of what it was, and by this much in its
    /// own unit; `nil` for what is news with every change.
    fileprivate var noise: (share: Double, least: Double)? {
        switch self {
        case .memoryAvailable, .swapFree, .dirtyMemory, .writebackMemory, .memoryOfVMs,
            .dirtyLimit, .hugePagesTaken:
            (0.01, 16_777_216)
        case .memoryPressure, .ioPressure, .ksmCPU, .frequencyShare, .baseFrequencyShare,
            .deepIdleShare,
            .busiestInterruptShare, .busiestInterruptTime, .flushTime:
            (0, 1)
        case .storageInterruptRate, .adapterInterrupts: (0.05, 50)
        case .swapRate, .nfsServerQueued: (0.05, 1)
        case .flushMean: (0.05, 0.1)
        case .ksmPagesSharing: (0.01, 0)
        default: nil
        }
    }
}
