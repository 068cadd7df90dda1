import Telemetry

@testable import Doctor

extension RuleCase {
    static let host: [RuleCase] = kernel + hostMemory + hostCPUs

    /// What the kernel is told to do, or not to.
    private static let kernel: [RuleCase] = [
        RuleCase("host-aio-max-nr", "room", .healthy) {
            $0.know(.host, [.aioReserved: 4096, .aioLimit: 65_536])
        },
        RuleCase("host-aio-max-nr", "near", .flagged(.warning, ["57344", "65536", "88 %"])) {
            $0.know(.host, [.aioReserved: 57_344, .aioLimit: 65_536])
        },
        RuleCase("host-aio-max-nr", "full", .flagged(.critical, ["97 %"])) {
            $0.know(.host, [.aioReserved: 63_488, .aioLimit: 65_536])
        },
        RuleCase("host-aio-max-nr", "unread", .notChecked("denied")) {
            $0.know(.host, [.aioLimit: 65_536])
            $0.lack(.host, .aioReserved, "denied")
        },

        RuleCase("host-delayacct-on", "off", .healthy) {
            $0.know(.host, [.delayAccounting: false])
        },
        RuleCase(
            "host-delayacct-on", "under load", .flagged(.advice, ["60000 IOPS"]),
            load: Load(machineIOPS: 60_000)
        ) {
            $0.know(.host, [.delayAccounting: true, .kernelRelease: "6.1.0-18-amd64"])
        },
        RuleCase(
            "host-delayacct-on", "before it could be switched", .flagged(.advice, ["Linux 5.10"]),
            load: Load(machineIOPS: 60_000)
        ) {
            $0.know(.host, [.delayAccounting: true, .kernelRelease: "5.10.0-9-amd64"])
        },
        RuleCase(
            "host-delayacct-on", "just below", .notApplicable, load: Load(machineIOPS: 49_999)
        ) {
            $0.know(.host, [.delayAccounting: true])
        },
        RuleCase(
            "host-delayacct-on", "stands", .flagged(.advice, []), load: Load(machineIOPS: 41_000),
            isStanding: true
        ) {
            $0.know(.host, [.delayAccounting: true])
        },
        RuleCase("host-delayacct-on", "no rates yet", .notChecked("iops")) {
            $0.know(.host, [.delayAccounting: true])
        },
        RuleCase("host-delayacct-on", "unread", .notChecked("delay_accounting")) { _ in },

        RuleCase("io-uring-unavailable", "forbidden", .flagged(.advice, ["vd0", "is 2"])) {
            $0.ring(kernel: "6.8.0", disabled: 2)
        },
        RuleCase("io-uring-unavailable", "a group's", .flagged(.info, ["io_uring_group"])) {
            $0.ring(kernel: "6.8.0", disabled: 1)
        },
        RuleCase("io-uring-unavailable", "allowed", .healthy) {
            $0.ring(kernel: "6.8.0", disabled: 0)
        },
        RuleCase("io-uring-unavailable", "native", .notApplicable) {
            $0.ring(kernel: "6.8.0", disabled: 2)
            $0.luns[0].aio = "native"
        },
        RuleCase("io-uring-unavailable", "little locked memory", .flagged(.advice, ["64 KiB"])) {
            $0.ring(kernel: "5.10.0", disabled: 0)
            $0.know(.vm, [.lockedMemoryLimit: 65_536, .ioUrings: 2])
        },
        RuleCase("io-uring-unavailable", "1 MiB for each ring", .healthy) {
            $0.ring(kernel: "5.11.0", disabled: 0)
            $0.know(.vm, [.lockedMemoryLimit: 2_097_152, .ioUrings: 2])
        },
        RuleCase("io-uring-unavailable", "not 1 MiB for each", .flagged(.advice, ["2 rings"])) {
            $0.ring(kernel: "5.11.0", disabled: 0)
            $0.know(.vm, [.lockedMemoryLimit: 2_097_151, .ioUrings: 2])
        },
        RuleCase("io-uring-unavailable", "no limit", .healthy) {
            $0.ring(kernel: "5.10.0", disabled: 0)
            $0.know(.vm, [.lockedMemoryLimit: -1])
        },
        RuleCase("io-uring-unavailable", "LVM", .flagged(.advice, ["6.1.0", "LVM"])) {
            $0.ring(kernel: "5.15.0", disabled: 0)
            $0.vms[0].version = "6.1.0"
            $0.place(on: "dm-3")
            $0.know(.disk("dm-3"), [.mapperUUID: "LVM-abcdef"])
        },
        RuleCase("io-uring-unavailable", "CIFS", .flagged(.advice, ["CIFS"])) {
            $0.ring(kernel: "5.15.0", disabled: 0)
            $0.vms[0].version = "5.0.0"
            $0.luns[0].hostDisk = nil
            $0.know(.lun("vd0"), [.fileSystem: "cifs"])
        },
        RuleCase("io-uring-unavailable", "NVMe of its day", .healthy) {
            $0.ring(kernel: "5.15.0", disabled: 0)
            $0.vms[0].version = "6.1.0"
        },
        RuleCase("io-uring-unavailable", "perhaps iSCSI", .notChecked("iSCSI")) {
            $0.ring(kernel: "5.15.0", disabled: 0)
            $0.vms[0].version = "6.0.0"
            $0.place(on: "sda")
            $0.know(.disk("sda"), [.vendor: "LIO-ORG"])
        },
        RuleCase("io-uring-unavailable", "LVM later", .healthy) {
            $0.ring(kernel: "5.15.0", disabled: 0)
            $0.vms[0].version = "6.2.0"
            $0.place(on: "dm-3")
            $0.know(.disk("dm-3"), [.mapperUUID: "LVM-abcdef"])
        },
        RuleCase("io-uring-unavailable", "aio unknown", .notChecked("aio")) {
            $0.ring(kernel: "6.8.0", disabled: 2)
            $0.luns[0].aio = nil
        },
        RuleCase("io-uring-unavailable", "unread", .notChecked("io_uring_disabled")) {
            $0.luns[0].aio = "io_uring"
        },
    ]

    private static let hostMemory: [RuleCase] = [
        RuleCase("host-memory-overcommit", "room", .healthy) {
            $0.memory(available: 20, promised: 32)
        },
        RuleCase("host-memory-overcommit", "too much", .flagged(.warning, ["limit 90 %"])) {
            $0.memory(available: 6, promised: 60)
        },
        RuleCase("host-memory-overcommit", "promised, and free", .healthy) {
            $0.memory(available: 7, promised: 80)
        },
        RuleCase("host-memory-overcommit", "ballooned", .healthy) {
            $0.memory(available: 6, promised: 80)
            $0.know(.vm, [.balloon: .count(4 << 30)])
            $0.know(.host, [.memoryOfVMs: .count(40 << 30)])
        },
        RuleCase("host-memory-overcommit", "swaps", .flagged(.warning, ["60 pages/s"])) {
            $0.memory(available: 20, promised: 32, swapped: 60)
        },
        RuleCase("host-memory-overcommit", "swaps little", .healthy) {
            $0.memory(available: 20, promised: 32, swapped: 49)
        },
        RuleCase("host-memory-overcommit", "swaps much", .flagged(.critical, ["100 pages/s"])) {
            $0.memory(available: 20, promised: 32, swapped: 100)
        },
        RuleCase("host-memory-overcommit", "swaps to zram", .flagged(.advice, ["200 pages/s"])) {
            $0.memory(available: 20, promised: 32, swapped: 200)
            $0.know(.host, [.swapIsZram: true])
        },
        RuleCase(
            "host-memory-overcommit", "swaps to a LUN's disk", .flagged(.critical, ["nvme0n1"])
        ) {
            $0.memory(available: 20, promised: 32, swapped: 50)
            $0.know(.host, [.swapDisks: ["nvme0n1"]])
            $0.luns[0].rates.iops = 500
        },
        RuleCase("host-memory-overcommit", "tasks wait", .flagged(.critical, ["7.5 %"])) {
            $0.memory(available: 6, promised: 60)
            $0.know(.host, [.memoryPressure: 7.5])
        },
        RuleCase("host-memory-overcommit", "no swap", .flagged(.warning, ["0 pages/s"])) {
            $0.memory(available: 6, promised: 60)
            $0.lack(.host, .swapRate, "no swap")
            $0.know(.host, [.swapTotal: 0])
        },
        RuleCase("host-memory-overcommit", "swaps is enough", .flagged(.warning, ["60"])) {
            $0.know(.host, [.swapRate: 60])
        },
        RuleCase("host-memory-overcommit", "unread", .notChecked("memory_promised_bytes")) {
            $0.know(
                .host,
                [.swapRate: 0, .memoryTotal: .count(64 << 30), .memoryAvailable: .count(1 << 30)])
        },

        RuleCase("host-ksm-active", "off", .healthy) { $0.know(.host, [.ksmRun: 0]) },
        RuleCase(
            "host-ksm-active", "ksmd works", .flagged(.advice, ["25 %"]),
            load: Load(machineIOPS: 50_000)
        ) {
            $0.know(.host, [.ksmRun: 1, .ksmCPU: 25, .ksmPagesSharing: 0])
        },
        RuleCase(
            "host-ksm-active", "shared pages", .flagged(.advice, ["3000 pages"]),
            load: Load(machineIOPS: 50_000)
        ) {
            $0.know(.host, [.ksmRun: 1, .ksmCPU: 19, .ksmPagesSharing: 3000])
        },
        RuleCase(
            "host-ksm-active", "not the VM's", .healthy, load: Load(machineIOPS: 50_000)
        ) {
            $0.know(.host, [.ksmRun: 1, .ksmCPU: 0, .ksmPagesSharing: 3000])
            $0.know(.vm, [.memoryMerges: false])
        },
        RuleCase("host-ksm-active", "dense", .notApplicable, load: Load(machineIOPS: 100)) {
            $0.know(.host, [.ksmRun: 1, .ksmCPU: 90])
        },
        RuleCase("host-ksm-active", "unread", .notChecked("denied")) {
            $0.lack(.host, .ksmRun, "denied")
        },

        RuleCase("host-dirty-ratio", "much", .flagged(.advice, ["vd0", "50 GiB", "20"])) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
        },
        RuleCase("host-dirty-ratio", "limit of bytes", .healthy) {
            $0.buffer(ram: 256, ratio: 0, limit: 4)
        },
        RuleCase("host-dirty-ratio", "a fifth of much", .flagged(.advice, [])) {
            $0.buffer(ram: 64, ratio: 20, limit: 4)
        },
        RuleCase("host-dirty-ratio", "a fifth of little", .healthy) {
            $0.buffer(ram: 16, ratio: 20, limit: 3)
        },
        RuleCase("host-dirty-ratio", "flushes suffer", .flagged(.warning, ["2 GiB", "150 ms"])) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
            $0.know(.host, [.dirtyMemory: .count(2 << 30)])
            $0.know(.disk("nvme0n1"), [.flushMean: 150])
        },
        RuleCase("host-dirty-ratio", "flushes are quick", .flagged(.advice, [])) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
            $0.know(.host, [.dirtyMemory: .count(2 << 30)])
            $0.know(.disk("nvme0n1"), [.flushMean: 99])
        },
        RuleCase("host-dirty-ratio", "direct", .notApplicable) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
            $0.know(.lun("vd0"), [.isDirect: true])
        },
        RuleCase("host-dirty-ratio", "idle", .notApplicable) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
            $0.luns[0].rates.iops = 499
        },
        RuleCase("host-dirty-ratio", "cached how?", .notChecked("is_direct")) {
            $0.luns[0].rates.iops = 500
        },
        RuleCase("host-dirty-ratio", "several VMs", .flagged(.advice, ["guest2/vd0"])) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
            $0.addSecondVM()
            $0.luns[1].rates.iops = 500
            $0.know(Subject(vm: "guest2", .lun("vd0")), .isDirect, false)
            $0.know(Subject(vm: "guest1", .lun("vd0")), .isDirect, true)
        },
    ]

    private static let hostCPUs: [RuleCase] = [
        RuleCase("host-cpu-power", "slow clocks", .flagged(.advice, ["powersave", "60 %"])) {
            $0.threads[1].cpuPercent = 80
            $0.know(.host, [.frequencyGovernor: "powersave", .frequencyShare: 60])
        },
        RuleCase("host-cpu-power", "quick clocks", .healthy) {
            $0.threads[1].cpuPercent = 80
            $0.know(.host, [.frequencyGovernor: "schedutil", .frequencyShare: 81])
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
    /// The LUN with io_uring, on such a kernel.
    fileprivate mutating func ring(kernel: String, disabled: Int) {
        luns[0].aio = "io_uring"
        know(.host, [.kernelRelease: .text(kernel), .ioUringDisabled: .count(disabled)])
    }

    /// A host with 64 GiB, in GiB and pages per second.
    fileprivate mutating func memory(available: Int, promised: Int, swapped: Double = 0) {
        know(
            .host,
            [
                .memoryTotal: .count(64 << 30), .memoryAvailable: .count(available << 30),
                .memoryPromised: .count(promised << 30), .swapRate: .number(swapped),
                .swapTotal: .count(8 << 30), .swapIsZram: false,
            ])
    }

    /// A busy LUN through the page cache of a host, GiB.
    fileprivate mutating func buffer(ram: Int, ratio: Int, limit: Int) {
        luns[0].rates.iops = 500
        know(.lun("vd0"), [.isDirect: false])
        know(
            .host,
            [
                .memoryTotal: .count(ram << 30), .dirtyRatio: .count(ratio),
                .dirtyLimit: .count(limit << 30),
            ])
    }

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
