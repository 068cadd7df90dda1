import Telemetry

@testable import Doctor

extension RuleCase {
    static let guest: [RuleCase] = clock + guestDisks + settings + driver + mounts

    private static let clock: [RuleCase] = [
        RuleCase("guest-clocksource-slow", "TSC", .healthy) {
            $0.know(.guest, [.guestClocksource: "tsc"])
        },
        RuleCase("guest-clocksource-slow", "kvm-clock alone", .healthy) {
            $0.know(.guest, [.guestClocksource: "kvm-clock", .guestClocksources: ["kvm-clock"]])
            $0.know(.vm, [.cpuInvariantTSC: false])
        },
        RuleCase("guest-clocksource-slow", "TSC left alone", .flagged(.info, ["kvm-clock"])) {
            $0.know(.guest, [.guestClocksource: "kvm-clock"])
            $0.know(.vm, [.cpuInvariantTSC: true])
        },
        RuleCase("guest-clocksource-slow", "a TSC that is not invariant", .healthy) {
            $0.know(
                .guest,
                [
                    .guestClocksource: "kvm-clock",
                    .guestClocksources: ["kvm-clock", "tsc", "acpi_pm"],
                ])
            $0.know(.vm, [.cpuInvariantTSC: false])
        },
        RuleCase("guest-clocksource-slow", "nothing known of the CPU", .healthy) {
            $0.know(
                .guest,
                [.guestClocksource: "kvm-clock", .guestClocksources: ["kvm-clock", "tsc"]])
        },
        RuleCase("guest-clocksource-slow", "a TSC that the kernel gave up", .healthy) {
            $0.know(
                .guest,
                [.guestClocksource: "kvm-clock", .guestClocksources: ["kvm-clock", "acpi_pm"]])
            $0.know(.vm, [.cpuInvariantTSC: true])
        },
        RuleCase("guest-clocksource-slow", "HPET", .flagged(.warning, ["hpet", "acpi_pm"])) {
            $0.know(.guest, [.guestClocksource: "hpet", .guestClocksources: ["hpet", "acpi_pm"]])
        },
        RuleCase("guest-clocksource-slow", "inferred", .flagged(.warning, ["neither"])) {
            $0.know(.vm, [.cpuKVMClock: false, .cpuInvariantTSC: false])
        },
        RuleCase("guest-clocksource-slow", "enlightened", .notApplicable) {
            $0.know(.vm, [.cpuKVMClock: false, .cpuInvariantTSC: false, .cpuHyperVTime: true])
        },
        RuleCase("guest-clocksource-slow", "Windows", .notApplicable) {
            $0.know(.vm, [.cpuKVMClock: false, .cpuInvariantTSC: false])
            $0.know(.guest, [.guestSystem: "mswindows"])
        },
        RuleCase("guest-clocksource-slow", "no agent", .notChecked("agent")) {
            $0.know(.vm, [.cpuKVMClock: true, .cpuInvariantTSC: false])
        },
        RuleCase("guest-clocksource-slow", "inside, without a VM", .flagged(.warning, ["hpet"])) {
            $0.vms = []
            $0.know(.guest, [.guestClocksource: "hpet"])
        },
    ]

    private static let guestDisks: [RuleCase] = [
        RuleCase("guest-iosched-unsuitable", "none", .healthy) { $0.schedule("none") },
        RuleCase("guest-iosched-unsuitable", "bfq", .flagged(.advice, ["vda has bfq"])) {
            $0.schedule("bfq")
        },
        RuleCase("guest-iosched-unsuitable", "many queues", .flagged(.advice, ["4 queues"])) {
            $0.schedule("mq-deadline", queues: 4)
        },
        RuleCase("guest-iosched-unsuitable", "one queue", .healthy) {
            $0.schedule("mq-deadline", queues: 1, iops: 49_999)
        },
        RuleCase("guest-iosched-unsuitable", "one hot queue", .flagged(.advice, ["50000"])) {
            $0.schedule("mq-deadline", queues: 1, iops: 50_000)
        },
        RuleCase("guest-iosched-unsuitable", "iSCSI", .flagged(.info, ["sda", "none"])) {
            $0.know(.guestDisk("sda"), [.guestScheduler: "none"])
        },
        RuleCase("guest-iosched-unsuitable", "iSCSI, scheduled", .healthy) {
            $0.know(.guestDisk("sda"), [.guestScheduler: "mq-deadline"])
        },
        RuleCase("guest-iosched-unsuitable", "QEMU's SCSI disk", .notApplicable) {
            $0.luns[0].device = "scsi-hd"
            $0.know(.guestDisk("sda"), [.guestScheduler: "none"])
        },
        RuleCase("guest-iosched-unsuitable", "NVMe", .notApplicable) {
            $0.know(.guestDisk("nvme0n1"), [.guestScheduler: "none"])
        },
        RuleCase("guest-iosched-unsuitable", "not told", .notChecked("blocked")) {
            $0.lack(.guestDisk("vda"), .guestScheduler, "blocked")
        },
        RuleCase(
            "guest-iosched-unsuitable", "queues not told", .notChecked("only the guest knows")
        ) {
            $0.know(.guestDisk("vda"), [.guestScheduler: "mq-deadline"])
        },
        RuleCase("guest-blk-add-random", "off", .healthy) {
            $0.know(.guestDisk("vda"), [.guestAddRandom: false])
        },
        RuleCase("guest-blk-add-random", "on", .flagged(.advice, ["vda", "20000"])) {
            $0.know(.guestDisk("vda"), [.guestAddRandom: true, .guestIOPS: 20_000])
            $0.know(.guest, [.guestKernel: "6.1.0-18-amd64"])
        },
        RuleCase("guest-blk-add-random", "an old kernel", .flagged(.info, [])) {
            $0.know(.guestDisk("vda"), [.guestAddRandom: true, .guestIOPS: 20_000])
            $0.know(.guest, [.guestKernel: "5.5.19"])
        },
        RuleCase("guest-blk-add-random", "just below", .healthy) {
            $0.know(.guestDisk("vda"), [.guestAddRandom: true, .guestIOPS: 19_999])
        },
        RuleCase("guest-blk-add-random", "rate unknown", .notChecked("only the guest knows")) {
            $0.know(.guestDisk("vda"), [.guestAddRandom: true])
        },
    ]

    private static let settings: [RuleCase] = [
        RuleCase("guest-delayacct-on", "off", .healthy) {
            $0.know(.guest, [.guestDelayAccounting: false])
        },
        RuleCase("guest-delayacct-on", "on", .flagged(.info, ["delay accounting"])) {
            $0.know(.guest, [.guestDelayAccounting: true])
        },
        RuleCase("guest-delayacct-on", "no agent", .notChecked("agent")) { _ in },
        RuleCase("guest-use-bio", "off", .healthy) { $0.know(.guest, [.guestUseBio: false]) },
        RuleCase("guest-use-bio", "gone", .flagged(.info, ["ignores"])) {
            $0.know(.guest, [.guestUseBio: true, .guestKernel: "3.13.0"])
        },
        RuleCase("guest-use-bio", "there", .flagged(.info, ["spinning"])) {
            $0.know(.guest, [.guestUseBio: true, .guestKernel: "3.12.9"])
        },
        RuleCase("guest-use-bio", "not yet there", .flagged(.info, ["ignores"])) {
            $0.know(.guest, [.guestUseBio: true, .guestKernel: "3.6.11"])
        },
        RuleCase("guest-use-bio", "no version", .notChecked("no version")) {
            $0.know(.guest, [.guestUseBio: true, .guestKernel: "plan9"])
        },
        RuleCase("guest-use-bio", "no agent", .notChecked("agent")) { _ in },
        RuleCase("guest-ext4-rhel5", "RHEL 5", .flagged(.info, ["/data", "2.6.18-398.el5"])) {
            $0.know(
                .guest,
                [.guestKernel: "2.6.18-398.el5", .guestMounts: ["ext3 / rw", "ext4 /data rw"]])
        },
        RuleCase("guest-ext4-rhel5", "RHEL 5 with ext3", .healthy) {
            $0.know(.guest, [.guestKernel: "2.6.18-398.el5", .guestMounts: ["ext3 / rw"]])
        },
        RuleCase("guest-ext4-rhel5", "newer", .notApplicable) {
            $0.know(.guest, [.guestKernel: "2.6.32-754.el6"])
        },
        RuleCase("guest-ext4-rhel5", "no agent", .notChecked("agent")) { _ in },
    ]

    private static let driver: [RuleCase] = [
        RuleCase("guest-kernel-no-multiqueue", "used", .healthy) {
            $0.luns[0].features = ["VIRTIO_BLK_F_MQ", "VIRTIO_F_VERSION_1"]
        },
        RuleCase("guest-kernel-no-multiqueue", "not used", .flagged(.advice, ["vd0", "3.10"])) {
            $0.luns[0].features = ["VIRTIO_BLK_F_FLUSH"]
            $0.know(.vm, [.sinceReset: 60])
            $0.know(.guest, [.guestKernel: "3.10.0"])
        },
        RuleCase("guest-kernel-no-multiqueue", "firmware", .notApplicable) {
            $0.luns[0].features = ["VIRTIO_BLK_F_FLUSH"]
            $0.know(.vm, [.sinceReset: 59])
        },
        RuleCase("guest-kernel-no-multiqueue", "one queue", .notApplicable) {
            $0.luns[0].features = ["VIRTIO_BLK_F_FLUSH"]
            $0.luns[0].queues = 1
        },
        RuleCase("guest-kernel-no-multiqueue", "old QEMU", .notChecked("QEMU 6.2")) {
            $0.unavailable = [Unavailable(metric: "features", reason: "QEMU 6.2 has no command")]
        },
        RuleCase("guest-irq-on-one-vcpu", "spread", .healthy) { $0.interrupt(50_000, 79) },
        RuleCase("guest-irq-on-one-vcpu", "piled up", .flagged(.advice, ["80 %", "20000"])) {
            $0.interrupt(20_000, 80)
        },
        RuleCase("guest-irq-on-one-vcpu", "few", .healthy) { $0.interrupt(19_999, 100) },
        RuleCase("guest-irq-on-one-vcpu", "three vCPUs", .notApplicable) {
            $0.vms[0].vcpus = 3
            $0.interrupt(50_000, 100)
        },
        RuleCase("guest-irq-on-one-vcpu", "single queue", .notApplicable) {
            $0.luns[0].queues = 1
            $0.interrupt(50_000, 100)
        },
        RuleCase("guest-irq-on-one-vcpu", "single job", .healthy) {
            $0.interrupt(50_000, 100)
            $0.luns[0].rates.iops = 50_000
            $0.luns[0].rates.queueDepth = QueueDepth(now: 1, mean: 1)
        },
        RuleCase("guest-irq-on-one-vcpu", "no agent", .notChecked("agent")) { _ in },
    ]

    private static let mounts: [RuleCase] = [
        RuleCase("guest-mount-options", "harmless", .healthy) {
            $0.know(.guest, [.guestMounts: ["ext4 / rw,relatime", "tmpfs /tmp rw,sync"]])
        },
        RuleCase("guest-mount-options", "no barriers", .flagged(.critical, ["/data", "vd0"])) {
            $0.know(.guest, [.guestMounts: ["xfs /data rw,nobarrier"]])
            $0.know(.lun("vd0"), [.isWriteback: true])
        },
        RuleCase("guest-mount-options", "no barriers needed", .flagged(.advice, ["/"])) {
            $0.know(.guest, [.guestMounts: ["ext4 / rw,barrier=0"]])
            $0.know(.lun("vd0"), [.isWriteback: false])
        },
        RuleCase("guest-mount-options", "a storm of trims", .flagged(.advice, ["1000 discards"])) {
            $0.know(.guest, [.guestMounts: ["ext4 / rw,discard"]])
            $0.luns[0].rates.discards = 1000
        },
        RuleCase("guest-mount-options", "a few trims", .healthy) {
            $0.know(.guest, [.guestMounts: ["ext4 / rw,discard"]])
            $0.luns[0].rates.discards = 999
        },
        RuleCase("guest-mount-options", "trims uncounted", .notChecked("discards_per_s")) {
            $0.know(.guest, [.guestMounts: ["ext4 / rw,discard"]])
        },
        RuleCase(
            "guest-mount-options", "sync", .flagged(.advice, ["/db"]),
            load: Load(machineIOPS: 500)
        ) { $0.know(.guest, [.guestMounts: ["ext4 /db rw,sync"]]) },
        RuleCase(
            "guest-mount-options", "dirsync at rest", .flagged(.info, ["/db"]),
            load: Load(machineIOPS: 499)
        ) { $0.know(.guest, [.guestMounts: ["ext4 /db rw,dirsync"]]) },
        RuleCase("guest-mount-options", "no options told", .notChecked("options")) {
            $0.know(.guest, [.guestMounts: ["ext4 /"]])
        },
        RuleCase("guest-mount-options", "no agent", .notChecked("agent")) { _ in },
    ]
}

extension Snapshot {
    fileprivate mutating func schedule(
        _ scheduler: String, queues: Int? = nil, iops: Double? = nil
    ) {
        know(.guestDisk("vda"), [.guestScheduler: .text(scheduler)])
        if let queues { know(.guestDisk("vda"), [.guestQueues: .count(queues)]) }
        if let iops { know(.guestDisk("vda"), [.guestIOPS: .number(iops)]) }
    }

    /// Interrupts per second in the guest, and the share of its busiest vCPU, percent.
    fileprivate mutating func interrupt(_ rate: Double, _ share: Double) {
        know(.guest, [.guestInterrupts: .number(rate), .guestInterruptShare: .number(share)])
    }
}
