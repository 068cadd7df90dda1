import Telemetry

@testable import Doctor

extension RuleCase {
    static let aio: [RuleCase] = threadPools + bufferedNative + blocking + fallbacks

    private static let threadPools: [RuleCase] = [
        RuleCase("aio-threads-on-direct-lun", "native", .healthy) { _ in },
        RuleCase(
            "aio-threads-on-direct-lun", "a device", .flagged(.advice, ["device"]), load: .busy
        ) { $0.threadPool() },
        RuleCase("aio-threads-on-direct-lun", "idle", .flagged(.info, [])) { $0.threadPool() },
        RuleCase(
            "aio-threads-on-direct-lun", "much load", .flagged(.warning, ["10000 IOPS"]),
            load: Load(iops: 10_000, machineIOPS: 10_000)
        ) { $0.threadPool() },
        RuleCase(
            "aio-threads-on-direct-lun", "right below", .flagged(.advice, []),
            load: Load(iops: 9999, machineIOPS: 9999)
        ) { $0.threadPool() },
        RuleCase(
            "aio-threads-on-direct-lun", "many switches", .flagged(.warning, ["3 context"]),
            load: .busy
        ) {
            $0.threadPool()
            $0.threads.append(ThreadActivity(tid: 103, role: .worker, name: "worker"))
            $0.threads[2].voluntarySwitches = 4000
            $0.threads[3].voluntarySwitches = 8000
            // Those of vCPUs have other reasons.
            $0.threads[1].voluntarySwitches = 100_000
        },
        RuleCase(
            "aio-threads-on-direct-lun", "fewer switches", .flagged(.advice, []), load: .busy
        ) {
            $0.threadPool()
            $0.threads[2].voluntarySwitches = 11_900
        },
        RuleCase(
            "aio-threads-on-direct-lun", "an allocated file", .flagged(.advice, ["ext4"]),
            load: .busy
        ) { $0.threadPool(file: "ext4", allocated: 95) },
        RuleCase("aio-threads-on-direct-lun", "a sparse file", .notApplicable, load: .busy) {
            $0.threadPool(file: "ext4", allocated: 94)
        },
        RuleCase("aio-threads-on-direct-lun", "NFS", .notApplicable, load: .busy) {
            $0.threadPool(file: "nfs4", allocated: 100)
        },
        RuleCase("aio-threads-on-direct-lun", "qcow2", .notApplicable, load: .busy) {
            $0.threadPool(file: "ext4", allocated: 100)
            $0.luns[0].format = "qcow2"
        },
        RuleCase("aio-threads-on-direct-lun", "page cache", .notApplicable, load: .busy) {
            $0.threadPool()
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase(
            "aio-threads-on-direct-lun", "a slow disk", .notApplicable,
            load: Load(iops: 600, depth: 1.9, machineIOPS: 600)
        ) {
            $0.threadPool()
            $0.host.disks[0].isRotational = true
        },
        RuleCase("aio-threads-on-direct-lun", "hot-plugged", .notChecked("aio")) {
            $0.luns[0].aio = nil
        },
    ]

    private static let bufferedNative: [RuleCase] = [
        RuleCase("aio-native-buffered", "direct", .healthy) {
            $0.know(.lun("vd0"), [.isDirect: true])
        },
        RuleCase("aio-native-buffered", "buffered", .flagged(.critical, ["O_DIRECT"])) {
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase("aio-native-buffered", "threads", .notApplicable) { $0.luns[0].aio = "threads" },
        RuleCase("aio-native-buffered", "not seen", .notChecked("denied")) {
            $0.lack(.lun("vd0"), .isDirect, "denied")
        },
    ]

    private static let blocking: [RuleCase] = [
        RuleCase("aio-native-blocking-submit", "allocated", .healthy, load: .busy) {
            $0.native("ext4", allocated: 95)
        },
        RuleCase(
            "aio-native-blocking-submit", "sparse", .flagged(.advice, ["94 GiB of 100 GiB"]),
            load: .busy
        ) { $0.native("ext4", allocated: 94) },
        RuleCase("aio-native-blocking-submit", "sparse, idle", .flagged(.info, [])) {
            $0.native("ext4", allocated: 94)
        },
        RuleCase("aio-native-blocking-submit", "rewritten", .healthy, load: .busy) {
            $0.native("ext4", allocated: 94)
            $0.luns[0].rates.writes = 1000
            $0.know(.lun("vd0"), [.fileGrowth: 0])
        },
        RuleCase(
            "aio-native-blocking-submit", "qcow2", .flagged(.advice, ["grows by"]), load: .busy
        ) {
            $0.native("xfs", allocated: 100)
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.fileGrowth: 65_536])
        },
        RuleCase("aio-native-blocking-submit", "qcow2, all there", .healthy, load: .busy) {
            $0.native("xfs", allocated: 100)
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.fileGrowth: 0])
        },
        RuleCase("aio-native-blocking-submit", "NFS", .flagged(.advice, ["nfs4"]), load: .busy) {
            $0.native("nfs4", allocated: 100)
        },
        RuleCase("aio-native-blocking-submit", "FUSE", .flagged(.advice, ["fuse"]), load: .busy) {
            $0.native("fuse.sshfs", allocated: 100)
        },
        RuleCase(
            "aio-native-blocking-submit", "it blocks", .flagged(.warning, ["io0", "5 %"]),
            load: .busy
        ) {
            $0.native("ext4", allocated: 50)
            $0.know(.ioThread("io0"), [.blockedShare: 5])
        },
        RuleCase(
            "aio-native-blocking-submit", "it hardly blocks", .flagged(.advice, []), load: .busy
        ) {
            $0.native("ext4", allocated: 50)
            $0.know(.ioThread("io0"), [.blockedShare: 4.9, .submitTime: 199])
        },
        RuleCase(
            "aio-native-blocking-submit", "slow calls", .flagged(.warning, ["200 µs"]), load: .busy
        ) {
            $0.native("ext4", allocated: 50)
            $0.know(.ioThread("io0"), [.submitTime: 200])
        },
        RuleCase(
            "aio-native-blocking-submit", "RHEL 6", .flagged(.critical, ["vda1", "sector 63"])
        ) { $0.oldKernel("2.6.32-754.el6.x86_64", partition: "vda1 63") },
        RuleCase("aio-native-blocking-submit", "RHEL 6, aligned", .flagged(.info, [])) {
            $0.oldKernel("2.6.32-754.el6.x86_64", partition: "vda1 2048")
        },
        RuleCase("aio-native-blocking-submit", "later, unaligned", .flagged(.info, [])) {
            $0.oldKernel("3.10.0-1160.el7.x86_64", partition: "vda1 63")
        },
        RuleCase("aio-native-blocking-submit", "a device", .notApplicable) {
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("aio-native-blocking-submit", "no blocks", .notChecked("file_bytes")) {
            $0.know(.lun("vd0"), [.isDevice: false, .fileSystem: "ext4"])
        },
    ]

    private static let fallbacks: [RuleCase] = [
        RuleCase("aio-native-fallback", "contexts enough", .healthy, load: .busy) {
            $0.fallback(contexts: 2)
        },
        RuleCase(
            "aio-native-fallback", "too few",
            .flagged(.warning, ["1 AIO contexts for 2 event loops", "30 %"]), load: .busy
        ) { $0.fallback(contexts: 1) },
        RuleCase("aio-native-fallback", "no worker runs", .healthy, load: .busy) {
            $0.fallback(contexts: 1)
            $0.threads[3].cpuPercent = 0
        },
        RuleCase("aio-native-fallback", "paused", .notApplicable, load: .busy) {
            $0.fallback(contexts: 1)
            $0.vms[0].status = "paused"
        },
        RuleCase("aio-native-fallback", "idle", .notApplicable) { $0.fallback(contexts: 1) },
        RuleCase("aio-native-fallback", "threads", .notApplicable, load: .busy) {
            $0.luns[0].aio = "threads"
        },
        RuleCase("aio-native-fallback", "no maps", .notChecked("denied"), load: .busy) {
            $0.lack(.vm, .aioContexts, "denied")
        },
    ]
}

extension Snapshot {
    /// O_DIRECT by the thread pool, on a device or on a file of 100 GiB.
    fileprivate mutating func threadPool(file: String? = nil, allocated: Int = 100) {
        luns[0].aio = "threads"
        know(.lun("vd0"), [.isDirect: true, .isDevice: .flag(file == nil)])
        guard let file else { return }
        know(
            .lun("vd0"),
            [
                .fileSystem: .text(file), .fileSize: .count(100 << 30),
                .fileAllocated: .count(allocated << 30),
            ])
    }

    /// Native AIO on a file of 100 GiB.
    fileprivate mutating func native(_ fileSystem: String, allocated: Int) {
        know(
            .lun("vd0"),
            [
                .isDevice: false, .fileSystem: .text(fileSystem), .fileSize: .count(100 << 30),
                .fileAllocated: .count(allocated << 30),
            ])
    }

    fileprivate mutating func oldKernel(_ release: String, partition: String) {
        native("ext4", allocated: 50)
        know(.host, [.kernelRelease: .text(release)])
        know(.guestDisk("vda"), [.guestPartitions: .texts([partition])])
    }

    /// Two native LUNs, one on the main loop, and a worker that runs.
    fileprivate mutating func fallback(contexts: Int) {
        luns.append(luns[0])
        luns[1].id = "vd1"
        luns[1].ioThread = nil
        luns[1].isOnMainLoop = true
        var worker = ThreadActivity(tid: 103, role: .worker, name: "worker")
        worker.cpuPercent = 30
        threads.append(worker)
        know(.vm, [.aioContexts: .count(contexts)])
    }
}
