import DataPlane
import Telemetry

/// What each path costs the guest, as the rows of exits and injections that a VM has by their
/// reasons.
struct PathEvents {
    private typealias Reason = (
        kind: EventCount.Kind, name: String, count: @Sendable (PathEffort) -> UInt64
    )
    private static let reasons: [Reason] = [
        (.exit, "KICK", { $0.kicks }), (.exit, "REGISTER", { $0.traps }),
        (.exit, "INTERRUPT", { $0.interrupts }), (.exit, "EOI", { $0.endsOfInterrupt }),
        (.injection, "INTERRUPT", { $0.interrupts }),
    ]
    private var previous: [IOPath: PathEffort] = [:]
    private var previousTime: Nanoseconds?

    /// The rows since the call before: of each path those reasons of which there ever were any.
    /// `efforts` are those of all LUNs with their paths, read at `now`.
    mutating func update(
        _ efforts: [(path: IOPath, effort: PathEffort)], now: Nanoseconds
    ) -> [EventCount] {
        let interval = previousTime.flatMap { RateInterval(from: $0, to: now) }
        var sums: [IOPath: PathEffort] = [:]
        for lun in efforts { sums[lun.path, default: PathEffort()].add(lun.effort) }
        var rows: [EventCount] = []
        for path in IOPath.allCases {
            guard let sum = sums[path] else { continue }
            let before = previous[path]
            for (kind, name, count) in Self.reasons where count(sum) > 0 {
                var row = EventCount(
                    kind: kind, name: name, detail: path.rawValue, source: "engine counters")
                if let interval, let before {
                    row.rate = interval.rate(count(before), count(sum))
                    row.span = interval.span
                }
                rows.append(row)
            }
        }
        (previous, previousTime) = (sums, now)
        return rows
    }
}
