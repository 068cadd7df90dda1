import Telemetry

@testable import Doctor

extension RuleCase {
    static let luns: [RuleCase] = [
        RuleCase("dataplane-off", "an IOThread", .healthy) { _ in },
        RuleCase("dataplane-off", "idle", .flagged(.info, ["no iothread="])) {
            $0.luns[0].isOnMainLoop = true
        },
        RuleCase(
            "dataplane-off", "ceiling", .flagged(.critical, ["130000", "ceiling"]),
            load: Load(machineIOPS: 130_000)
        ) {
            $0.luns[0].isOnMainLoop = true
        },
        RuleCase(
            "dataplane-off", "a busy main loop", .flagged(.warning, ["65 %"]),
            load: Load(machineIOPS: 9000)
        ) {
            $0.luns[0].isOnMainLoop = true
            $0.threads[0].cpuPercent = 65
        },
        RuleCase("dataplane-off", "an IDE disk", .notApplicable) { $0.luns[0].device = "ide-hd" },
        RuleCase("dataplane-off", "not told yet", .notChecked("io_thread")) {
            $0.luns[0].isOnMainLoop = nil
        },
    ]
}
