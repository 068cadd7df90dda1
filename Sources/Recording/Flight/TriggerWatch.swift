public import Telemetry

/// Looks at every sample for what the flight recorder is there for: the user's triggers, and
/// stalls, full rings, critical findings, and a QMP that fell silent.
public struct TriggerWatch: Sendable {
    /// A request as old as this is a stall, microseconds.
    public static let stallAge = 1e6
    /// A LUN with requests in flight that completes none for so long is one too, nanoseconds.
    static let stallTime: Nanoseconds = 3_000_000_000
    /// A ring full for this share of the time, percent, for so many nanoseconds.
    static let fullPercent = 10.0
    static let fullTime: Nanoseconds = 3_000_000_000
    /// What is found in the first half minute was so before: settings, told by and by.
    static let arrivalTime: Nanoseconds = 30_000_000_000

    /// A condition in one scope, and how long it has held.
    private struct Key: Hashable {
        var condition: String
        var scope: String
    }
    private struct Holding {
        var since: Nanoseconds
        var hasFired = false
        /// Whether it was marked while it could not fire.
        var isMarked = false
    }

    private let triggers: [Trigger]
    private let watchesTrouble: Bool
    private var holding: [Key: Holding] = [:]
    private var begin: Nanoseconds?

    /// A watch for `triggers`, and for trouble nobody has to ask for if `watchesTrouble`.
    public init(_ triggers: [Trigger], watchesTrouble: Bool) {
        self.triggers = triggers
        self.watchesTrouble = watchesTrouble
    }

    /// What comes true with `snapshot`, each as a mark with the reason. A condition that goes on
    /// holding comes true once; it can do so again after a sample in which it does not hold.
    ///
    /// While `isQuiet`, trouble that nobody asked for leaves a notice, and fires later if it still
    /// holds.
    public mutating func examine(_ snapshot: Snapshot, isQuiet: Bool = false) -> [Mark] {
        let begin = snapshot.monotonic.subtractingReportingOverflow(
            Nanoseconds((snapshot.interval ?? 0) * 1e9))
        let start = begin.overflow ? 0 : begin.partialValue
        self.begin = self.begin ?? snapshot.monotonic
        var now: [Key: Holding] = [:]
        var marks: [Mark] = []
        for condition in conditions(snapshot) {
            let key = Key(condition: condition.name, scope: condition.scope)
            var state = holding[key] ?? Holding(since: start)
            let held = snapshot.monotonic - min(state.since, snapshot.monotonic)
            let canFire = !isQuiet || condition.isAskedFor
            if held >= condition.duration, !state.hasFired, canFire || !state.isMarked {
                state.hasFired = canFire
                state.isMarked = true
                marks.append(
                    Mark(
                        monotonic: snapshot.monotonic, kind: canFire ? .trigger : .notice,
                        severity: condition.severity, scope: condition.scope,
                        text: condition.text))
            }
            now[key] = state
        }
        holding = now
        return marks
    }

    /// Something that holds in a sample.
    private struct Condition {
        var name: String
        var scope: String
        var duration: Nanoseconds
        var severity: Finding.Severity
        var text: String
        /// Whether it is a trigger of the user's.
        var isAskedFor = false
    }

    private func conditions(_ snapshot: Snapshot) -> [Condition] {
        var result = triggers.flatMap { trigger in
            trigger.holding(in: snapshot).map { scope in
                Condition(
                    name: trigger.text, scope: scope, duration: trigger.duration,
                    severity: .warning, text: "\(trigger.text) (\(scope))",
                    isAskedFor: true)
            }
        }
        guard watchesTrouble else { return result }
        for lun in snapshot.luns { result += trouble(of: lun) }
        let arrival = (begin ?? 0) &+ Self.arrivalTime
        for finding in snapshot.findings
        where finding.severity == .critical && finding.since.map({ $0 > arrival }) ?? true {
            result.append(
                Condition(
                    name: finding.rule, scope: finding.scope, duration: 0, severity: .critical,
                    text: finding.title))
        }
        for source in snapshot.sources
        where source.name == "qmp" && (source.state == .stale || source.state == .failed) {
            result.append(
                Condition(
                    name: "qmp-silent", scope: source.vm.map { "vm:" + $0 } ?? "vm", duration: 0,
                    severity: .critical, text: "QMP does not answer"))
        }
        return result
    }

    private func trouble(of lun: LUN) -> [Condition] {
        let id = lun.qualifiedID
        func condition(_ name: String, for duration: Nanoseconds, _ text: String) -> Condition {
            Condition(
                name: name, scope: "lun:" + id, duration: duration, severity: .critical, text: text)
        }
        var result: [Condition] = []
        if let oldest = lun.rates.oldestInFlight, oldest >= Self.stallAge {
            result.append(condition("stall", for: 0, "\(id): a request in flight for over 1 s"))
        } else if lun.rates.iops == 0, (lun.rates.queueDepth?.now ?? 0) > 0 {
            result.append(
                condition(
                    "no-completions", for: Self.stallTime,
                    "\(id): requests in flight and none completed for 3 s"))
        }
        let full = lun.virtqueues.compactMap(\.fullPercent).max() ?? 0
        if full >= Self.fullPercent {
            result.append(
                condition("ring-full", for: Self.fullTime, "\(id): the ring is full"))
        }
        return result
    }
}
