import Telemetry

@testable import Doctor

extension RuleCase {
    static let disks: [RuleCase] =
        schedulers + diskQueues + writes + rotation + sharing + placement

    private static let schedulers: [RuleCase] = [
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
            "host-iosched-stacked-path", "a sorted path", .flagged(.advice, ["sdb", "mq-deadline"])
        ) {
            $0.multipath(below: "dm-0")
            $0.host.disks[2].scheduler = "mq-deadline"
        },
        RuleCase("host-iosched-stacked-path", "unsorted paths", .healthy) {
            $0.multipath(below: "dm-0")
            $0.host.disks[0].scheduler = "mq-deadline"
        },
        RuleCase(
            "host-iosched-stacked-path", "below a volume", .flagged(.advice, ["sda", "bfq"])
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

    private static let diskQueues: [RuleCase] = [
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
            "host-lun-queue-depth", "one path of two", .flagged(.warning, ["have 50"]),
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

    private static let writes: [RuleCase] = [
        RuleCase("host-wbt-throttles-writeback", "bites", .flagged(.advice, ["4 times", "2000"])) {
            $0.throttled(above: 4000)
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase("host-wbt-throttles-writeback", "hardly", .healthy) {
            $0.throttled(above: 3999)
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase("host-wbt-throttles-writeback", "direct", .notApplicable) {
            $0.throttled(above: 9000)
            $0.know(.lun("vd0"), [.isDirect: true])
        },
        RuleCase("host-wbt-throttles-writeback", "off", .healthy) {
            $0.throttled(above: 9000)
            $0.know(.disk("nvme0n1"), [.writebackThrottle: 0])
        },
        RuleCase("host-wbt-throttles-writeback", "idle", .notApplicable) { _ in },
        RuleCase("host-wbt-throttles-writeback", "cached how?", .notChecked("is_direct")) {
            $0.throttled(above: 9000)
        },

        RuleCase("host-write-cache-volatile", "always", .flagged(.advice, ["20 %", "vd0"])) {
            $0.flushing(time: 20, mean: 1)
        },
        RuleCase("host-write-cache-volatile", "slow", .flagged(.advice, ["5 ms"])) {
            $0.flushing(time: 3, mean: 5)
        },
        RuleCase("host-write-cache-volatile", "neither", .healthy) {
            $0.flushing(time: 19.9, mean: 4.9)
        },
        RuleCase("host-write-cache-volatile", "write through", .healthy) {
            $0.flushing(time: 50, mean: 9)
            $0.know(.disk("nvme0n1"), [.writeCache: "write through"])
        },
        RuleCase("host-write-cache-volatile", "idle", .notApplicable) {
            $0.flushing(time: 50, mean: 9)
            $0.luns[0].rates.iops = 10
        },
        RuleCase("host-write-cache-volatile", "a volume", .notApplicable) {
            $0.place(on: "dm-0")
            $0.stack(on: ["sda"])
        },
        RuleCase("host-write-cache-volatile", "unread", .notChecked("second reading")) {
            $0.luns[0].rates.iops = 500
            $0.know(.disk("nvme0n1"), [.writeCache: "write back"])
            $0.lack(.disk("nvme0n1"), .flushTime, "needs a second reading")
        },
    ]

    private static let rotation: [RuleCase] = [
        RuleCase("rotational-flag-wrong", "flash", .healthy) { _ in },
        RuleCase("rotational-flag-wrong", "NVMe", .flagged(.advice, ["NVMe"])) {
            $0.host.disks[0].isRotational = true
        },
        RuleCase("rotational-flag-wrong", "model", .flagged(.advice, ["Samsung SSD 860"])) {
            $0.place(on: "sda", isRotational: true)
            $0.know(.disk("sda"), [.model: "Samsung SSD 860"])
        },
        RuleCase("rotational-flag-wrong", "quick reads", .flagged(.advice, ["4 KiB", "1 ms"])) {
            $0.place(on: "sda", isRotational: true)
            $0.reading(latency: 1000)
        },
        RuleCase("rotational-flag-wrong", "slow reads", .healthy) {
            $0.place(on: "sda", isRotational: true)
            $0.reading(latency: 1001)
        },
        RuleCase("rotational-flag-wrong", "a spinning drive", .healthy) {
            $0.place(on: "sda", isRotational: true)
            $0.know(.disk("sda"), [.model: "ST4000NM0035", .vendor: "ATA"])
        },
        RuleCase("rotational-flag-wrong", "a LUN of a SAN", .notChecked("small reads")) {
            $0.place(on: "sda", isRotational: true)
            $0.know(.disk("sda"), [.model: "LUN C-Mode", .vendor: "NETAPP"])
        },
        RuleCase("rotational-flag-wrong", "few reads", .notChecked("small reads")) {
            $0.place(on: "sda", isRotational: true)
            $0.reading(latency: 100)
            $0.host.disks[0].reads = 499
        },
        RuleCase("rotational-flag-wrong", "merged reads", .notChecked("small reads")) {
            $0.place(on: "sda", isRotational: true)
            $0.reading(latency: 100)
            $0.host.disks[0].readMerges = 50
        },
        RuleCase("rotational-flag-wrong", "a guest", .flagged(.info, ["vda", "nvme0n1"])) {
            $0.know(.guestDisk("vda"), [.guestRotational: true])
        },
        RuleCase("rotational-flag-wrong", "a guest told", .healthy) {
            $0.know(.guestDisk("vda"), [.guestRotational: false])
        },
        RuleCase("rotational-flag-wrong", "a guest with both", .healthy) {
            $0.know(.guestDisk("vda"), [.guestRotational: true])
            $0.addLUN()
            $0.luns[1].hostDisk = "sdb"
            $0.host.disks[0].luns = ["vd0"]
            var disk = HostDisk(name: "sdb")
            disk.isRotational = true
            disk.luns = ["vd1"]
            $0.host.disks.append(disk)
        },
        RuleCase("rotational-flag-wrong", "below a volume", .notApplicable) {
            $0.place(on: "dm-0", isRotational: true)
            $0.stack(on: ["sda"], isRotational: true)
        },
    ]

    private static let sharing: [RuleCase] = [
        RuleCase(
            "luns-share-physical-device", "neighbours", .flagged(.advice, ["vd0, vd1", "90 %"]),
            past: .reads(latency: 4000)
        ) {
            $0.share(used: 90, latency: 8000)
        },
        RuleCase(
            "luns-share-physical-device", "as ever", .healthy, past: .reads(latency: 4000)
        ) {
            $0.share(used: 90, latency: 7999)
        },
        RuleCase(
            "luns-share-physical-device", "room", .healthy, past: .reads(latency: 4000)
        ) {
            $0.share(used: 89, latency: 8000)
        },
        RuleCase(
            "luns-share-physical-device", "flash", .flagged(.advice, ["30 %"]),
            past: .reads(latency: 100)
        ) {
            $0.share(used: 30, latency: 300, isRotational: false)
            $0.know(.disk("sda"), [.hardwareQueues: 8])
        },
        RuleCase("luns-share-physical-device", "one is idle", .notApplicable) {
            $0.share(used: 90, latency: 8000)
            $0.luns[1].rates.iops = 10
        },
        RuleCase(
            "luns-share-physical-device", "of two VMs", .flagged(.advice, ["guest2/vd0"]),
            past: .reads(latency: 4000)
        ) {
            $0.place(on: "sda", isRotational: true)
            $0.addSecondVM()
            $0.share(used: 90, latency: 8000)
        },
        RuleCase(
            "luns-share-physical-device", "below volumes", .flagged(.advice, ["on sda"]),
            about: .disk("sda"), past: .reads(latency: 4000)
        ) {
            $0.volumes()
        },
        RuleCase("luns-share-physical-device", "a volume", .notApplicable, about: .disk("dm-0")) {
            $0.volumes()
        },
        RuleCase("luns-share-physical-device", "a RAID's", .notApplicable, about: .disk("sda")) {
            $0.place(on: "md0", isRotational: true)
            $0.stack(on: ["sda"], isRotational: true)
            $0.share(used: 90, latency: 8000)
        },
        RuleCase("luns-share-physical-device", "too early", .notChecked("a minute")) {
            $0.share(used: 90, latency: 8000)
        },
    ]

    private static let placement: [RuleCase] = [
        RuleCase("host-partition-misaligned", "aligned", .healthy) {
            $0.partition(start: 2048, physical: 4096)
        },
        RuleCase("host-partition-misaligned", "as of old", .flagged(.warning, ["sector 63"])) {
            $0.partition(start: 63, physical: 4096)
        },
        RuleCase("host-partition-misaligned", "offset", .flagged(.warning, ["is 3584"])) {
            $0.partition(start: 2048, physical: 4096)
            $0.know(.disk("nvme0n1"), [.alignmentOffset: 3584])
        },
        RuleCase("host-partition-misaligned", "512-byte blocks", .notApplicable) {
            $0.partition(start: 63, physical: 512)
        },
        RuleCase("host-partition-misaligned", "a stripe", .flagged(.advice, ["192 KiB"])) {
            $0.partition(start: 2048, physical: 4096)
            $0.know(.disk("nvme0n1"), [.optimalIO: 196_608])
        },
        RuleCase("host-partition-misaligned", "no stripe", .healthy) {
            $0.partition(start: 2048, physical: 4096)
            $0.know(.disk("nvme0n1"), [.optimalIO: 33_553_920])
        },
        RuleCase("host-partition-misaligned", "no partition", .healthy) {
            $0.partition(start: 0, physical: 4096)
        },
        RuleCase("host-partition-misaligned", "unread", .notChecked("partition_start_sector")) {
            $0.know(.disk("nvme0n1"), [.physicalBlock: 4096, .alignmentOffset: 0])
        },

        RuleCase("loop-device-backing", "a disk", .notApplicable) { _ in },
        RuleCase(
            "loop-device-backing", "buffered", .flagged(.warning, ["loop0", "dio 0", "/a.img"]),
            load: Load(iops: 500)
        ) {
            $0.place(on: "loop0")
            $0.know(.disk("loop0"), [.loopDirectIO: false, .loopFile: "/a.img"])
        },
        RuleCase(
            "loop-device-backing", "direct", .flagged(.advice, ["dio 1"]), load: Load(iops: 500)
        ) {
            $0.place(on: "loop0")
            $0.know(.disk("loop0"), [.loopDirectIO: true])
        },
        RuleCase(
            "loop-device-backing", "idle", .flagged(.info, ["dio 0"]), load: Load(iops: 499)
        ) {
            $0.place(on: "loop0")
            $0.know(.disk("loop0"), [.loopDirectIO: false])
        },
        RuleCase(
            "loop-device-backing", "below a volume", .flagged(.warning, ["loop7"]),
            load: Load(iops: 500)
        ) {
            $0.place(on: "dm-0")
            $0.stack(on: ["loop7"])
            $0.know(.disk("loop7"), [.loopDirectIO: false])
        },
        RuleCase("loop-device-backing", "NFS", .notApplicable) {
            $0.luns[0].hostDisk = nil
            $0.know(.lun("vd0"), [.fileSystem: "nfs4", .mountOptions: "vers=4.2"])
        },
        RuleCase("loop-device-backing", "NBD", .notApplicable) {
            $0.luns[0].hostDisk = nil
            $0.luns[0].graph = [BlockNode(name: "n0", driver: "nbd")]
        },
        RuleCase("loop-device-backing", "made of what?", .notChecked("leaves")) {
            $0.place(on: "dm-0")
        },
        RuleCase("loop-device-backing", "on what?", .notChecked("host_disk")) {
            $0.luns[0].hostDisk = nil
            $0.know(.lun("vd0"), [.fileSystem: "btrfs"])
        },
    ]
}

extension Past {
    /// Six windows with reads of such a latency, microseconds.
    fileprivate static func reads(latency: Double) -> Past {
        var past = Past()
        for index in 1...6 {
            past.append(
                Window(
                    end: Nanoseconds(index) * 10_000_000_000, iops: 100, latency: latency,
                    writeBytes: 0, readBytes: 409_600))
        }
        return past
    }
}

extension Snapshot {
    /// The LUN on dm-0, and the multipath device `name`, itself or below it, of sda and sdb.
    fileprivate mutating func multipath(below name: String) {
        place(on: "dm-0")
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

    /// A busy LUN whose writes take so long, on a disk whose take 1 ms.
    fileprivate mutating func throttled(above: Double) {
        luns[0].rates.iops = 1000
        luns[0].rates.writes = 1000
        luns[0].rates.writeLatency = LatencySummary(mean: above)
        host.disks[0].writeAwait = 1000
        know(.disk("nvme0n1"), [.writebackThrottle: 2000])
    }

    fileprivate mutating func flushing(time: Double, mean: Double) {
        luns[0].rates.iops = 500
        know(
            .disk("nvme0n1"),
            [.writeCache: "write back", .flushTime: .number(time), .flushMean: .number(mean)])
    }

    /// 1000 reads of 4 KiB a second that take so long.
    fileprivate mutating func reading(latency: Double) {
        host.disks[0].reads = 1000
        host.disks[0].readBytes = 4_096_000
        host.disks[0].readMerges = 0
        host.disks[0].readAwait = latency
    }

    /// Two busy LUNs on one disk.
    fileprivate mutating func share(used: Double, latency: Double, isRotational: Bool = true) {
        if luns.count < 2 {
            if host.disks.count == 1 { place(on: "sda", isRotational: isRotational) }
            addLUN()
        }
        for index in luns.indices { luns[index].rates.iops = 500 }
        let place = host.disks.count - 1
        host.disks[place].utilPercent = used
        host.disks[place].readAwait = latency
    }

    /// Two volumes with a LUN each on one disk.
    fileprivate mutating func volumes() {
        place(on: "dm-0", isRotational: true)
        addLUN()
        luns[1].hostDisk = "dm-1"
        host.disks[0].luns = ["vd0"]
        var second = HostDisk(name: "dm-1")
        second.luns = ["vd1"]
        know(.disk("dm-1"), [.leaves: ["sda"]])
        host.disks.append(second)
        stack(on: ["sda"], isRotational: true)
        share(used: 95, latency: 9000)
    }

    fileprivate mutating func partition(start: Int, physical: Int) {
        know(.disk("nvme0n1"), [.physicalBlock: .count(physical), .alignmentOffset: 0])
        know(.lun("vd0"), [.partitionStart: .count(start)])
    }
}
