import Telemetry

@testable import Doctor

extension RuleCase {
    static let nfs: [RuleCase] = transfers + serving + mounting

    private static let busy = Load(iops: 1000, machineIOPS: 1000)

    private static let transfers: [RuleCase] = [
        RuleCase("nfs-rwsize-small", "large", .healthy, load: busy) { $0.mount("vers=4.2") },
        RuleCase("nfs-rwsize-small", "small", .flagged(.warning, ["wsize 32 KiB"]), load: busy) {
            $0.mount("vers=3", read: 1_048_576, write: 32_768)
        },
        RuleCase("nfs-rwsize-small", "small, idle", .flagged(.advice, ["rsize is 8 KiB"])) {
            $0.mount("vers=3", read: 8192, write: 8192)
        },
        RuleCase(
            "nfs-rwsize-small", "for large requests", .flagged(.advice, ["256 KiB"]), load: busy
        ) {
            $0.mount("vers=4.2", read: 65_536, write: 65_536)
            $0.guest(bytes: 262_144)
        },
        RuleCase("nfs-rwsize-small", "for large requests, idle", .flagged(.info, ["256 KiB"])) {
            $0.mount("vers=4.2", read: 65_536, write: 65_536)
            $0.guest(bytes: 262_144)
        },
        RuleCase("nfs-rwsize-small", "for small requests", .healthy, load: busy) {
            $0.mount("vers=4.2", read: 65_536, write: 65_536)
            $0.guest(bytes: 262_143)
        },
        RuleCase("nfs-rwsize-small", "for none", .notApplicable) {
            $0.mount("vers=4.2", read: 65_536, write: 65_536)
        },
        RuleCase("nfs-rwsize-small", "a disk", .notApplicable) { _ in },
        RuleCase("nfs-rwsize-small", "not said", .notChecked("rsize")) {
            $0.luns[0].hostDisk = nil
            $0.know(.lun("vd0"), [.fileSystem: "nfs", .mountOptions: "rw"])
        },
        RuleCase("nfs-rwsize-small", "on what?", .notChecked("file_system")) {
            $0.luns[0].hostDisk = nil
        },

        RuleCase("nfs-io-split", "pages", .flagged(.warning, ["WRITE", "4 KiB", "RHEL 6.0"])) {
            $0.mount("vers=3")
            $0.guest(bytes: 65_536)
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsWriteSize: 4096])
        },
        RuleCase("nfs-io-split", "halves", .flagged(.warning, ["128 KiB"])) {
            $0.mount("vers=3")
            $0.guest(bytes: 262_144)
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsWriteSize: 131_072])
        },
        RuleCase("nfs-io-split", "more than halves", .healthy) {
            $0.mount("vers=3")
            $0.guest(bytes: 262_144)
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsWriteSize: 131_073])
        },
        RuleCase("nfs-io-split", "as large as may be", .healthy) {
            $0.mount("vers=3", read: 65_536, write: 65_536)
            $0.guest(bytes: 1_048_576)
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsWriteSize: 65_536])
        },
        RuleCase("nfs-io-split", "reads", .flagged(.warning, ["READ"])) {
            $0.mount("vers=3")
            $0.luns[0].rates.reads = 100
            $0.luns[0].rates.readBytes = 6_553_600
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsReadSize: 4096, .isDirect: true])
        },
        RuleCase("nfs-io-split", "reads through the cache", .notApplicable) {
            $0.mount("vers=3")
            $0.luns[0].rates.reads = 100
            $0.luns[0].rates.readBytes = 6_553_600
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsReadSize: 4096, .isDirect: false])
        },
        RuleCase("nfs-io-split", "two LUNs of a mount", .healthy) {
            $0.mount("vers=3")
            $0.guest(bytes: 65_536)
            $0.luns.append($0.luns[0])
            $0.luns[1].id = "vd1"
            $0.luns[1].rates.writes = 9900
            $0.luns[1].rates.writeBytes = 9900 * 4096
            $0.know(.lun("vd1"), [.mountSource: "server:/images"])
            $0.know(.lun("vd0"), [.nfsRate: 100, .nfsWriteSize: 5000])
        },
        RuleCase("nfs-io-split", "few", .notApplicable) {
            $0.mount("vers=3")
            $0.know(.lun("vd0"), [.nfsRate: 99])
        },
        RuleCase("nfs-io-split", "not counted", .notChecked("mountstats")) {
            $0.mount("vers=3")
            $0.guest(bytes: 65_536)
            $0.know(.lun("vd0"), [.nfsRate: 100])
            $0.lack(.lun("vd0"), .nfsWriteSize, "mountstats denied")
        },
    ]

    private static let serving: [RuleCase] = [
        RuleCase("nfs-server-threads", "waits", .flagged(.advice, ["2 ms", "likely"])) {
            $0.mount("vers=4.2")
            $0.know(.lun("vd0"), [.nfsQueueTime: 2, .nfsServerTime: 4])
        },
        RuleCase("nfs-server-threads", "waits little", .healthy) {
            $0.mount("vers=4.2")
            $0.know(.lun("vd0"), [.nfsQueueTime: 1.9, .nfsServerTime: 1])
        },
        RuleCase("nfs-server-threads", "a slow server", .healthy) {
            $0.mount("vers=4.2")
            $0.know(.lun("vd0"), [.nfsQueueTime: 4, .nfsServerTime: 9])
        },
        RuleCase("nfs-server-threads", "this host's", .flagged(.advice, ["16 threads"])) {
            $0.mount("vers=4.2", source: "localhost:/images")
            $0.know(.host, [.nfsServerThreads: 16, .nfsServerQueued: 5])
        },
        RuleCase("nfs-server-threads", "this host's, many", .healthy) {
            $0.mount("vers=4.2", source: "localhost:/images")
            $0.know(.host, [.nfsServerThreads: 17, .nfsServerQueued: 5])
            $0.know(.lun("vd0"), [.nfsQueueTime: 0.1, .nfsServerTime: 1])
        },
        RuleCase("nfs-server-threads", "this host's are others'", .healthy) {
            $0.mount("vers=4.2")
            $0.know(.host, [.nfsServerThreads: 8, .nfsServerQueued: 5])
            $0.know(.lun("vd0"), [.nfsQueueTime: 0.1, .nfsServerTime: 1])
        },
        RuleCase("nfs-server-threads", "a disk", .notApplicable) { _ in },
        RuleCase("nfs-server-threads", "not counted", .notChecked("nfs_queue_ms")) {
            $0.mount("vers=4.2")
        },

        RuleCase("nfs-export-options", "fine", .healthy) {
            $0.know(.host, [.nfsExports: ["/a *(rw,sync,no_wdelay)"]])
        },
        RuleCase("nfs-export-options", "async", .flagged(.critical, ["/b", "async"])) {
            $0.know(.host, [.nfsExports: ["/a *(rw,sync,no_wdelay)", "/b 10.0.0.0/8(rw,async)"]])
        },
        RuleCase("nfs-export-options", "async, read only", .healthy) {
            $0.know(.host, [.nfsExports: ["/b *(ro,async)"]])
        },
        RuleCase("nfs-export-options", "wdelay", .flagged(.advice, ["/a", "vd0"])) {
            $0.mount("vers=4.2", source: "127.0.0.1:/a")
            $0.guest(bytes: 4096)
            $0.know(.lun("vd0"), [.isDirect: true])
            $0.know(.host, [.nfsExports: ["/a *(rw,sync,wdelay)"]])
        },
        RuleCase("nfs-export-options", "nothing exported", .notApplicable) {
            $0.know(.host, [.nfsExports: []])
        },
        RuleCase("nfs-export-options", "wdelay for others", .notChecked("wdelay")) {
            $0.know(.host, [.nfsExports: ["/a *(rw,sync,wdelay)"]])
        },
        RuleCase("nfs-export-options", "unread", .notChecked("nfs_exports")) { _ in },
    ]

    private static let mounting: [RuleCase] = [
        RuleCase("nfs-version-transport", "hard", .healthy, load: busy) {
            $0.mount("hard,proto=tcp,vers=4.2")
        },
        RuleCase("nfs-version-transport", "soft", .flagged(.critical, ["soft"])) {
            $0.mount("soft,proto=tcp,vers=4.2")
            $0.know(.lun("vd0"), [.isReadOnly: false])
        },
        RuleCase("nfs-version-transport", "softerr", .flagged(.critical, ["softerr"])) {
            $0.mount("softerr,proto=tcp,vers=4.2")
            $0.know(.lun("vd0"), [.isReadOnly: false])
        },
        RuleCase("nfs-version-transport", "softreval is harmless", .healthy, load: busy) {
            $0.mount("softreval,hard,proto=tcp,vers=4.2")
        },
        RuleCase("nfs-version-transport", "an ISO", .notApplicable) {
            $0.mount("soft,proto=tcp,vers=4.2")
            $0.know(.lun("vd0"), [.isReadOnly: true])
        },
        RuleCase("nfs-version-transport", "UDP", .flagged(.warning, ["version 3"]), load: busy) {
            $0.mount("hard,proto=udp,vers=3")
        },
        RuleCase("nfs-version-transport", "UDP, idle", .flagged(.advice, ["UDP"])) {
            $0.mount("hard,proto=udp,vers=3")
        },
        RuleCase("nfs-version-transport", "version 3 over TCP", .healthy, load: busy) {
            $0.mount("hard,proto=tcp,vers=3")
        },
        RuleCase("nfs-version-transport", "noac", .flagged(.warning, ["sync, noac"]), load: busy) {
            $0.mount("sync,noac,hard,proto=tcp,vers=4.2")
        },
        RuleCase("nfs-version-transport", "written?", .notChecked("is_read_only")) {
            $0.mount("soft,vers=4.2")
        },
        RuleCase("nfs-version-transport", "not said", .notChecked("version")) { $0.mount("hard") },

        RuleCase("nfs-ancient-qemu-kvm", "RHEL 5", .flagged(.warning, ["kvm-83-105", "vd0"])) {
            $0.mount("vers=3")
            $0.package("0.9.1", "kvm-83-105.el5_4.9")
        },
        RuleCase("nfs-ancient-qemu-kvm", "RHEL 5, just", .flagged(.warning, [])) {
            $0.mount("vers=3")
            $0.package("0.9.1", "kvm-83-164.el5_5.12")
        },
        RuleCase("nfs-ancient-qemu-kvm", "RHEL 5 mended", .notApplicable) {
            $0.mount("vers=3")
            $0.package("0.9.1", "kvm-83-164.el5_5.15")
        },
        RuleCase("nfs-ancient-qemu-kvm", "RHEL 6.1", .flagged(.warning, ["el6_1"])) {
            $0.mount("vers=3")
            $0.package("0.12.1", " (qemu-kvm-0.12.1.2-2.160.el6_1.8)")
        },
        RuleCase("nfs-ancient-qemu-kvm", "RHEL 6.2", .notApplicable) {
            $0.mount("vers=3")
            $0.package("0.12.1", " (qemu-kvm-0.12.1.2-2.209.el6)")
        },
        RuleCase("nfs-ancient-qemu-kvm", "on a disk", .notApplicable) {
            $0.package("0.12.1", " (qemu-kvm-0.12.1.2-2.160.el6_1.8)")
        },
        RuleCase("nfs-ancient-qemu-kvm", "of today", .notApplicable) { _ in },
        RuleCase("nfs-ancient-qemu-kvm", "of whom?", .notChecked("qemu_package")) {
            $0.vms[0].version = "0.12.1"
        },
    ]
}

extension Snapshot {
    /// The LUN on an NFS mount.
    fileprivate mutating func mount(
        _ options: String, read: Int = 1_048_576, write: Int = 1_048_576,
        source: String = "server:/images"
    ) {
        luns[0].hostDisk = nil
        know(
            .lun("vd0"),
            [
                .fileSystem: "nfs4",
                .mountOptions: .text("rw,relatime,\(options),rsize=\(read),wsize=\(write)"),
                .mountSource: .text(source), .isDevice: false,
            ])
    }

    /// 1000 writes a second of so many bytes.
    fileprivate mutating func guest(bytes: Double) {
        luns[0].rates.iops = 1000
        luns[0].rates.writes = 1000
        luns[0].rates.writeBytes = 1000 * bytes
    }

    fileprivate mutating func package(_ version: String, _ package: String) {
        vms[0].version = version
        know(.vm, [.qemuPackage: .text(package)])
    }
}
