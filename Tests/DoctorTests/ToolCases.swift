import Telemetry

@testable import Doctor

extension RuleCase {
    static let tool: [RuleCase] = [
        RuleCase(
            "bare-metal-ratio-low", "a fault", .flagged(.info, ["29 %", "faults"]),
            load: Load(machineIOPS: 29_000)
        ) {
            $0.saturate(baseline: 100_000)
        },
        RuleCase(
            "bare-metal-ratio-low", "to tune", .flagged(.info, ["30 %", "tune"]),
            load: Load(machineIOPS: 30_000)
        ) {
            $0.saturate(baseline: 100_000)
        },
        RuleCase("bare-metal-ratio-low", "well", .healthy, load: Load(machineIOPS: 60_000)) {
            $0.saturate(baseline: 100_000)
        },
        RuleCase(
            "bare-metal-ratio-low", "little load", .notApplicable, load: Load(machineIOPS: 100)
        ) {
            $0.saturate(baseline: 100_000)
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 7.9)
        },
        RuleCase(
            "bare-metal-ratio-low", "no baseline", .notChecked("baseline_iops"),
            load: Load(machineIOPS: 100)
        ) { _ in },

        RuleCase("perf-multiplexed", "alone", .healthy) { $0.know(.tool, [.counterShare: 95]) },
        RuleCase("perf-multiplexed", "scaled", .flagged(.info, ["94 %", "scaled"])) {
            $0.know(.tool, [.counterShare: 94])
        },
        RuleCase("perf-multiplexed", "worthless", .flagged(.info, ["49 %", "trusted"])) {
            $0.know(.tool, [.counterShare: 49])
        },
        RuleCase("perf-multiplexed", "no counters", .notChecked("not supported")) {
            $0.lack(.tool, .counterShare, "hardware events are not supported")
        },

        RuleCase("evidence-missing", "all there", .healthy) {
            $0.know(.tool, [.missingRights: []])
            $0.know(.vm, [.threadsAreAnonymous: false])
        },
        RuleCase("evidence-missing", "rights", .flagged(.info, ["perf: denied"])) {
            $0.know(.tool, [.missingRights: ["perf: denied"]])
        },
        RuleCase("evidence-missing", "names", .flagged(.info, ["one name"])) {
            $0.know(.tool, [.missingRights: []])
            $0.know(.vm, [.threadsAreAnonymous: true])
        },
        RuleCase("evidence-missing", "a source", .flagged(.info, ["qmp: refused"])) {
            $0.know(.tool, [.missingRights: []])
            $0.sources = [
                SourceStatus(name: "proc", state: .ok),
                SourceStatus(name: "qmp", state: .failed, detail: "refused"),
            ]
        },
        RuleCase("evidence-missing", "not looked", .notChecked("missing_rights")) { _ in },

        RuleCase("qmp-monopolised", "answers", .healthy) {
            $0.know(.tool, [.greetingMissing: 0, .unanswered: 5])
        },
        RuleCase("qmp-monopolised", "taken", .flagged(.warning, ["2 s", "another client"])) {
            $0.know(.tool, [.greetingMissing: 2])
        },
        RuleCase("qmp-monopolised", "not yet", .healthy) {
            $0.know(.tool, [.greetingMissing: 1.9])
        },
        RuleCase("qmp-monopolised", "hangs", .flagged(.warning, ["5.1 s", "stands still"])) {
            $0.know(.tool, [.unanswered: 5.1])
        },
        RuleCase("qmp-monopolised", "no QMP", .notChecked("no socket")) {
            $0.lack(.tool, .unanswered, "no socket")
        },

        RuleCase("tool-self-load", "light", .healthy) { $0.know(.tool, [.questionTime: 1.9]) },
        RuleCase("tool-self-load", "heavy", .flagged(.warning, ["2 %", "3 %"])) {
            $0.know(.tool, [.questionTime: 2])
            $0.ownCost.cpuPercent = 3
        },
        RuleCase("tool-self-load", "stands", .flagged(.warning, []), isStanding: true) {
            $0.know(.tool, [.questionTime: 1.7])
        },
        RuleCase("tool-self-load", "no QMP", .notChecked("question_time_percent")) { _ in },
    ]
}

extension Snapshot {
    /// Eight requests in flight, and disks of which so much is known.
    fileprivate mutating func saturate(baseline: Double) {
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 8)
        know(.tool, [.baseline: .number(baseline)])
    }
}
