import Telemetry

@testable import Doctor

extension RuleCase {
    static let diskSchedulers: [RuleCase] = [
        RuleCase("host-iosched-unsuitable", "none", .healthy) { _ in },
        RuleCase("host-iosched-unsuitable", "cfq", .flagged(.warning, ["cfq"])) {
            $0.host.disks[0].scheduler = "cfq"
        },
        RuleCase("host-iosched-unsuitable", "bfq on flash", .flagged(.warning, ["bfq"])) {
            $0.host.disks[0].scheduler = "bfq"
        },
        RuleCase(
            "host-iosched-unsuitable", "bfq on a quick array", .flagged(.warning, ["10000 IOPS"])
        ) {
            $0.place(on: "sda", isRotational: true)
            $0.host.disks[0].scheduler = "bfq"
            $0.host.disks[0].iops = 10_000
        },
        RuleCase("host-iosched-unsuitable", "bfq on a spinning disk", .healthy) {
            $0.place(on: "sda", isRotational: true)
            $0.host.disks[0].scheduler = "bfq"
            $0.host.disks[0].iops = 9999
        },
        RuleCase(
            "host-iosched-unsuitable", "sorted NVMe", .flagged(.advice, ["kyber", "100000"])
        ) {
            $0.host.disks[0].scheduler = "kyber"
            $0.host.disks[0].iops = 100_000
        },
        RuleCase("host-iosched-unsuitable", "slower", .healthy) {
            $0.host.disks[0].scheduler = "mq-deadline"
            $0.host.disks[0].iops = 99_999
        },
        RuleCase("host-iosched-unsuitable", "sorted array", .flagged(.advice, ["mq-deadline"])) {
            $0.place(on: "sda", isRotational: true)
            $0.host.disks[0].scheduler = "mq-deadline"
            $0.host.disks[0].iops = 150_000
            $0.know(.disk("sda"), [.vendor: "NETAPP"])
        },
        RuleCase("host-iosched-unsuitable", "a virtual disk", .notApplicable) {
            $0.place(on: "vda", isRotational: true)
            $0.host.disks[0].scheduler = "mq-deadline"
            $0.host.disks[0].iops = 150_000
        },
        RuleCase(
            "host-iosched-unsuitable", "an unsorted drive", .flagged(.advice, ["vd0, vd1"])
        ) {
            $0.place(on: "sda", isRotational: true)
            $0.addLUN()
            $0.know(.disk("sda"), [.vendor: "ATA"])
        },
        RuleCase("host-iosched-unsuitable", "an unsorted drive of one", .healthy) {
            $0.place(on: "sda", isRotational: true)
            $0.know(.disk("sda"), [.vendor: "ATA"])
        },
        RuleCase("host-iosched-unsuitable", "an unsorted array", .healthy) {
            $0.place(on: "sda", isRotational: true)
            $0.addLUN()
            $0.know(.disk("sda"), [.vendor: "DELL"])
        },
        RuleCase("host-iosched-unsuitable", "unsorted multipath", .healthy) {
            $0.place(on: "dm-0", isRotational: true)
            $0.addLUN()
        },
        RuleCase("host-iosched-unsuitable", "a drive of whom?", .notChecked("vendor")) {
            $0.place(on: "sda", isRotational: true)
            $0.addLUN()
        },
        RuleCase("host-iosched-unsuitable", "not read", .notChecked("scheduler of disk:nvme0n1")) {
            $0.host.disks[0].scheduler = nil
        },

        RuleCase("host-iosched-stacked-path", "a plain disk", .notApplicable) { _ in },
        RuleCase(
            "host-iosched-stacked-path", "a sorted path",
            .flagged(.info, ["sdb", "mq-deadline", "request-based"])
        ) {
            $0.multipath(below: "dm-0")
            $0.host.disks[2].scheduler = "mq-deadline"
            $0.know(.host, [.kernelRelease: "4.16.0"])
        },
        RuleCase(
            "host-iosched-stacked-path", "before clones went past", .flagged(.advice, ["4.15.0"])
        ) {
            $0.multipath(below: "dm-0")
            $0.host.disks[2].scheduler = "mq-deadline"
            $0.know(.host, [.kernelRelease: "4.15.0-213-generic"])
        },
        RuleCase("host-iosched-stacked-path", "bio-based", .flagged(.advice, ["bio-based"])) {
            $0.multipath(below: "dm-0", queues: nil)
            $0.lack(.disk("dm-0"), .hardwareQueues, "it has no queues of its own")
            $0.host.disks[2].scheduler = "mq-deadline"
        },
        RuleCase("host-iosched-stacked-path", "based on what?", .flagged(.info, ["queue_mode"])) {
            $0.multipath(below: "dm-0", queues: nil)
            $0.host.disks[2].scheduler = "mq-deadline"
        },
        RuleCase("host-iosched-stacked-path", "unsorted paths", .healthy) {
            $0.multipath(below: "dm-0")
            $0.host.disks[0].scheduler = "mq-deadline"
        },
        RuleCase(
            "host-iosched-stacked-path", "below a volume",
            .flagged(.info, ["sda", "bfq", "dm-1 is"])
        ) {
            $0.multipath(below: "dm-1")
            $0.know(.disk("dm-0"), [.slaves: ["dm-1"], .mapperUUID: "LVM-abc"])
            $0.host.disks[1].scheduler = "bfq"
        },
        RuleCase("host-iosched-stacked-path", "a volume", .notApplicable) {
            $0.place(on: "dm-0")
            $0.know(.disk("dm-0"), [.slaves: ["sda"], .mapperUUID: "LVM-abc"])
        },
        RuleCase("host-iosched-stacked-path", "made of itself", .notApplicable) {
            $0.place(on: "dm-0")
            $0.know(.disk("dm-0"), [.slaves: ["dm-1"], .mapperUUID: "LVM-abc"])
            $0.know(.disk("dm-1"), [.slaves: ["dm-0"], .mapperUUID: "LVM-def"])
        },
        RuleCase("host-iosched-stacked-path", "loop", .flagged(.advice, ["loop0"])) {
            $0.place(on: "loop0")
            $0.host.disks[0].scheduler = "mq-deadline"
        },
        RuleCase("host-iosched-stacked-path", "unsorted loop", .healthy) { $0.place(on: "loop0") },
        RuleCase("host-iosched-stacked-path", "made of what?", .notChecked("slaves")) {
            $0.place(on: "dm-0")
        },
        RuleCase("host-iosched-stacked-path", "path not read", .notChecked("sdb")) {
            $0.multipath(below: "dm-0")
            $0.host.disks[2].scheduler = nil
        },
    ]

    static let diskQueues: [RuleCase] = [
        RuleCase("host-blk-add-random", "off", .healthy) {
            $0.know(.disk("nvme0n1"), [.addRandom: false])
        },
        RuleCase("host-blk-add-random", "busy", .flagged(.advice, ["20000 IOPS"])) {
            $0.host.disks[0].iops = 20_000
            $0.know(.disk("nvme0n1"), [.addRandom: true])
        },
        RuleCase("host-blk-add-random", "quieter", .notApplicable) {
            $0.host.disks[0].iops = 19_999
            $0.know(.disk("nvme0n1"), [.addRandom: true])
        },
        RuleCase("host-blk-add-random", "no rates", .notChecked("iops of disk:nvme0n1")) {
            $0.know(.disk("nvme0n1"), [.addRandom: true])
        },

        RuleCase("hba-interrupt-coalescing", "one each", .flagged(.advice, ["0.80 a request"])) {
            $0.interrupted(iops: 100_000, interrupts: 80_000, queues: 1)
        },
        RuleCase("hba-interrupt-coalescing", "fewer", .healthy) {
            $0.interrupted(iops: 100_000, interrupts: 79_000, queues: 1)
        },
        RuleCase("hba-interrupt-coalescing", "slower", .healthy) {
            $0.interrupted(iops: 99_999, interrupts: 99_999, queues: 1)
        },
        RuleCase("hba-interrupt-coalescing", "quiet", .notApplicable) {
            $0.interrupted(iops: 49_999, interrupts: 49_999, queues: 1)
        },
        RuleCase("hba-interrupt-coalescing", "shallow", .notApplicable) {
            $0.interrupted(iops: 100_000, interrupts: 100_000, queues: 1)
            $0.host.disks[0].queueDepth = 4
        },
        RuleCase("hba-interrupt-coalescing", "NVMe with CPUs to spare", .flagged(.info, [])) {
            $0.interrupted(iops: 100_000, interrupts: 100_000, queues: 16)
            $0.host.cpuPercent = 49
        },
        RuleCase("hba-interrupt-coalescing", "NVMe on busy CPUs", .flagged(.advice, [])) {
            $0.interrupted(iops: 100_000, interrupts: 100_000, queues: 16)
            $0.host.cpuPercent = 50
        },
        RuleCase("hba-interrupt-coalescing", "qla2xxx", .flagged(.advice, ["zio is Disabled"])) {
            $0.place(on: "sda")
            $0.host.disks[0].iops = 50_000
            $0.host.disks[0].queueDepth = 32
            $0.know(.disk("sda"), [.interruptCoalescing: "Disabled"])
        },
        RuleCase("hba-interrupt-coalescing", "qla2xxx on", .healthy) {
            $0.place(on: "sda")
            $0.host.disks[0].iops = 99_000
            $0.host.disks[0].queueDepth = 32
            $0.know(.disk("sda"), [.interruptCoalescing: "Mode 6"])
        },
        RuleCase("hba-interrupt-coalescing", "two disks, one adapter", .healthy) {
            $0.interrupted(iops: 100_000, interrupts: 150_000, queues: 1)
            var other = HostDisk(name: "nvme1n1")
            other.iops = 100_000
            $0.host.disks.append(other)
            $0.know(.disk("nvme1n1"), [.adapterInterrupts: 150_000])
        },
        RuleCase("hba-interrupt-coalescing", "not counted", .notChecked("adapter_interrupts")) {
            $0.host.disks[0].iops = 100_000
            $0.host.disks[0].queueDepth = 32
        },

        RuleCase("host-lun-queue-depth", "full", .flagged(.warning, ["31 in flight", "32"])) {
            $0.queue(device: 32, inFlight: 31, wanted: 64)
        },
        RuleCase("host-lun-queue-depth", "not quite", .healthy) {
            $0.queue(device: 32, inFlight: 30, wanted: 64)
        },
        RuleCase("host-lun-queue-depth", "not more wanted", .healthy) {
            $0.queue(device: 32, inFlight: 32, wanted: 41)
        },
        RuleCase("host-lun-queue-depth", "lowered", .flagged(.advice, ["16"])) {
            $0.queue(device: 16, inFlight: 16, wanted: 64)
        },
        RuleCase(
            "host-lun-queue-depth", "nr_requests", .flagged(.warning, ["nr_requests", "64"])
        ) {
            $0.queue(device: 128, inFlight: 64, wanted: 100)
            $0.host.disks[0].queueSize = 32
            $0.know(.disk("sda"), [.hardwareQueues: 2])
        },
        RuleCase("host-lun-queue-depth", "NVMe", .healthy) {
            $0.host.disks[0].queueSize = 1023
            $0.host.disks[0].queueDepth = 1023
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 4000)
            $0.know(.disk("nvme0n1"), [.hardwareQueues: 8])
        },
        RuleCase(
            "host-lun-queue-depth", "one path of two", .flagged(.warning, ["LUNs on it have 50"]),
            about: .disk("sda")
        ) {
            $0.paths(wanted: 100)
        },
        RuleCase("host-lun-queue-depth", "paths share", .healthy, about: .disk("sda")) {
            $0.paths(wanted: 80)
        },
        RuleCase("host-lun-queue-depth", "a volume", .notApplicable) { $0.place(on: "dm-0") },
        RuleCase("host-lun-queue-depth", "depth unknown", .notChecked("queue_depth of the LUNs")) {
            $0.queue(device: 32, inFlight: 32, wanted: 64)
            $0.luns[0].rates.queueDepth = nil
        },
        RuleCase("host-lun-queue-depth", "limit unknown", .notChecked("device_queue_depth")) {
            $0.place(on: "sda")
            $0.host.disks[0].queueSize = 128
            $0.host.disks[0].queueDepth = 32
        },

        RuleCase("host-queue-knobs", "fit", .healthy) {
            $0.knobs(affinity: 1, merges: 0)
            $0.know(.host, [.storageInterruptRate: 100])
        },
        RuleCase("host-queue-knobs", "iostats", .flagged(.info, ["iostats is 0"])) {
            $0.know(.disk("nvme0n1"), [.accountsIO: false])
        },
        RuleCase("host-queue-knobs", "rq_affinity 0", .flagged(.info, ["rq_affinity is 0"])) {
            $0.knobs(affinity: 0, merges: 0)
            $0.know(.host, [.cpuCount: 2])
        },
        RuleCase("host-queue-knobs", "one CPU", .healthy) {
            $0.knobs(affinity: 0, merges: 0)
            $0.know(.host, [.cpuCount: 1])
        },
        RuleCase("host-queue-knobs", "rq_affinity 1", .flagged(.info, ["pile up"])) {
            $0.knobs(affinity: 1, merges: 0)
            $0.know(
                .host,
                [
                    .storageInterruptRate: 20_000, .busiestInterruptShare: 90,
                    .busiestInterruptTime: 60,
                ])
        },
        RuleCase("host-queue-knobs", "a stream", .flagged(.info, ["nomerges is 2", "8 KiB"])) {
            $0.knobs(affinity: 2, merges: 2)
            $0.host.disks[0].readBytes = 8_192_000
            $0.luns[0].rates.iops = 1000
            $0.luns[0].rates.merges = 100
        },
        RuleCase("host-queue-knobs", "no stream", .healthy) {
            $0.knobs(affinity: 2, merges: 2)
            $0.luns[0].rates.iops = 1000
            $0.luns[0].rates.merges = 99
        },
        RuleCase("host-queue-knobs", "a stream of much", .healthy) {
            $0.knobs(affinity: 2, merges: 2)
            $0.host.disks[0].readBytes = 32_768_000
            $0.luns[0].rates.iops = 1000
            $0.luns[0].rates.merges = 100
        },
        RuleCase("host-queue-knobs", "tries in vain", .flagged(.info, ["300000 IOPS"])) {
            $0.knobs(affinity: 2, merges: 0)
            $0.host.disks[0].iops = 300_000
            $0.host.disks[0].readMerges = 299
        },
        RuleCase("host-queue-knobs", "tries, and merges", .healthy) {
            $0.knobs(affinity: 2, merges: 0)
            $0.host.disks[0].iops = 300_000
            $0.host.disks[0].writeMerges = 300
        },
        RuleCase("host-queue-knobs", "unread", .notChecked("rq_affinity")) {
            $0.know(.disk("nvme0n1"), [.accountsIO: true])
        },
    ]
}

extension Snapshot {
    /// The LUN on dm-0, and the multipath device `name`, itself or below it, of sda and sdb.
    fileprivate mutating func multipath(below name: String, queues: Int? = 1) {
        place(on: "dm-0")
        if let queues { know(.disk(name), [.hardwareQueues: .count(queues)]) }
        know(.disk(name), [.slaves: ["sda", "sdb"], .mapperUUID: "mpath-3600a"])
        for path in ["sda", "sdb"] {
            var disk = HostDisk(name: path)
            disk.scheduler = "none"
            host.disks.append(disk)
        }
    }

    /// A LUN that wants so many in flight, on two paths of 32 each that are full.
    fileprivate mutating func paths(wanted: Double) {
        place(on: "dm-0")
        stack(on: ["sda", "sdb"])
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: wanted)
        host.disks[1].queueSize = 128
        host.disks[1].queueDepth = 32
        know(.disk("sda"), [.deviceQueueDepth: 32])
    }

    /// A SCSI disk with such a queue_depth, and 128 requests in the block layer.
    fileprivate mutating func queue(device: Int, inFlight: Double, wanted: Double) {
        place(on: "sda")
        host.disks[0].queueSize = 128
        host.disks[0].queueDepth = inFlight
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: wanted)
        know(.disk("sda"), [.deviceQueueDepth: .count(device)])
    }

    fileprivate mutating func interrupted(iops: Double, interrupts: Double, queues: Int) {
        host.disks[0].iops = iops
        host.disks[0].queueDepth = 32
        know(
            .disk("nvme0n1"),
            [.adapterInterrupts: .number(interrupts), .hardwareQueues: .count(queues)])
    }

    /// A disk of 1000 IOPS of 4 KiB whose queue is set so.
    fileprivate mutating func knobs(affinity: Int, merges: Int) {
        host.disks[0].iops = 1000
        host.disks[0].readBytes = 4_096_000
        know(
            .disk("nvme0n1"),
            [
                .accountsIO: true, .requestAffinity: .count(affinity), .noMerges: .count(merges),
            ])
    }
}
