import Telemetry

@testable import Doctor

extension RuleCase {
    static let hostCPUs: [RuleCase] = [
        RuleCase("host-cpu-power", "slow clocks", .flagged(.advice, ["powersave", "60 %"])) {
            $0.threads[1].cpuPercent = 80
            $0.know(.host, [.frequencyGovernor: "powersave", .frequencyShare: 60])
        },
        RuleCase("host-cpu-power", "quick clocks", .healthy) {
            $0.threads[1].cpuPercent = 80
            $0.know(.host, [.frequencyGovernor: "schedutil", .frequencyShare: 61])
        },
        RuleCase(
            "host-cpu-power", "below the clock without turbo",
            .flagged(.advice, ["80 % of its clock without turbo"])
        ) {
            $0.threads[1].cpuPercent = 80
            $0.know(
                .host,
                [
                    .frequencyGovernor: "schedutil", .frequencyShare: 90, .baseFrequencyShare: 80,
                ])
        },
        RuleCase("host-cpu-power", "turbo of all cores", .healthy) {
            $0.threads[1].cpuPercent = 80
            $0.know(
                .host,
                [
                    .frequencyGovernor: "powersave", .frequencyShare: 55, .baseFrequencyShare: 110,
                ])
        },
        RuleCase("host-cpu-power", "little to do", .healthy) {
            $0.threads[1].cpuPercent = 49
            $0.know(.host, [.frequencyGovernor: "ondemand", .frequencyShare: 60])
        },
        RuleCase("host-cpu-power", "intel_pstate", .healthy) {
            $0.threads[1].cpuPercent = 80
            $0.know(
                .host,
                [
                    .frequencyGovernor: "powersave", .energyPreference: "performance",
                    .frequencyShare: 60,
                ])
        },
        RuleCase("host-cpu-power", "preference", .flagged(.advice, ["balance_power"])) {
            $0.threads[1].cpuPercent = 80
            $0.know(
                .host,
                [
                    .frequencyGovernor: "performance", .energyPreference: "balance_power",
                    .frequencyShare: 60,
                ])
        },
        RuleCase("host-cpu-power", "deep states", .flagged(.advice, ["15 %", "200 µs"])) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.deepIdleShare: 15])
        },
        RuleCase("host-cpu-power", "shallow states", .healthy) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.deepIdleShare: 9.9])
        },
        RuleCase("host-cpu-power", "deep queues", .notApplicable) {
            $0.synchronous(latency: 200, depth: 8)
            $0.know(.host, [.deepIdleShare: 50])
        },
        RuleCase("host-cpu-power", "slow anyway", .notApplicable) {
            $0.synchronous(latency: 301, depth: 1)
            $0.know(.host, [.deepIdleShare: 50])
        },
        RuleCase("host-cpu-power", "no cpuidle", .notChecked("no cpuidle")) {
            $0.synchronous(latency: 200, depth: 1)
            $0.lack(.host, .deepIdleShare, "no cpuidle")
        },
        RuleCase("host-cpu-power", "clocks unread", .notChecked("frequency_percent")) {
            $0.threads[1].cpuPercent = 80
            $0.know(.host, [.frequencyGovernor: "powersave"])
        },

        RuleCase("host-halt-poll", "off", .flagged(.advice, ["halt_poll_ns is 0", "1.2"])) {
            $0.synchronous(latency: 200, depth: 1)
            $0.count(.exit, "halt_exits", 1200)
            $0.know(.host, [.haltPoll: 0])
        },
        RuleCase("host-halt-poll", "off by the tracepoint", .flagged(.advice, ["0.90"])) {
            $0.synchronous(latency: 200, depth: 1)
            $0.count(.exit, "HLT", 900, from: "tracepoint:kvm:kvm_exit")
            $0.count(.exit, "EPT_MISCONFIG", 900, from: "tracepoint:kvm:kvm_exit")
            $0.know(.host, [.haltPoll: 0])
        },
        RuleCase("host-halt-poll", "off, and seldom halts", .healthy) {
            $0.synchronous(latency: 200, depth: 1)
            $0.count(.exit, "halt_exits", 790)
            $0.know(.host, [.haltPoll: 0])
            $0.know(.vm, [.vcpuCPUs: ["0-3"]])
        },
        RuleCase("host-halt-poll", "guest could poll", .flagged(.info, ["menu"])) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.haltPoll: 200_000])
            $0.know(.vm, [.vcpuCPUs: ["2", "3"]])
            $0.know(.guest, [.guestIdleGovernor: "menu"])
        },
        RuleCase("host-halt-poll", "guest polls", .healthy) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.haltPoll: 200_000])
            $0.know(.vm, [.vcpuCPUs: ["2", "3"]])
            $0.know(.guest, [.guestIdleGovernor: "haltpoll"])
        },
        RuleCase("host-halt-poll", "shared CPUs", .healthy) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.haltPoll: 200_000])
            $0.know(.vm, [.vcpuCPUs: ["0-3", "0-3"]])
        },
        RuleCase("host-halt-poll", "deep queues", .notApplicable) {
            $0.synchronous(latency: 200, depth: 32)
            $0.know(.host, [.haltPoll: 0])
        },
        RuleCase("host-halt-poll", "TCG", .notApplicable) { $0.vms[0].accelerator = .tcg },
        RuleCase("host-halt-poll", "polls in vain?", .notChecked("halt_poll_fail_ns")) {
            $0.host.cpuPercent = 81
            $0.know(.host, [.haltPoll: 200_000])
        },
        RuleCase("host-halt-poll", "guest could poll a busy host", .flagged(.info, ["menu"])) {
            $0.host.cpuPercent = 81
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.haltPoll: 200_000])
            $0.know(.vm, [.vcpuCPUs: ["2", "3"]])
            $0.know(.guest, [.guestIdleGovernor: "menu"])
        },
        RuleCase("host-halt-poll", "exits not counted", .notChecked("event_counts")) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.haltPoll: 0])
        },
        RuleCase("host-halt-poll", "no agent", .notChecked("only the guest knows")) {
            $0.synchronous(latency: 200, depth: 1)
            $0.know(.host, [.haltPoll: 200_000])
            $0.know(.vm, [.vcpuCPUs: ["2", "3"]])
        },

        RuleCase("host-irq-on-one-cpu", "piled up", .flagged(.warning, ["CPU 3", "70 %", "55 %"])) {
            $0.interrupts(rate: 20_000, share: 70, cpu: 3, time: 55)
        },
        RuleCase("host-irq-on-one-cpu", "spread", .healthy) {
            $0.interrupts(rate: 20_000, share: 69, cpu: 3, time: 55)
            $0.know(.vm, [.vcpuCPUs: ["0-7"]])
        },
        RuleCase("host-irq-on-one-cpu", "copes", .healthy) {
            $0.interrupts(rate: 20_000, share: 70, cpu: 3, time: 39)
            $0.know(.vm, [.vcpuCPUs: ["0-7"]])
        },
        RuleCase("host-irq-on-one-cpu", "on a vCPU's", .flagged(.advice, ["CPU 3", "guest1"])) {
            $0.interrupts(rate: 10_000, share: 50, cpu: 3, time: 5)
            $0.know(.vm, [.vcpuCPUs: ["2", "3"]])
        },
        RuleCase("host-irq-on-one-cpu", "few on a vCPU's", .healthy) {
            $0.interrupts(rate: 10_000, share: 49, cpu: 3, time: 5)
            $0.know(.vm, [.vcpuCPUs: ["2", "3"]])
        },
        RuleCase("host-irq-on-one-cpu", "few", .notApplicable) {
            $0.know(.host, [.storageInterruptRate: 4999])
        },
        RuleCase("host-irq-on-one-cpu", "whose CPU?", .notChecked("vcpu_cpus")) {
            $0.interrupts(rate: 10_000, share: 50, cpu: 3, time: 5)
        },

        RuleCase("host-clocksource-not-tsc", "tsc", .healthy) {
            $0.know(.host, [.clocksource: "tsc"])
        },
        RuleCase("host-clocksource-not-tsc", "hpet", .flagged(.warning, ["hpet"])) {
            $0.know(.host, [.clocksource: "hpet"])
        },
        RuleCase("host-clocksource-not-tsc", "nested", .healthy) {
            $0.know(
                .host,
                [.clocksource: "kvm-clock", .architecture: "x86_64", .isVirtualMachine: true])
        },
        RuleCase("host-clocksource-not-tsc", "not nested", .flagged(.warning, ["kvm-clock"])) {
            $0.know(
                .host,
                [.clocksource: "kvm-clock", .architecture: "x86_64", .isVirtualMachine: false])
        },
        RuleCase("host-clocksource-not-tsc", "Arm", .notApplicable) {
            $0.know(.host, [.clocksource: "arch_sys_counter", .architecture: "aarch64"])
        },
        RuleCase("host-clocksource-not-tsc", "unread", .notChecked("clocksource")) { _ in },

        RuleCase("host-mitigations-cost", "none", .healthy) {
            $0.know(.host, [.nxHugePages: "N", .l1dFlush: "not required"])
        },
        RuleCase(
            "host-mitigations-cost", "flushes", .flagged(.info, ["always"]),
            load: Load(machineIOPS: 10)
        ) {
            $0.know(.host, [.nxHugePages: "N", .l1dFlush: "always"])
        },
        RuleCase("host-mitigations-cost", "flushes, no rates yet", .flagged(.info, ["always"])) {
            $0.know(.host, [.nxHugePages: "N", .l1dFlush: "always"])
        },
        RuleCase("host-mitigations-cost", "splits, no rates yet", .notChecked("iops")) {
            $0.know(.host, [.nxHugePages: "Y", .l1dFlush: "not required"])
        },
        RuleCase("host-mitigations-cost", "KVM of another kind", .notChecked("nx_huge_pages")) {
            $0.know(.host, [.l1dFlush: "always"])
        },
        RuleCase(
            "host-mitigations-cost", "flushes often", .flagged(.advice, ["3 exits a request"]),
            load: Load(machineIOPS: 60_000)
        ) {
            $0.luns[0].rates.iops = 60_000
            $0.count(.exit, "exits", 180_000)
            $0.count(.exit, "io_exits", 90_000)
            $0.know(.host, [.nxHugePages: "N", .l1dFlush: "always"])
        },
        RuleCase(
            "host-mitigations-cost", "few exits", .flagged(.info, ["2.9 exits"]),
            load: Load(machineIOPS: 60_000)
        ) {
            $0.luns[0].rates.iops = 60_000
            $0.count(.exit, "exits", 174_000)
            $0.know(.host, [.nxHugePages: "N", .l1dFlush: "always"])
        },
        RuleCase(
            "host-mitigations-cost", "splits?", .notChecked("nx_lpage_splits"),
            load: Load(machineIOPS: 60_000)
        ) {
            $0.luns[0].rates.iops = 60_000
            $0.count(.exit, "exits", 180_000)
            $0.know(.host, [.nxHugePages: "Y", .l1dFlush: "not required"])
        },
        RuleCase(
            "host-mitigations-cost", "splits, no load", .notApplicable,
            load: Load(machineIOPS: 10)
        ) {
            $0.know(.host, [.nxHugePages: "Y", .l1dFlush: "not required"])
        },
    ]
}

extension Snapshot {
    /// 1000 IOPS at such a latency, microseconds, and depth.
    fileprivate mutating func synchronous(latency: Double, depth: Double) {
        luns[0].rates.iops = 1000
        luns[0].rates.reads = 1000
        luns[0].rates.readLatency = LatencySummary(mean: latency)
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: depth)
    }

    fileprivate mutating func interrupts(rate: Int, share: Int, cpu: Int, time: Int) {
        know(
            .host,
            [
                .storageInterruptRate: .count(rate), .busiestInterruptShare: .count(share),
                .busiestInterruptCPU: .count(cpu), .busiestInterruptTime: .count(time),
            ])
    }

    fileprivate mutating func count(
        _ kind: EventCount.Kind, _ name: String, _ rate: Double, from source: String = "query-stats"
    ) {
        eventCounts.append(EventCount(kind: kind, name: name, rate: rate, source: source))
    }
}
