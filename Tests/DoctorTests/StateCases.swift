import Telemetry

@testable import Doctor

extension RuleCase {
    static let states: [RuleCase] = paused + migration + jobs + frozen

    private static let paused: [RuleCase] = [
        RuleCase("vm-paused", "running", .healthy) { _ in },
        RuleCase("vm-paused", "no space", .flagged(.critical, ["io-error", "nospace", "d0.img"])) {
            $0.vms[0].status = "io-error"
            $0.know(.lun("vd0"), [.ioStatus: "nospace"])
        },
        RuleCase("vm-paused", "panic", .flagged(.critical, ["guest-panicked"])) {
            $0.vms[0].status = "guest-panicked"
        },
        RuleCase("vm-paused", "KVM failed", .flagged(.critical, ["internal-error"])) {
            $0.vms[0].status = "internal-error"
        },
        RuleCase("vm-paused", "paused for long", .flagged(.info, ["60 s"])) {
            $0.vms[0].status = "paused"
            $0.know(.vm, [.inStatus: 60])
        },
        RuleCase("vm-paused", "paused just now", .healthy) {
            $0.vms[0].status = "paused"
            $0.know(.vm, [.inStatus: 59])
        },
        RuleCase("vm-paused", "paused to migrate", .healthy) {
            $0.vms[0].status = "paused"
            $0.know(.vm, [.inStatus: 90, .migration: "active"])
        },
        RuleCase("vm-paused", "paused by a job", .healthy) {
            $0.vms[0].status = "paused"
            $0.know(.vm, [.inStatus: 90])
            $0.know(.lun("vd0"), [.job: "backup"])
        },
        RuleCase("vm-paused", "suspended", .healthy) { $0.vms[0].status = "suspended" },
        RuleCase("vm-paused", "not told", .notChecked("status")) { $0.vms[0].status = "unknown" },
        RuleCase("vm-paused", "since when?", .notChecked("in_status_s")) {
            $0.vms[0].status = "paused"
        },
    ]

    private static let migration: [RuleCase] = [
        RuleCase("migration-active", "none", .healthy) { $0.know(.vm, [.migration: "none"]) },
        RuleCase("migration-active", "done", .healthy) { $0.know(.vm, [.migration: "completed"]) },
        RuleCase("migration-active", "going on", .flagged(.info, ["active"])) {
            $0.know(.vm, [.migration: "active", .migrationThrottle: 0, .migrationStalled: 59])
        },
        RuleCase("migration-active", "postcopy", .flagged(.info, ["postcopy-active"])) {
            $0.know(.vm, [.migration: "postcopy-active"])
        },
        RuleCase("migration-active", "slowed down", .flagged(.warning, ["20 %"])) {
            $0.know(.vm, [.migration: "active", .migrationThrottle: 20])
        },
        RuleCase("migration-active", "without end", .flagged(.warning, ["60 s"])) {
            $0.know(.vm, [.migration: "active", .migrationStalled: 60])
        },
        RuleCase("migration-active", "not told", .notChecked("migration")) { _ in },
    ]

    private static let jobs: [RuleCase] = [
        RuleCase("block-job-active", "none", .healthy) { $0.know(.lun("vd0"), [.job: "none"]) },
        RuleCase("block-job-active", "a backup", .flagged(.info, ["backup is running", "MiB/s"])) {
            $0.know(
                .lun("vd0"),
                [.job: "backup", .jobStatus: "running", .jobSpeed: 104_857_600])
        },
        RuleCase(
            "block-job-active", "it hurts", .flagged(.warning, ["800 µs", "400 µs"]),
            past: latencies(400, 800)
        ) { $0.know(.lun("vd0"), [.job: "mirror", .jobStatus: "running"]) },
        RuleCase(
            "block-job-active", "it hardly hurts", .flagged(.info, []), past: latencies(400, 799)
        ) { $0.know(.lun("vd0"), [.job: "mirror", .jobStatus: "running"]) },
        RuleCase(
            "block-job-active", "no limit", .flagged(.warning, ["without a speed limit"]),
            load: Load(iops: 900)
        ) { $0.know(.lun("vd0"), [.job: "commit", .jobStatus: "running", .jobSpeed: 0]) },
        RuleCase("block-job-active", "no limit, no load", .flagged(.advice, [])) {
            $0.know(.lun("vd0"), [.job: "stream", .jobStatus: "running", .jobSpeed: 0])
        },
        RuleCase("block-job-active", "a mirror elsewhere", .flagged(.info, ["no speed limit"])) {
            $0.know(.lun("vd0"), [.job: "mirror", .jobStatus: "running", .jobSpeed: 0])
        },
        RuleCase("block-job-active", "left ready", .flagged(.advice, ["60 min"])) {
            $0.know(.lun("vd0"), [.job: "mirror", .jobStatus: "ready", .jobReadyFor: 3600])
        },
        RuleCase("block-job-active", "ready", .flagged(.info, ["ready"])) {
            $0.know(.lun("vd0"), [.job: "mirror", .jobStatus: "ready", .jobReadyFor: 3599])
        },
        RuleCase("block-job-active", "not told", .notChecked("job")) { _ in },
    ]

    private static let frozen: [RuleCase] = [
        RuleCase("guest-fs-frozen", "thawed", .healthy) {
            $0.know(.guest, [.fileSystemFreeze: "thawed"])
        },
        RuleCase("guest-fs-frozen", "a snapshot is taken", .healthy) {
            $0.know(.guest, [.fileSystemFreeze: "frozen", .frozenFor: 60])
        },
        RuleCase("guest-fs-frozen", "forgotten", .flagged(.critical, ["61 s"])) {
            $0.know(.guest, [.fileSystemFreeze: "frozen", .frozenFor: 61])
        },
        RuleCase("guest-fs-frozen", "no agent", .notChecked("agent")) { _ in },
    ]

    /// Twelve windows of one mean latency, and one of another, microseconds.
    private static func latencies(_ before: Double, _ now: Double) -> Past {
        var past = Past()
        for index in 0...12 {
            past.append(
                Past.Window(
                    end: Nanoseconds(index) * 10_000_000_000, iops: 1000,
                    latency: index < 12 ? before : now, writeBytes: 0, readBytes: 0))
        }
        return past
    }
}
