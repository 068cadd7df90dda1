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
        RuleCase("host-memory-overcommit", "VMs on huge pages", .healthy) {
            $0.memory(total: 512, available: 40, promised: 460)
            $0.know(
                .host,
                [.hugePagePool: .count(464 << 30), .hugePagesTaken: .count(460 << 30)])
        },
        RuleCase(
            "host-memory-overcommit", "too much beside huge pages",
            .flagged(.warning, ["no huge pages", "48 GiB"])
        ) {
            $0.memory(total: 512, available: 4, promised: 506)
            $0.know(
                .host,
                [.hugePagePool: .count(464 << 30), .hugePagesTaken: .count(460 << 30)])
        },
        RuleCase(
            "host-memory-overcommit", "huge pages that nobody takes", .flagged(.warning, ["32 GiB"])
        ) {
            $0.memory(available: 3, promised: 32)
            $0.know(.host, [.hugePagePool: .count(32 << 30)])
        },
        RuleCase("host-memory-overcommit", "all huge pages", .notChecked("huge pages")) {
            $0.memory(available: 3, promised: 32)
            $0.know(.host, [.hugePagePool: .count(64 << 30)])
        },
        RuleCase("host-memory-overcommit", "huge pages unread", .notChecked("huge_page_pool")) {
            $0.know(
                .host,
                [
                    .swapRate: 0, .memoryTotal: .count(64 << 30),
                    .memoryAvailable: .count(1 << 30), .memoryPromised: .count(64 << 30),
                ])
        },
        RuleCase("host-memory-overcommit", "unread", .notChecked("memory_promised_bytes")) {
            $0.know(
                .host,
                [
                    .swapRate: 0, .memoryTotal: .count(64 << 30),
                    .memoryAvailable: .count(1 << 30), .hugePagePool: 0,
                ])
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
        RuleCase("host-dirty-ratio", "Ceph by QEMU itself", .notApplicable) {
            $0.buffer(ram: 256, ratio: 20, limit: 50)
            $0.luns[0].graph = [BlockNode(name: "n", driver: "rbd")]
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
}

extension Snapshot {
    /// The LUN with io_uring, on such a kernel.
    fileprivate mutating func ring(kernel: String, disabled: Int) {
        luns[0].aio = "io_uring"
        know(.host, [.kernelRelease: .text(kernel), .ioUringDisabled: .count(disabled)])
    }

    /// A host without huge pages, in GiB and pages per second.
    fileprivate mutating func memory(
        total: Int = 64, available: Int, promised: Int, swapped: Double = 0
    ) {
        know(
            .host,
            [
                .memoryTotal: .count(total << 30), .memoryAvailable: .count(available << 30),
                .hugePagePool: 0, .hugePagesTaken: 0,
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

}
