import Telemetry

@testable import Doctor

/// The embedded engine on paths that a VM should not be on.
extension RuleCase {
    static let engine: [RuleCase] =
        engineLoop + engineControllers + engineThreads + engineLock + engineExits + engineCaches

    private static let engineLoop: [RuleCase] = [
        RuleCase(
            "dataplane-off", "the engine's main loop", .flagged(.warning, ["no IOThread", "60 %"]),
            load: Load(iops: 40_000, machineIOPS: 40_000)
        ) { $0.embed("big-lock") },
        RuleCase("dataplane-off", "the engine's own threads", .healthy) { $0.embed("data-plane") },
        RuleCase("dataplane-off", "a device of the guest's", .notApplicable) {
            $0.embed("pass-through", device: "pass-through (embedded)")
        },
    ]

    private static let engineControllers: [RuleCase] = [
        RuleCase(
            "emulated-disk-controller", "the engine's IDE",
            .flagged(.warning, ["ide", "900 IOPS"]),
            load: Load(iops: 900)
        ) {
            $0.embed("ide", device: "ide (embedded)")
            $0.know(.lun("vd0"), [.isReadOnly: false])
        },
        RuleCase("emulated-disk-controller", "the engine's virtio-blk", .healthy) {
            $0.embed("data-plane")
        },
        RuleCase(
            "virtio-scsi-hot-lun", "the engine's, very hot", .flagged(.info, ["1 LUNs", "80,000"])
        ) {
            $0.embed("virtio-scsi", device: "virtio-scsi (embedded)")
            $0.luns[0].rates.iops = 80_000
        },
        RuleCase("virtio-scsi-hot-lun", "the engine's, warm", .healthy) {
            $0.embed("virtio-scsi", device: "virtio-scsi (embedded)")
            $0.luns[0].rates.iops = 79_999
        },
        RuleCase("virtio-scsi-hot-lun", "the engine's virtio-blk", .notApplicable) {
            $0.embed("data-plane")
            $0.luns[0].rates.iops = 100_000
        },
    ]

    private static let engineThreads: [RuleCase] = [
        RuleCase(
            "iothread-saturated", "the engine's, with a backlog",
            .flagged(.warning, ["90 % of the time", "50 %", "in the ring"])
        ) { $0.embed("data-plane", busy: 90, ringWait: 50) },
        RuleCase(
            "iothread-saturated", "the engine's, for long", .flagged(.critical, ["98 %"]),
            isStanding: true
        ) { $0.embed("data-plane", busy: 98, ringWait: 50) },
        RuleCase("iothread-saturated", "the engine's, storage is slow", .healthy) {
            $0.embed("data-plane", busy: 100, ringWait: 49)
        },
        RuleCase("iothread-saturated", "the engine's, with time to spare", .healthy) {
            $0.embed("data-plane", busy: 89, ringWait: 100)
        },
        RuleCase("iothread-saturated", "the engine's, unknown", .notChecked("busy_percent")) {
            $0.embed("data-plane")
        },
    ]

    private static let engineLock: [RuleCase] = [
        RuleCase("bql-contention", "the engine's vCPUs", .flagged(.warning, ["5 %", "70 times"])) {
            $0.embed("big-lock")
            $0.locks = [
                LockActivity(
                    name: "BQL", waits: 70, waitPercent: 95, longest: 9, waiters: ["main loop"])
            ]
            $0.threads[0].lockWaitPercent = 90
            $0.threads[1].lockWaitPercent = 5
        },
        RuleCase("bql-contention", "the engine without the lock", .notApplicable) {
            $0.embed("data-plane")
        },
    ]

    private static let engineExits: [RuleCase] = [
        RuleCase(
            "per-io-overhead-high", "the engine's",
            .flagged(.advice, ["6 exits", "under the lock"]),
            load: Load(machineIOPS: 10_000)
        ) {
            $0.embed("ide", device: "ide (embedded)")
            $0.total.exits = 60_000
            $0.eventCounts = [
                EventCount(
                    kind: .exit, name: "REGISTER", detail: "ide", rate: 50_000,
                    source: "engine counters")
            ]
            $0.threads[0].voluntarySwitches = 0
        },
        RuleCase(
            "per-io-overhead-high", "the engine's kicks by eventfd", .healthy,
            load: Load(machineIOPS: 10_000)
        ) {
            $0.embed("data-plane")
            $0.total.exits = 10_000
            $0.eventCounts = [
                EventCount(
                    kind: .exit, name: "KICK", detail: "data-plane", rate: 10_000,
                    source: "engine counters")
            ]
            $0.threads[0].voluntarySwitches = 0
        },
        RuleCase("pv-eoi-off", "the engine's", .flagged(.advice, ["PV-EOI is off", "20000"])) {
            $0.embed("data-plane")
            $0.total.interrupts = 20_000
            $0.know(.vm, [.cpuPVEOI: false])
        },
        RuleCase("pv-eoi-off", "the engine's, few interrupts", .healthy) {
            $0.embed("data-plane")
            $0.total.interrupts = 19_999
            $0.know(.vm, [.cpuPVEOI: false])
        },
    ]

    private static let engineCaches: [RuleCase] = [
        RuleCase("cache-unsafe", "the engine's", .flagged(.critical, ["cache=unsafe"])) {
            $0.embed("data-plane")
            $0.know(.lun("vd0"), [.ignoresFlushes: true, .isReadOnly: false])
        },
        RuleCase("cache-unsafe", "the engine's memory", .notApplicable) {
            $0.embed("data-plane")
            $0.luns[0].cache = nil
        },
    ]
}

extension Snapshot {
    /// The embedded engine with its LUN on `path`, served by a thread that moves requests for
    /// `busy` percent of the time, and whose requests wait in the ring for `ringWait` of 100 µs.
    fileprivate mutating func embed(
        _ path: String, device: String = "virtio-blk (embedded)", busy: Double? = nil,
        ringWait: Double? = nil
    ) {
        vms[0].accelerator = .embedded
        luns[0].device = device
        luns[0].path = path
        luns[0].isOnMainLoop = path == "big-lock" || path == "ide"
        luns[0].hostDisk = nil
        threads[2].busyPercent = busy
        luns[0].rates.iops = 1000
        luns[0].rates.stages = ringWait.map { StageTimes(ringWait: $0, storage: 100 - $0) }
    }
}
