import Telemetry

@testable import Doctor

extension RuleCase {
    static let layers: [RuleCase] = overheads + fragments + alignments + blocks + discards

    private static let busy = Load(iops: 5000, depth: 4)

    private static let overheads: [RuleCase] = [
        RuleCase(
            "qemu-overhead-high", "above the disk",
            .flagged(.warning, ["250 µs", "100 µs on nvme0n1", "60 %"]), load: busy
        ) { $0.descend(latency: 250, below: 100) },
        RuleCase(
            "qemu-overhead-high", "little, and most of it above", .flagged(.warning, ["100 µs"]),
            load: busy
        ) { $0.descend(latency: 110, below: 10) },
        RuleCase("qemu-overhead-high", "in the disk", .healthy, load: busy) {
            $0.descend(latency: 500, below: 205)
        },
        RuleCase("qemu-overhead-high", "in no time", .healthy, load: busy) {
            $0.descend(latency: 105, below: 10)
        },
        RuleCase("qemu-overhead-high", "not deep", .flagged(.warning, ["80 %"]), load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.luns[0].rates.queueDepth?.mean = 8
        },
        RuleCase("qemu-overhead-high", "deep", .notApplicable, load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.luns[0].rates.queueDepth?.mean = 8.1
        },
        RuleCase("qemu-overhead-high", "throttled", .notApplicable, load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.luns[0].throttle = "iops-total=5000"
        },
        RuleCase("qemu-overhead-high", "qcow2", .notApplicable, load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.luns[0].format = "qcow2"
        },
        RuleCase("qemu-overhead-high", "qcow2 below a throttle", .notApplicable, load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.luns[0].graph = [
                BlockNode(name: "t", driver: "throttle"), BlockNode(name: "q", driver: "qcow2"),
            ]
        },
        RuleCase("qemu-overhead-high", "through the page cache", .notApplicable, load: busy) {
            $0.descend(latency: 500, below: 100, isDirect: false)
        },
        RuleCase("qemu-overhead-high", "idle", .notApplicable) {
            $0.descend(latency: 500, below: 100)
        },
        RuleCase("qemu-overhead-high", "a shared disk", .notChecked("not for these"), load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.host.disks[0].writeBytes = 90_000_000
        },
        RuleCase("qemu-overhead-high", "a network disk", .notChecked("host_disk"), load: busy) {
            $0.descend(latency: 500, below: 100)
            $0.luns[0].hostDisk = nil
        },
    ]

    private static let fragments: [RuleCase] = [
        RuleCase(
            "io-size-fragmented", "in pieces",
            .flagged(.warning, ["64 KiB", "31 KiB on nvme0n1", "sdb takes 32 KiB"]), load: busy
        ) {
            $0.pass(65_536, as: 32_000)
            $0.know(.disk("nvme0n1"), [.maxRequest: 524_288, .leaves: ["sda", "sdb"]])
            $0.know(.disk("sdb"), [.maxRequest: 32_768])
        },
        RuleCase("io-size-fragmented", "in halves", .flagged(.advice, ["2 times"]), load: busy) {
            $0.pass(131_072, as: 65_536)
        },
        RuleCase("io-size-fragmented", "small ones", .flagged(.advice, ["1.6 times"]), load: busy) {
            $0.pass(32_768, as: 20_480)
        },
        RuleCase(
            "io-size-fragmented", "not large", .flagged(.advice, ["4 times as many"]), load: busy
        ) { $0.pass(65_532, as: 16_383) },
        RuleCase("io-size-fragmented", "hardly split", .healthy, load: busy) {
            $0.pass(131_072, as: 131_072)
            $0.know(.disk("nvme0n1"), [.splitRate: 999])
        },
        RuleCase("io-size-fragmented", "hardly", .healthy, load: busy) {
            $0.pass(131_072, as: 90_000)
        },
        RuleCase("io-size-fragmented", "merged", .healthy, load: busy) {
            $0.pass(65_536, as: 131_072)
        },
        RuleCase("io-size-fragmented", "split", .flagged(.advice, ["1000 requests/s"]), load: busy)
        {
            $0.pass(131_072, as: 131_072)
            $0.know(.disk("nvme0n1"), [.splitRate: 1000])
        },
        RuleCase("io-size-fragmented", "qcow2", .notApplicable, load: busy) {
            $0.pass(131_072, as: 32_768)
            $0.luns[0].format = "qcow2"
        },
        RuleCase("io-size-fragmented", "idle", .notApplicable) { $0.pass(131_072, as: 32_768) },
        RuleCase("io-size-fragmented", "a shared disk", .notChecked("not for these"), load: busy) {
            $0.pass(131_072, as: 32_768)
            $0.host.disks[0].readBytes = 900_000_000
        },
        RuleCase("io-size-fragmented", "cache unknown", .notChecked("is_direct"), load: busy) {
            $0.pass(131_072, as: 32_768, knowsCache: false)
        },
    ]

    private static let alignments: [RuleCase] = [
        RuleCase(
            "unaligned-guest-io", "a partition", .flagged(.warning, ["vda1", "sector 63"]),
            load: busy
        ) { $0.know(.guestDisk("vda"), [.guestPartitions: ["vda1 63", "vda2 2048"]]) },
        RuleCase("unaligned-guest-io", "a partition at rest", .flagged(.advice, ["sector 63"])) {
            $0.know(.guestDisk("vda"), [.guestPartitions: ["vda1 63"]])
        },
        RuleCase("unaligned-guest-io", "whose?", .notChecked("vda1 begins at sector 63")) {
            $0.shareOut([0, 0])
            $0.know(.guestDisk("vda"), [.guestPartitions: ["vda1 63"]])
        },
        RuleCase("unaligned-guest-io", "small", .flagged(.advice, ["3.3 KiB", "20 %"]), load: busy)
        {
            $0.write(5000, of: 3379)
        },
        RuleCase("unaligned-guest-io", "hardly small", .healthy, load: busy) {
            $0.write(5000, of: 3390)
        },
        RuleCase("unaligned-guest-io", "a log", .healthy, load: busy) {
            $0.write(5000, of: 512)
            $0.luns[0].rates.flushes = 2500
        },
        RuleCase("unaligned-guest-io", "reads to write", .flagged(.advice, ["2500"]), load: busy) {
            $0.write(5000, of: 8192)
            $0.host.disks[0].reads = 2500
        },
        RuleCase("unaligned-guest-io", "few reads to write", .healthy, load: busy) {
            $0.write(5000, of: 8192)
            $0.host.disks[0].reads = 2400
        },
        RuleCase("unaligned-guest-io", "a guest that reads", .healthy, load: busy) {
            $0.write(5000, of: 8192)
            $0.luns[0].rates.reads = 3000
            $0.luns[0].rates.readBytes = 3000 * 8192
            $0.host.disks[0].reads = 3000
        },
        RuleCase("unaligned-guest-io", "512n", .notApplicable, load: busy) {
            $0.write(5000, of: 512, physical: 512)
        },
        RuleCase("unaligned-guest-io", "idle", .notApplicable) { _ in },
        RuleCase("unaligned-guest-io", "blocks unknown", .notChecked("physical_block"), load: busy)
        {
            _ in
        },
    ]

    private static let blocks: [RuleCase] = [
        RuleCase(
            "backing-block-larger-than-io", "four times",
            .flagged(.advice, ["32 KiB", "8 KiB", "2 times"]), load: busy
        ) { $0.amplify(unit: 32_768, by: 2) },
        RuleCase("backing-block-larger-than-io", "less", .healthy, load: busy) {
            $0.amplify(unit: 32_767, by: 2)
        },
        RuleCase("backing-block-larger-than-io", "absorbed", .healthy, load: busy) {
            $0.amplify(unit: 131_072, by: 1.9)
        },
        RuleCase(
            "backing-block-larger-than-io", "copied clusters", .flagged(.advice, ["cluster"]),
            load: busy
        ) {
            $0.amplify(unit: 0, by: 8)
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.backingDepth: 1, .clusterSize: 65_536])
        },
        RuleCase(
            "backing-block-larger-than-io", "a zvol", .flagged(.advice, ["physical"]), load: busy
        ) {
            $0.amplify(unit: 0, by: 8)
            $0.know(.disk("nvme0n1"), [.physicalBlock: 131_072])
        },
        RuleCase("backing-block-larger-than-io", "few writes", .notApplicable, load: busy) {
            $0.write(9, of: 8192)
        },
        RuleCase("backing-block-larger-than-io", "idle", .notApplicable) {
            $0.amplify(unit: 131_072, by: 8)
        },
        RuleCase("backing-block-larger-than-io", "on ZFS", .notChecked("zfs"), load: busy) {
            $0.write(5000, of: 8192)
            $0.know(.lun("vd0"), [.fileSystem: "zfs"])
        },
        RuleCase("backing-block-larger-than-io", "unread", .notChecked("optimal_io"), load: busy) {
            $0.write(5000, of: 8192)
        },
    ]

    private static let discards: [RuleCase] = [
        RuleCase("discard-zeroes-policy", "none", .healthy) { $0.luns[0].rates.discards = 0 },
        RuleCase(
            "discard-zeroes-policy", "ignored",
            .flagged(.advice, ["not given", "nvme0n1 is flash"])
        ) { $0.discard(10, passed: 0) },
        RuleCase("discard-zeroes-policy", "ignored by choice", .flagged(.info, ["discard=ignore"]))
        {
            $0.discard(10, passed: 0, option: "ignore")
        },
        RuleCase("discard-zeroes-policy", "ignored, as told", .flagged(.info, ["sparse"])) {
            $0.discard(10, passed: nil, option: "ignore")
            $0.know(.lun("vd0"), [.fileSize: 1_000_000, .fileAllocated: 300_000])
        },
        RuleCase("discard-zeroes-policy", "nothing to gain", .notApplicable) {
            $0.discard(10, passed: 0)
            $0.host.disks[0].isRotational = true
        },
        RuleCase("discard-zeroes-policy", "passed", .healthy) { $0.discard(10, passed: 900) },
        RuleCase("discard-zeroes-policy", "passed, as told", .healthy) {
            $0.discard(10, passed: nil, option: "unmap")
        },
        RuleCase("discard-zeroes-policy", "failed", .flagged(.advice, ["10 of 1000"])) {
            $0.discard(10, passed: 990)
            $0.know(.lun("vd0"), [.failedDiscards: 10])
        },
        RuleCase("discard-zeroes-policy", "one failed", .healthy) {
            $0.discard(10, passed: 999)
            $0.know(.lun("vd0"), [.failedDiscards: 1])
        },
        RuleCase("discard-zeroes-policy", "many", .healthy) { $0.discard(999, passed: 5000) },
        RuleCase("discard-zeroes-policy", "a storm", .flagged(.advice, ["1000 times/s"])) {
            $0.discard(1000, passed: 5000)
        },
        RuleCase("discard-zeroes-policy", "zeroes, much", .flagged(.advice, ["=unmap", "1 GiB/s"]))
        {
            $0.luns[0].rates.writeBytes = 1_073_741_824
            $0.know(.lun("vd0"), [.detectZeroes: "unmap"])
        },
        RuleCase("discard-zeroes-policy", "zeroes, CPU", .flagged(.advice, ["=on", "70 %"])) {
            $0.luns[0].rates.writes = 100
            $0.threads[2].cpuPercent = 70
            $0.know(.lun("vd0"), [.detectZeroes: "on"])
        },
        RuleCase("discard-zeroes-policy", "zeroes, little", .healthy) {
            $0.luns[0].rates.discards = 0
            $0.luns[0].rates.writes = 100
            $0.luns[0].rates.writeBytes = 1_000_000_000
            $0.threads[2].cpuPercent = 69
            $0.know(.lun("vd0"), [.detectZeroes: "on"])
        },
        RuleCase("discard-zeroes-policy", "not counted", .notChecked("discards_per_s")) { _ in },
        RuleCase("discard-zeroes-policy", "passed on?", .notChecked("passed down")) {
            $0.discard(10, passed: nil)
        },
    ]
}

extension Snapshot {
    fileprivate mutating func descend(latency: Double, below: Double, isDirect: Bool = true) {
        readBlocks(5000, depth: 2.5, latency: latency)
        know(.lun("vd0"), [.isDirect: .flag(isDirect)])
        host.disks[0].reads = 5000
        host.disks[0].writes = 0
        host.disks[0].readBytes = 5000 * 4096
        host.disks[0].writeBytes = 0
        host.disks[0].readAwait = below
    }

    fileprivate mutating func pass(_ size: Double, as below: Double, knowsCache: Bool = true) {
        luns[0].rates.iops = 2000
        luns[0].rates.reads = 2000
        luns[0].rates.readBytes = 2000 * size
        if knowsCache { know(.lun("vd0"), [.isDirect: true]) }
        host.disks[0].reads = 2000 * size / below
        host.disks[0].writes = 0
        host.disks[0].readBytes = 2000 * size
        host.disks[0].writeBytes = 0
    }

    fileprivate mutating func write(_ count: Double, of size: Double, physical: Int = 4096) {
        luns[0].rates.iops = count
        luns[0].rates.writes = count
        luns[0].rates.writeBytes = count * size
        know(.disk("nvme0n1"), [.physicalBlock: .count(physical)])
        host.disks[0].reads = 0
        host.disks[0].writes = count
        host.disks[0].writeBytes = count * size
    }

    fileprivate mutating func amplify(unit: Int, by factor: Double) {
        write(5000, of: 8192)
        know(.disk("nvme0n1"), [.optimalIO: .count(unit)])
        host.disks[0].writeBytes = 5000 * 8192 * factor
    }

    fileprivate mutating func discard(_ rate: Double, passed: Int?, option: String? = nil) {
        luns[0].rates.discards = rate
        if let passed { know(.lun("vd0"), [.passedDiscards: .count(passed)]) }
        if let option { know(.lun("vd0"), [.discardOption: .text(option)]) }
    }
}
