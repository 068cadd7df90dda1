import Telemetry

@testable import Doctor

extension RuleCase {
    static let workers: [RuleCase] = blocked + polling + workerPool + ioUring

    private static let blocked: [RuleCase] = [
        RuleCase(
            "iothread-blocked-in-submit", "in state D",
            .flagged(.warning, ["12 %", "ext4_map_blocks"])
        ) { $0.know(.ioThread("io0"), [.blockedShare: 12, .blockedIn: "ext4_map_blocks"]) },
        RuleCase("iothread-blocked-in-submit", "slow", .flagged(.warning, ["350 µs"])) {
            $0.know(.ioThread("io0"), [.blockedShare: 0, .submitTime: 350])
        },
        RuleCase(
            "iothread-blocked-in-submit", "slow, states unread", .flagged(.warning, ["1.2 ms"])
        ) { $0.know(.ioThread("io0"), [.submitTime: 1200]) },
        RuleCase("iothread-blocked-in-submit", "just", .flagged(.warning, ["5 %", "200 µs"])) {
            $0.know(.vm, [.uptime: 60])
            $0.know(.ioThread("io0"), [.blockedShare: 5, .submitTime: 200])
        },
        RuleCase("iothread-blocked-in-submit", "serves none", .notApplicable) {
            $0.threads[2].luns = []
            $0.know(.ioThread("io0"), [.blockedShare: 50])
        },
        RuleCase("iothread-blocked-in-submit", "just below", .healthy) {
            $0.know(.ioThread("io0"), [.blockedShare: 4.9, .submitTime: 199])
        },
        RuleCase("iothread-blocked-in-submit", "starting", .notApplicable) {
            $0.know(.vm, [.uptime: 30])
            $0.know(.ioThread("io0"), [.blockedShare: 50])
        },
        RuleCase("iothread-blocked-in-submit", "unread", .notChecked("denied")) {
            $0.lack(.ioThread("io0"), .blockedShare, "denied")
        },
    ]

    private static let polling: [RuleCase] = [
        RuleCase("iothread-polling", "a crowd", .flagged(.advice, ["256 queues", "60 %"])) {
            $0.crowdThread(8, iops: 10, cpu: 60, queues: 32)
            $0.know(.ioThread("io0"), [.pollMax: 32_768])
        },
        RuleCase("iothread-polling", "a crowd elsewhere", .flagged(.advice, ["512 queues"])) {
            $0.crowdThread(16, iops: 10, cpu: 70, queues: 32)
            $0.threads[2].luns = ["vd0"]
            $0.know(.ioThread("io0"), [.pollMax: 32_768])
        },
        RuleCase("iothread-polling", "a crowd at rest", .healthy) {
            $0.crowdThread(8, iops: 10, cpu: 59, queues: 32)
            $0.know(.ioThread("io0"), [.pollMax: 32_768])
        },
        RuleCase("iothread-polling", "a busy crowd", .healthy) {
            $0.crowdThread(8, iops: 1000, cpu: 70, queues: 32)
            $0.know(.ioThread("io0"), [.pollMax: 32_768])
        },
        RuleCase("iothread-polling", "numbers from nowhere", .flagged(.advice, ["of LUNs"])) {
            $0.crowdThread(8, iops: 10, cpu: 60, queues: .max)
            $0.know(.ioThread("io0"), [.pollMax: 32_768])
        },
        RuleCase("iothread-polling", "few queues", .healthy) {
            $0.crowdThread(7, iops: 10, cpu: 70, queues: 32)
            $0.know(.ioThread("io0"), [.pollMax: 32_768])
        },
        RuleCase("iothread-polling", "too long", .flagged(.advice, ["5000 IOPS", "200000"])) {
            $0.crowdThread(1, iops: 5000, cpu: 90)
            $0.know(.ioThread("io0"), [.pollMax: 200_000])
        },
        RuleCase("iothread-polling", "long, and used", .healthy) {
            $0.crowdThread(1, iops: 5100, cpu: 95)
            $0.know(.ioThread("io0"), [.pollMax: 200_000])
        },
        RuleCase("iothread-polling", "off", .flagged(.info, ["poll-max-ns is 0", "100 µs"])) {
            $0.lonely(await: 100)
            $0.luns[0].rates.iops = 1000
            $0.luns[0].rates.queueDepth?.mean = 1.2
            $0.know(.ioThread("io0"), [.pollMax: 0])
        },
        RuleCase("iothread-polling", "off, on a slow disk", .healthy) {
            $0.lonely(await: 101)
            $0.know(.ioThread("io0"), [.pollMax: 0])
        },
        RuleCase("iothread-polling", "off, to save power", .healthy) {
            $0.lonely(await: 80)
            $0.know(.ioThread("io0"), [.pollMax: 0])
            $0.know(.host, [.energyPreference: "balance_power", .frequencyGovernor: "powersave"])
        },
        RuleCase("iothread-polling", "serves none", .notApplicable) {
            $0.threads[2].luns = []
            $0.threads[2].cpuPercent = 100
            $0.know(.ioThread("io0"), [.pollMax: 200_000])
        },
        RuleCase("iothread-polling", "hardly at all", .healthy) {
            $0.lonely(await: 80)
            $0.know(.ioThread("io0"), [.pollMax: 1])
        },
        RuleCase("iothread-polling", "off, and two at a time", .healthy) {
            $0.lonely(await: 80)
            $0.luns[0].rates.queueDepth?.mean = 1.3
            $0.know(.ioThread("io0"), [.pollMax: 0])
        },
        RuleCase("iothread-polling", "off, and idle", .healthy) {
            $0.lonely(await: 80)
            $0.luns[0].rates.iops = 999
            $0.know(.ioThread("io0"), [.pollMax: 0])
        },
        RuleCase("iothread-polling", "long, and not at its limit", .healthy) {
            $0.crowdThread(1, iops: 4000, cpu: 89)
            $0.know(.ioThread("io0"), [.pollMax: 200_000])
        },
        RuleCase("iothread-polling", "not asked", .notChecked("poll_max_ns")) { _ in },
    ]

    private static let workerPool: [RuleCase] = [
        RuleCase("worker-pool-saturated", "full", .flagged(.warning, ["60 of 64", "80 %"])) {
            $0.work(60, blocked: 80)
        },
        RuleCase("worker-pool-saturated", "almost full", .healthy) { $0.work(59, blocked: 90) },
        RuleCase("worker-pool-saturated", "computing", .healthy) { $0.work(64, blocked: 79) },
        RuleCase("worker-pool-saturated", "a wider pool", .healthy) {
            $0.work(64, blocked: 90, limit: 128)
        },
        RuleCase("worker-pool-saturated", "two loops", .healthy) {
            $0.work(64, blocked: 90)
            $0.know(.vm, [.workerLimit: 64])
            var second = $0.luns[0]
            (second.id, second.ioThread, second.isOnMainLoop) = ("vd1", nil, true)
            $0.luns.append(second)
        },
        RuleCase("worker-pool-saturated", "native AIO", .notApplicable) { _ in },
        RuleCase("worker-pool-saturated", "limit unknown", .notChecked("thread_pool_max")) {
            $0.luns[0].aio = "threads"
            $0.know(.vm, [.workers: 64, .workersBlocked: 90])
        },
        RuleCase("worker-pool-saturated", "model unknown", .notChecked("aio")) {
            $0.luns[0].aio = nil
            $0.know(.vm, [.workers: 64])
        },
    ]

    private static let ioUring: [RuleCase] = [
        RuleCase("io-uring-pressure", "at ease", .healthy) { $0.ring(workers: 2, cpu: 5) },
        RuleCase("io-uring-pressure", "overflow", .flagged(.advice, ["overflowed"])) {
            $0.ring(workers: 0, cpu: 0, overflow: true)
        },
        RuleCase("io-uring-pressure", "workers", .flagged(.advice, ["8 kernel workers", "20 %"])) {
            $0.ring(workers: 8, cpu: 20)
        },
        RuleCase("io-uring-pressure", "workers, buffered", .flagged(.advice, ["buffered: vd0"])) {
            $0.ring(workers: 8, cpu: 25)
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase("io-uring-pressure", "seven workers", .healthy) { $0.ring(workers: 7, cpu: 80) },
        RuleCase("io-uring-pressure", "workers at rest", .healthy) { $0.ring(workers: 9, cpu: 19) },
        RuleCase("io-uring-pressure", "more than fits", .flagged(.advice, ["129", "128 entries"])) {
            $0.ring(workers: 0, cpu: 0)
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 129)
        },
        RuleCase("io-uring-pressure", "native AIO", .notApplicable) { _ in },
        RuleCase("io-uring-pressure", "no ring at all", .notApplicable) {
            $0.luns[0].aio = nil
            $0.know(.vm, [.ioUrings: 0])
        },
        RuleCase("io-uring-pressure", "model unknown", .notChecked("aio")) {
            $0.luns[0].aio = nil
            $0.know(.vm, [.ioUrings: 1])
        },
        RuleCase("io-uring-pressure", "no rights", .notChecked("CAP_SYS_PTRACE")) {
            $0.luns[0].aio = "io_uring"
            $0.lack(.vm, .ioUringEntries, "needs CAP_SYS_PTRACE")
        },
    ]
}

extension Snapshot {
    fileprivate mutating func lonely(await response: Double) {
        crowdThread(1, iops: 5000, cpu: 20)
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 0.9)
        host.disks[0].reads = 5000
        host.disks[0].readAwait = response
    }

    fileprivate mutating func work(_ workers: Double, blocked: Double, limit: Double = 64) {
        luns[0].aio = "threads"
        know(.vm, [.workers: .number(workers), .workersBlocked: .number(blocked)])
        know(.ioThread("io0"), [.threadPoolMax: .number(limit)])
    }

    fileprivate mutating func ring(workers: Double, cpu: Double, overflow: Bool = false) {
        luns[0].aio = "io_uring"
        know(
            .vm,
            [
                .ioUringEntries: 128, .ioUringOverflow: .flag(overflow),
                .ioUringWorkers: .number(workers), .ioUringWorkerCPU: .number(cpu),
            ])
    }
}
