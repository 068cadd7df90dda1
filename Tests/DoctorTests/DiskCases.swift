import Telemetry

@testable import Doctor

extension RuleCase {
    static let hostDisks: [RuleCase] =
        diskSchedulers + diskQueues + writes + rotation + sharing + placement

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
