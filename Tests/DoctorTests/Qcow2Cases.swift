import Telemetry

@testable import Doctor

extension RuleCase {
    static let qcow2: [RuleCase] = hot + cacheSizes + layouts + chains + allocating

    private static let hot: [RuleCase] = [
        RuleCase("qcow2-hot-lun", "raw", .notApplicable, load: .hot) { _ in },
        RuleCase("qcow2-hot-lun", "idle", .notApplicable, load: Load(iops: 10)) { $0.qcow2() },
        RuleCase("qcow2-hot-lun", "busy", .flagged(.info, ["2000 IOPS"]), load: .busy) {
            $0.qcow2()
        },
        RuleCase("qcow2-hot-lun", "hot", .flagged(.advice, ["60000 IOPS"]), load: .hot) {
            $0.qcow2()
        },
        RuleCase(
            "qcow2-hot-lun", "hot, and to be tuned",
            .flagged(.advice, ["qcow2-l2-cache-small, qcow2-layout"]), load: .hot
        ) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.l2Cache: 1_048_576, .clusterSize: 4096])
        },
        RuleCase("qcow2-hot-lun", "with a backing file", .flagged(.info, []), load: .hot) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.backingDepth: 1])
        },
        RuleCase("qcow2-hot-lun", "no format", .notChecked("format"), load: .hot) {
            $0.luns[0].format = nil
        },
    ]

    private static let cacheSizes: [RuleCase] = [
        RuleCase("qcow2-l2-cache-small", "raw", .notApplicable) { _ in },
        RuleCase("qcow2-l2-cache-small", "covered", .healthy, load: .hot) { $0.qcow2() },
        RuleCase("qcow2-l2-cache-small", "90 %", .healthy, load: .hot) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.l2Cache: .number(0.9 * Double(12_800 << 10))])
        },
        RuleCase("qcow2-l2-cache-small", "extended L2 takes twice", .flagged(.advice, ["25 MiB"])) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.extendedL2: true])
        },
        RuleCase("qcow2-l2-cache-small", "idle", .flagged(.advice, ["1 MiB", "8 GiB of 100 GiB"])) {
            $0.smallCache()
        },
        RuleCase(
            "qcow2-l2-cache-small", "busy", .flagged(.warning, ["4 KiB", "10000 IOPS"]), load: .busy
        ) { $0.smallCache() },
        RuleCase(
            "qcow2-l2-cache-small", "tables read", .flagged(.warning, ["1.2 times"]), load: .busy
        ) {
            $0.smallCache()
            $0.host.disks[0].reads = 12_000
        },
        RuleCase("qcow2-l2-cache-small", "working set fits", .flagged(.advice, []), load: .busy) {
            $0.smallCache()
            $0.host.disks[0].reads = 11_900
        },
        RuleCase("qcow2-l2-cache-small", "sequential", .flagged(.advice, []), load: .busy) {
            $0.smallCache()
            $0.luns[0].rates.merges = 1000
        },
        RuleCase("qcow2-l2-cache-small", "large requests", .flagged(.advice, []), load: .busy) {
            $0.smallCache()
            $0.luns[0].rates.readBytes = 655_360_000
        },
        RuleCase("qcow2-l2-cache-small", "no cache known", .notChecked("hot-plugged")) {
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.virtualSize: .count(100 << 30), .clusterSize: 65_536])
            $0.lack(.lun("vd0"), .l2Cache, "hot-plugged")
        },
    ]

    private static let layouts: [RuleCase] = [
        RuleCase("qcow2-layout", "raw", .notApplicable) { _ in },
        RuleCase("qcow2-layout", "well made", .healthy, load: .busy) { $0.qcow2() },
        RuleCase("qcow2-layout", "corrupt", .flagged(.critical, ["corrupt"])) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.isCorrupt: true, .isReadOnly: true])
        },
        RuleCase("qcow2-layout", "AES", .flagged(.critical, ["AES"])) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.encryption: "aes"])
        },
        RuleCase("qcow2-layout", "a layer", .notApplicable) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.clusterSize: 4096, .isReadOnly: true])
        },
        RuleCase("qcow2-layout", "small clusters", .flagged(.advice, ["32 KiB"]), load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.clusterSize: 32_768])
        },
        RuleCase("qcow2-layout", "small clusters, idle", .flagged(.info, ["32 KiB"])) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.clusterSize: 32_768])
        },
        RuleCase(
            "qcow2-layout", "large clusters", .flagged(.advice, ["1 MiB", "4 KiB"]), load: .busy
        ) { $0.largeClusters() },
        RuleCase("qcow2-layout", "large clusters, large writes", .healthy, load: .busy) {
            $0.largeClusters()
            $0.luns[0].rates.writeBytes = 65_536_000
        },
        RuleCase("qcow2-layout", "large clusters in parts", .healthy, load: .busy) {
            $0.largeClusters()
            $0.know(.lun("vd0"), [.extendedL2: true])
        },
        RuleCase("qcow2-layout", "large clusters alone", .healthy, load: .busy) {
            $0.largeClusters()
            $0.know(.lun("vd0"), [.backingDepth: 0])
        },
        RuleCase(
            "qcow2-layout", "eager refcounts", .flagged(.advice, ["lazy refcounts"]), load: .busy
        ) {
            $0.qcow2()
            $0.know(
                .lun("vd0"), [.isWriteback: false, .lazyRefcounts: false, .fileGrowth: 1_000_000])
        },
        RuleCase("qcow2-layout", "lazy refcounts", .healthy, load: .busy) {
            $0.qcow2()
            $0.know(
                .lun("vd0"), [.isWriteback: false, .lazyRefcounts: true, .fileGrowth: 1_000_000])
        },
        RuleCase("qcow2-layout", "nothing allocated", .healthy, load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.isWriteback: false, .lazyRefcounts: false, .fileGrowth: 0])
        },
        RuleCase("qcow2-layout", "old format", .flagged(.info, ["compat 0.10"]), load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.qcow2Compat: "0.10"])
        },
        RuleCase("qcow2-layout", "snapshots", .flagged(.info, ["3 internal"]), load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.internalSnapshots: 3])
        },
        RuleCase("qcow2-layout", "two snapshots", .healthy, load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.internalSnapshots: 2])
        },
        RuleCase("qcow2-layout", "LUKS, hot", .flagged(.advice, ["LUKS"]), load: .hot) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.encryption: "luks"])
        },
        RuleCase("qcow2-layout", "LUKS", .healthy, load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.encryption: "luks"])
        },
        RuleCase("qcow2-layout", "copy on read", .flagged(.advice, ["copy-on-read"]), load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.copiesOnRead: true])
        },
        RuleCase("qcow2-layout", "copy on read at work", .healthy, load: .busy) {
            $0.qcow2()
            $0.know(.lun("vd0"), [.copiesOnRead: true, .backingDepth: 1])
        },
        RuleCase("qcow2-layout", "not all known", .notChecked("denied")) {
            $0.qcow2()
            $0.lack(.lun("vd0"), .internalSnapshots, "denied")
        },
    ]

    private static let chains: [RuleCase] = [
        RuleCase("qcow2-chain-long", "raw", .notApplicable) { _ in },
        RuleCase("qcow2-chain-long", "three", .healthy, load: .busy) { $0.chain(3) },
        RuleCase("qcow2-chain-long", "four", .flagged(.advice, ["4 backing"]), load: .busy) {
            $0.chain(4)
        },
        RuleCase("qcow2-chain-long", "nine", .flagged(.advice, []), load: .busy) { $0.chain(9) },
        RuleCase("qcow2-chain-long", "ten", .flagged(.warning, []), load: .busy) { $0.chain(10) },
        RuleCase("qcow2-chain-long", "thirty", .flagged(.critical, []), load: .busy) {
            $0.chain(30)
        },
        RuleCase("qcow2-chain-long", "four, idle", .flagged(.info, [])) { $0.chain(4) },
        RuleCase("qcow2-chain-long", "thirty, idle", .flagged(.warning, [])) { $0.chain(30) },
        RuleCase("qcow2-chain-long", "not told", .notChecked("backing_depth")) {
            $0.luns[0].format = "qcow2"
        },
    ]

    private static let allocating: [RuleCase] = [
        RuleCase("qcow2-allocating-writes", "raw", .notApplicable, load: .busy) { _ in },
        RuleCase("qcow2-allocating-writes", "idle", .notApplicable) { $0.growing(300_000) },
        RuleCase(
            "qcow2-allocating-writes", "growing", .flagged(.info, ["30 %"]), load: .busy,
            past: .steady(1000, writeBytes: 1_000_000, windows: 60)
        ) { $0.growing(300_000) },
        RuleCase(
            "qcow2-allocating-writes", "growing a little", .healthy, load: .busy,
            past: .steady(1000, writeBytes: 1_000_000, windows: 60)
        ) { $0.growing(299_000) },
        RuleCase(
            "qcow2-allocating-writes", "not for long", .healthy, load: .busy,
            past: .steady(1000, writeBytes: 2_000_000, windows: 60)
        ) { $0.growing(300_000) },
        RuleCase(
            "qcow2-allocating-writes", "a new image", .notApplicable, load: .busy,
            past: .steady(1000, writeBytes: 1_000_000, windows: 60)
        ) {
            $0.growing(300_000)
            $0.know(.lun("vd0"), [.actualSize: .count(9 << 30)])
        },
        RuleCase(
            "qcow2-allocating-writes", "more writes below", .flagged(.info, ["1.5 times"]),
            load: .busy
        ) {
            $0.growing(0)
            $0.know(.lun("vd0"), [.isDirect: true])
            $0.host.disks[0].writes = 1500
        },
        RuleCase("qcow2-allocating-writes", "writes of others", .healthy, load: .busy) {
            $0.growing(0)
            $0.know(.lun("vd0"), [.isDirect: true])
            $0.host.disks[0].writes = 1500
            $0.host.disks[0].luns = ["vd0", "vd1"]
        },
        RuleCase("qcow2-allocating-writes", "too early", .notChecked("ten minutes"), load: .busy) {
            $0.growing(300_000)
        },
    ]
}

extension Snapshot {
    /// 100 GiB of 64 KiB clusters, of which all tables take 12.5 MiB and are cached.
    fileprivate mutating func qcow2() {
        luns[0].format = "qcow2"
        know(
            .lun("vd0"),
            [
                .virtualSize: .count(100 << 30), .clusterSize: 65_536, .extendedL2: false,
                .l2Cache: .count(12_800 << 10), .qcow2Compat: "1.1", .lazyRefcounts: false,
                .isCorrupt: false, .encryption: "none", .internalSnapshots: 0,
                .copiesOnRead: false, .backingDepth: 0, .isWriteback: true,
            ])
    }

    /// The same with 1 MiB of cache, under small random reads.
    fileprivate mutating func smallCache() {
        qcow2()
        know(.lun("vd0"), [.l2Cache: 1_048_576])
        luns[0].rates.iops = 10_000
        luns[0].rates.reads = 10_000
        luns[0].rates.readBytes = 40_960_000
        luns[0].rates.merges = 0
    }

    /// Clusters of 1 MiB over a backing file, under small writes.
    fileprivate mutating func largeClusters() {
        qcow2()
        know(.lun("vd0"), [.clusterSize: 1_048_576, .backingDepth: 1])
        luns[0].rates.writes = 1000
        luns[0].rates.writeBytes = 4_096_000
    }

    fileprivate mutating func chain(_ depth: Int) {
        luns[0].format = "qcow2"
        know(.lun("vd0"), [.backingDepth: .count(depth)])
    }

    /// Half of the image allocated, a megabyte written a second, and the file growing.
    fileprivate mutating func growing(_ rate: Int) {
        qcow2()
        know(.lun("vd0"), [.actualSize: .count(50 << 30), .fileGrowth: .count(rate)])
        luns[0].rates.writes = 1000
        luns[0].rates.writeBytes = 1_000_000
    }
}
