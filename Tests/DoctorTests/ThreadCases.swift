import Telemetry

@testable import Doctor

extension RuleCase {
    static let threads: [RuleCase] =
        cgroup + runQueue + pinning + mainLoop + bigLock + costOfRequests

    private static let cgroup: [RuleCase] = [
        RuleCase("cgroup-limited", "free", .healthy) { $0.know(.vm, [.cpuThrottled: 1.9]) },
        RuleCase("cgroup-limited", "throttled", .flagged(.warning, ["2 %", "200000 100000"])) {
            $0.know(.vm, [.cpuThrottled: 2, .cpuQuota: "200000 100000"])
        },
        RuleCase("cgroup-limited", "an IOThread stands", .flagged(.critical, ["IO io0", "20 %"])) {
            $0.know(.vm, [.cpuThrottled: 20])
            $0.know(.ioThread("io0"), [.cpuThrottled: 20])
        },
        RuleCase("cgroup-limited", "an IOThread waits", .flagged(.warning, ["30 %"])) {
            $0.know(.vm, [.cpuThrottled: 30, .mainLoopThrottled: 25])
            $0.know(.ioThread("io0"), [.cpuThrottled: 19])
        },
        RuleCase("cgroup-limited", "a vCPU's quota", .flagged(.warning, ["90 %"])) {
            $0.know(.vm, [.cpuThrottled: 90, .mainLoopThrottled: 0])
            $0.know(.ioThread("io0"), [.cpuThrottled: 0])
        },
        RuleCase("cgroup-limited", "an IOThread of no LUN", .flagged(.warning, ["90 %"])) {
            $0.threads[2].luns = []
            $0.know(.vm, [.cpuThrottled: 90])
            $0.know(.ioThread("io0"), [.cpuThrottled: 90])
        },
        RuleCase(
            "cgroup-limited", "the main loop stands", .flagged(.critical, ["main loop serves"])
        ) {
            $0.luns[0].isOnMainLoop = true
            $0.know(.vm, [.cpuThrottled: 90, .mainLoopThrottled: 20])
        },
        RuleCase("cgroup-limited", "I/O", .flagged(.warning, ["vd0", "95 %", "wiops=1000"])) {
            $0.know(.vm, [.cpuThrottled: 0])
            $0.know(.lun("vd0"), [.ioLimitUse: 95, .ioLimit: "259:0 wiops=1000"])
        },
        RuleCase("cgroup-limited", "I/O just below", .healthy) {
            $0.know(.vm, [.cpuThrottled: 0])
            $0.know(.lun("vd0"), [.ioLimitUse: 94])
        },
        RuleCase("cgroup-limited", "not told", .notChecked("cpu_throttled")) { _ in },
    ]

    private static let runQueue: [RuleCase] = [
        RuleCase("thread-runqueue-wait", "runs", .healthy) { $0.wait(2, 4.9, cpu: 60) },
        RuleCase("thread-runqueue-wait", "waits", .flagged(.warning, ["IO io0 5 %", "20 %"])) {
            $0.wait(2, 5, cpu: 60)
        },
        RuleCase(
            "thread-runqueue-wait", "each role",
            .flagged(.critical, ["IO io0 6 %", "CPU 0/KVM 27 %"])
        ) {
            $0.wait(2, 6, cpu: 60)
            $0.wait(1, 27, cpu: 60)
        },
        RuleCase("thread-runqueue-wait", "main loop", .flagged(.critical, ["main loop", "300"])) {
            $0.wait(0, 20, cpu: 60)
            $0.threads[0].involuntarySwitches = 300
        },
        RuleCase("thread-runqueue-wait", "still", .flagged(.warning, []), isStanding: true) {
            $0.wait(2, 4.1, cpu: 60)
        },
        RuleCase("thread-runqueue-wait", "idle", .healthy) { $0.wait(2, 50, cpu: 4.9) },
        RuleCase("thread-runqueue-wait", "workers do not count", .notChecked("run_delay_percent")) {
            $0.threads.append(ThreadActivity(tid: 120, role: .worker, name: "worker"))
            $0.wait(3, 50, cpu: 60)
        },
        RuleCase("thread-runqueue-wait", "by plan", .flagged(.info, ["quota"])) {
            $0.wait(2, 50, cpu: 60)
            $0.know(.vm, [.cpuThrottled: 30])
        },
        RuleCase("thread-runqueue-wait", "the engine", .flagged(.warning, ["device"])) {
            $0.vms[0].accelerator = .embedded
            $0.threads = [ThreadActivity(tid: 1, role: .device, name: "device")]
            $0.wait(0, 10, cpu: 60)
        },
        RuleCase("thread-runqueue-wait", "no threads", .notChecked("threads")) { $0.threads = [] },
    ]

    private static let pinning: [RuleCase] = [
        RuleCase("pinning-overlap", "apart", .healthy) { $0.pin(vcpu: "2", thread: "8", wait: 9) },
        RuleCase("pinning-overlap", "one CPU", .flagged(.warning, ["CPU 2", "2 %"])) {
            $0.pin(vcpu: "2-3", thread: "2", wait: 2)
        },
        RuleCase("pinning-overlap", "one core", .flagged(.advice, ["beside", "CPU 10"])) {
            $0.pin(vcpu: "2", thread: "10", wait: 2)
        },
        RuleCase("pinning-overlap", "all on one node", .healthy) {
            $0.pin(vcpu: "0-7", thread: "0-7", wait: 2.5)
            $0.addVCPUs(3, on: "0-7")
        },
        RuleCase(
            "pinning-overlap", "as many as the node has CPUs", .flagged(.warning, ["CPU 0-3"])
        ) {
            $0.pin(vcpu: "0-3", thread: "0-3", wait: 2.5)
            $0.addVCPUs(3, on: "0-3")
        },
        RuleCase("pinning-overlap", "one fewer", .healthy) {
            $0.pin(vcpu: "0-3", thread: "0-3", wait: 2.5)
            $0.addVCPUs(2, on: "0-3")
        },
        RuleCase("pinning-overlap", "it does not wait", .healthy) {
            $0.pin(vcpu: "2", thread: "2", wait: 1.9)
        },
        RuleCase("pinning-overlap", "an idle vCPU", .healthy) {
            $0.pin(vcpu: "2", thread: "2", wait: 9)
            $0.threads[1].cpuPercent = 19
        },
        RuleCase("pinning-overlap", "it may leave", .healthy) {
            $0.pin(vcpu: "2", thread: "2,4", wait: 9)
        },
        RuleCase(
            "pinning-overlap", "wandering", .flagged(.advice, ["IO io0", "200", "20000"]),
            load: Load(machineIOPS: 20_000)
        ) {
            $0.pin(vcpu: "0-15", thread: "0-15", wait: 0)
            $0.threads[2].migrations = 200
        },
        RuleCase("pinning-overlap", "calm", .healthy, load: Load(machineIOPS: 20_000)) {
            $0.pin(vcpu: "0-15", thread: "0-15", wait: 0)
            $0.threads[2].migrations = 199
        },
        RuleCase("pinning-overlap", "no load", .healthy, load: Load(machineIOPS: 19_999)) {
            $0.pin(vcpu: "0-15", thread: "0-15", wait: 0)
            $0.threads[2].migrations = 900
        },
        RuleCase("pinning-overlap", "a small host", .healthy, load: Load(machineIOPS: 30_000)) {
            $0.pin(vcpu: "0-3", thread: "0-3", wait: 0, of: 4)
            $0.threads[2].migrations = 900
        },
        RuleCase(
            "pinning-overlap", "moves unknown", .notChecked("migrations_per_s"),
            load: Load(machineIOPS: 30_000)
        ) { $0.pin(vcpu: "0-15", thread: "0-15", wait: 0) },
        RuleCase("pinning-overlap", "nonsense", .notChecked("no list")) {
            $0.pin(vcpu: "0-999999999", thread: "0", wait: 0)
        },
        RuleCase("pinning-overlap", "not told", .notChecked("cpu_count")) { _ in },
    ]

    private static let mainLoop: [RuleCase] = [
        RuleCase("main-loop-saturated", "room", .healthy) { $0.threads[0].cpuPercent = 69 },
        RuleCase("main-loop-saturated", "near", .flagged(.warning, ["70 %"])) {
            $0.threads[0].cpuPercent = 70
        },
        RuleCase("main-loop-saturated", "full", .flagged(.critical, ["95 %"])) {
            $0.threads[0].cpuPercent = 95
        },
        RuleCase("main-loop-saturated", "by our own questions", .healthy) {
            $0.threads[0].cpuPercent = 72
            $0.know(.tool, [.questionTime: 4])
        },
        RuleCase("main-loop-saturated", "slow answers", .flagged(.critical, ["120 ms"])) {
            $0.threads[0].cpuPercent = 10
            $0.sources = [SourceStatus(name: "qmp", state: .ok, roundTrip: 120_000_000)]
        },
        RuleCase("main-loop-saturated", "quick answers", .healthy) {
            $0.threads[0].cpuPercent = 10
            $0.sources = [SourceStatus(name: "qmp", state: .ok, roundTrip: 99_000_000)]
        },
        RuleCase("main-loop-saturated", "starting", .notApplicable) {
            $0.threads[0].cpuPercent = 99
            $0.know(.vm, [.uptime: 29])
        },
        RuleCase("main-loop-saturated", "migrating", .notApplicable) {
            $0.threads[0].cpuPercent = 99
            $0.know(.vm, [.migration: "active"])
        },
        RuleCase("main-loop-saturated", "being saved", .notApplicable) {
            $0.threads[0].cpuPercent = 99
            $0.vms[0].status = "save-vm"
        },
        RuleCase("main-loop-saturated", "not measured", .notChecked("cpu_percent")) { _ in },
    ]

    private static let bigLock: [RuleCase] = [
        RuleCase("bql-contention", "little", .healthy) { $0.wait(forBigLock: 19) },
        // Four vCPUs: 20 % of the interval are 5 % of their time.
        RuleCase("bql-contention", "much", .flagged(.warning, ["5 %", "700 times"])) {
            $0.wait(forBigLock: 20)
        },
        RuleCase("bql-contention", "too much", .flagged(.critical, ["20 %"])) {
            $0.wait(forBigLock: 80)
        },
        RuleCase("bql-contention", "profiled", .flagged(.warning, ["6 %"])) {
            $0.know(.vm, [.lockProfile: 6])
        },
        RuleCase("bql-contention", "counted, and none", .healthy) {
            $0.threads[1].probes = [ProbeValue(key: "futex_wait_percent", value: 0)]
        },
        RuleCase("bql-contention", "TCG", .notApplicable) { $0.vms[0].accelerator = .tcg },
        RuleCase("bql-contention", "nobody looks", .notChecked("off")) {
            $0.unavailable = [Unavailable(metric: "locks", reason: "tracepoints are off")]
        },
    ]

    private static let costOfRequests: [RuleCase] = [
        RuleCase("per-io-overhead-high", "cheap", .healthy, load: Load(machineIOPS: 60_000)) {
            $0.spend(exits: 5.9 * 60_000, userspace: 59_000, irqs: 53_000, switches: 179_000)
        },
        RuleCase(
            "per-io-overhead-high", "exits", .flagged(.advice, ["6 exits, limit 6"]),
            load: Load(machineIOPS: 5000)
        ) { $0.spend(exits: 30_000, userspace: 0, irqs: 0, switches: 0) },
        RuleCase(
            "per-io-overhead-high", "to QEMU", .flagged(.advice, ["1 exits to QEMU"]),
            load: Load(machineIOPS: 5000)
        ) { $0.spend(exits: 6000, userspace: 5000, irqs: 0, switches: 0) },
        RuleCase(
            "per-io-overhead-high", "to QEMU, without tracepoints",
            .flagged(.advice, ["1.2 exits to QEMU"]), load: Load(machineIOPS: 5000)
        ) {
            $0.spend(exits: 6000, userspace: nil, irqs: 0, switches: 0)
            $0.count(.exit, "mmio_exits", 6000, "QMP query-stats")
        },
        RuleCase(
            "per-io-overhead-high", "interrupts", .flagged(.advice, ["0.9", "depth of 32"]),
            load: Load(machineIOPS: 50_000)
        ) { $0.spend(exits: 0, userspace: 0, irqs: 45_000, switches: 0) },
        RuleCase(
            "per-io-overhead-high", "interrupts at depth 1", .healthy,
            load: Load(machineIOPS: 50_000)
        ) {
            $0.spend(exits: 0, userspace: 0, irqs: 60_000, switches: 0)
            $0.luns[0].rates.queueDepth = QueueDepth(now: 1, mean: 1)
        },
        RuleCase(
            "per-io-overhead-high", "interrupts at little load", .healthy,
            load: Load(machineIOPS: 49_999)
        ) { $0.spend(exits: 0, userspace: 0, irqs: 60_000, switches: 0) },
        RuleCase(
            "per-io-overhead-high", "switches", .flagged(.advice, ["3 voluntary", "vd0"]),
            load: Load(machineIOPS: 5000)
        ) {
            $0.spend(exits: 0, userspace: 0, irqs: 0, switches: 15_000)
            $0.luns[0].aio = "threads"
        },
        RuleCase("per-io-overhead-high", "idle", .notApplicable, load: Load(machineIOPS: 4999)) {
            $0.spend(exits: 90_000, userspace: 9000, irqs: 9000, switches: 90_000)
        },
        RuleCase("per-io-overhead-high", "TCG", .notApplicable) { $0.vms[0].accelerator = .tcg },
        RuleCase("per-io-overhead-high", "no rates", .notChecked("iops")) { _ in },
        RuleCase(
            "per-io-overhead-high", "nobody counts", .notChecked("event_counts"),
            load: Load(machineIOPS: 5000)
        ) { $0.threads[0].voluntarySwitches = 10 },
        RuleCase(
            "per-io-overhead-high", "switches unknown", .notChecked("voluntary_switches"),
            load: Load(machineIOPS: 5000)
        ) { $0.count(.exit, "exits", 1000, "QMP query-stats") },
    ]
}

extension Snapshot {
    /// Lets a thread wait for a CPU, percent of the time, and use `cpu` percent of one.
    fileprivate mutating func wait(_ thread: Int, _ percent: Double, cpu: Double) {
        threads[thread].runDelayPercent = percent
        threads[thread].cpuPercent = cpu
    }

    /// Pins the one vCPU and the one IOThread, both busy, on a host whose CPUs n and n + 8 share a
    /// core.
    fileprivate mutating func pin(vcpu: String, thread: String, wait: Double, of cpuCount: Int = 16)
    {
        know(
            .host,
            [
                .cpuCount: .count(cpuCount),
                .threadSiblings: .texts((0..<8).map { "\($0),\($0 + 8)" }),
            ])
        know(.vm, [.vcpuCPUs: [vcpu]])
        know(.ioThread("io0"), [.allowedCPUs: .text(thread)])
        self.wait(1, 0, cpu: 50)
        self.wait(2, wait, cpu: 50)
    }

    /// More busy vCPUs, with this list of CPUs each.
    fileprivate mutating func addVCPUs(_ count: Int, on list: String) {
        for number in 1...count {
            var thread = ThreadActivity(tid: 200 + number, role: .vcpu, name: "CPU \(number)/KVM")
            thread.cpuPercent = 50
            threads.append(thread)
        }
        know(.vm, [.vcpuCPUs: .texts(Array(repeating: list, count: count + 1))])
    }

    fileprivate mutating func wait(forBigLock percent: Double) {
        locks = [
            LockActivity(
                name: "BQL", waits: 700, waitPercent: percent, longest: nil, waiters: [])
        ]
    }

    /// What happens in a second, at a depth of 32.
    fileprivate mutating func spend(
        exits: Double, userspace: Double?, irqs: Double, switches: Double
    ) {
        count(.exit, "exits", exits, "QMP query-stats")
        if let userspace {
            count(.exit, "MMIO", userspace, "tracepoint:kvm:kvm_userspace_exit")
        }
        count(.injection, "irq_injections", irqs, "QMP query-stats")
        threads[0].voluntarySwitches = switches / 2
        threads[2].voluntarySwitches = switches / 2
        luns[0].rates.queueDepth = QueueDepth(now: 32, mean: 32)
    }
}
