import Telemetry

@testable import Doctor

extension RuleCase {
    static let caches: [RuleCase] =
        through + twice + given + unsafeCaches + again + onNFS + mismatch

    private static let through: [RuleCase] = [
        RuleCase("cache-writethrough-write-heavy", "writeback", .healthy) {
            $0.know(.lun("vd0"), [.isWriteback: true])
        },
        RuleCase(
            "cache-writethrough-write-heavy", "many writes",
            .flagged(.warning, ["writethrough", "200 writes", "20 %"])
        ) { $0.writes(200, of: 1000, isDirect: false) },
        RuleCase("cache-writethrough-write-heavy", "few writes", .healthy) {
            $0.writes(199, of: 500, isDirect: false)
        },
        RuleCase("cache-writethrough-write-heavy", "mostly reads", .healthy) {
            $0.writes(200, of: 1010, isDirect: false)
        },
        RuleCase("cache-writethrough-write-heavy", "directsync", .flagged(.advice, ["directsync"]))
        {
            $0.writes(500, of: 1000, isDirect: true)
            $0.know(.disk("nvme0n1"), [.writeCache: "write back", .flushTime: 19])
        },
        RuleCase("cache-writethrough-write-heavy", "flushing", .flagged(.warning, ["20 %"])) {
            $0.writes(500, of: 1000, isDirect: true)
            $0.know(.disk("nvme0n1"), [.writeCache: "write back", .flushTime: 20])
        },
        RuleCase("cache-writethrough-write-heavy", "a safe cache", .flagged(.info, ["safe"])) {
            $0.writes(500, of: 1000, isDirect: true)
            $0.know(.disk("nvme0n1"), [.writeCache: "write through"])
        },
        RuleCase("cache-writethrough-write-heavy", "a guest without flush", .notApplicable) {
            $0.writes(500, of: 1000, isDirect: false)
            $0.luns[0].features = ["VIRTIO_BLK_F_SEG_MAX"]
            $0.know(.lun("vd0"), [.hostFeatures: ["VIRTIO_BLK_F_SEG_MAX", "VIRTIO_BLK_F_FLUSH"]])
        },
        RuleCase("cache-writethrough-write-heavy", "no rates", .notChecked("writes")) {
            $0.know(.lun("vd0"), [.isWriteback: false])
        },
    ]

    private static let twice: [RuleCase] = [
        RuleCase("cache-writeback-double", "O_DIRECT", .healthy, load: .busy) {
            $0.know(.lun("vd0"), [.isDevice: false, .isDirect: true])
        },
        RuleCase("cache-writeback-double", "idle", .notApplicable) { $0.buffered("ext4") },
        RuleCase(
            "cache-writeback-double", "on ext4", .flagged(.advice, ["ext4", "2000 IOPS"]),
            load: .busy
        ) { $0.buffered("ext4") },
        RuleCase("cache-writeback-double", "a device", .flagged(.advice, ["device"]), load: .busy) {
            $0.buffered("ext4")
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("cache-writeback-double", "shared", .flagged(.warning, ["share"]), load: .busy) {
            $0.buffered("gfs2")
        },
        RuleCase(
            "cache-writeback-double", "memory is short", .flagged(.warning, ["5 %"]), load: .busy
        ) {
            $0.buffered("ext4")
            $0.know(.host, [.memoryPressure: 5])
        },
        RuleCase("cache-writeback-double", "a little short", .flagged(.advice, []), load: .busy) {
            $0.buffered("ext4")
            $0.know(.host, [.memoryPressure: 4.9])
        },
        RuleCase("cache-writeback-double", "a golden image", .healthy, load: .busy) {
            $0.buffered("ext4")
            $0.golden(below: 4_900_000)
        },
        RuleCase("cache-writeback-double", "no use", .flagged(.advice, ["50 %"]), load: .busy) {
            $0.buffered("ext4")
            $0.golden(below: 5_000_000)
        },
        RuleCase("cache-writeback-double", "tmpfs", .notApplicable, load: .busy) {
            $0.buffered("tmpfs")
        },
        RuleCase("cache-writeback-double", "write-through", .notApplicable, load: .busy) {
            $0.buffered("ext4")
            $0.know(.lun("vd0"), [.isWriteback: false])
        },
        RuleCase("cache-writeback-double", "storage elsewhere", .notApplicable, load: .busy) {
            $0.luns[0].graph = [BlockNode(name: "d0", driver: "nbd")]
        },
        RuleCase("cache-writeback-double", "not seen", .notChecked("denied"), load: .busy) {
            $0.lack(.lun("vd0"), .isDirect, "denied")
        },
    ]

    private static let given: [RuleCase] = [
        RuleCase("cache-mode-assumed-default", "both given", .healthy, load: .busy) {
            $0.know(.lun("vd0"), [.cacheIsGiven: true, .aioIsGiven: true])
        },
        RuleCase(
            "cache-mode-assumed-default", "neither",
            .flagged(.info, ["no cache and no aio", "cache=writeback", "aio=threads"]), load: .busy
        ) {
            $0.luns[0].cache = "writeback"
            $0.luns[0].aio = "threads"
            $0.know(.lun("vd0"), [.cacheIsGiven: false, .aioIsGiven: false])
        },
        RuleCase("cache-mode-assumed-default", "one", .flagged(.info, ["no aio"]), load: .busy) {
            $0.know(.lun("vd0"), [.cacheIsGiven: true, .aioIsGiven: false])
        },
        RuleCase("cache-mode-assumed-default", "a null device", .notApplicable, load: .busy) {
            $0.luns[0].graph = [BlockNode(name: "n", driver: "null-co")]
            $0.know(.lun("vd0"), [.cacheIsGiven: false, .aioIsGiven: false])
        },
        RuleCase(
            "cache-mode-assumed-default", "Ceph, without", .flagged(.info, ["no cache given"]),
            load: .busy
        ) {
            $0.luns[0].graph = [BlockNode(name: "n", driver: "rbd")]
            $0.know(.lun("vd0"), [.cacheIsGiven: false, .aioIsGiven: false])
        },
        RuleCase("cache-mode-assumed-default", "Ceph", .healthy, load: .busy) {
            $0.luns[0].graph = [BlockNode(name: "n", driver: "rbd")]
            $0.know(.lun("vd0"), [.cacheIsGiven: true, .aioIsGiven: false])
        },
        RuleCase("cache-mode-assumed-default", "idle", .notApplicable) {
            $0.know(.lun("vd0"), [.cacheIsGiven: false, .aioIsGiven: false])
        },
        RuleCase("cache-mode-assumed-default", "libvirt", .notApplicable, load: .busy) {
            $0.know(.vm, [.isLibvirt: true])
            $0.know(.lun("vd0"), [.cacheIsGiven: false, .aioIsGiven: false])
        },
        RuleCase("cache-mode-assumed-default", "hot-plugged", .notChecked("cache_is"), load: .busy)
        {
            _ in
        },
    ]

    private static let unsafeCaches: [RuleCase] = [
        RuleCase("cache-unsafe", "safe", .healthy) {
            $0.know(.lun("vd0"), [.ignoresFlushes: false])
        },
        RuleCase("cache-unsafe", "unsafe, idle too", .flagged(.critical, ["no-flush"])) {
            $0.know(.lun("vd0"), [.ignoresFlushes: true, .isReadOnly: false])
        },
        RuleCase("cache-unsafe", "-snapshot", .flagged(.advice, ["-snapshot"])) {
            $0.know(.lun("vd0"), [.ignoresFlushes: true, .isReadOnly: false])
            $0.know(.vm, [.isSnapshot: true])
        },
        RuleCase("cache-unsafe", "read-only", .notApplicable) {
            $0.know(.lun("vd0"), [.ignoresFlushes: true, .isReadOnly: true])
        },
        RuleCase("cache-unsafe", "not told", .notChecked("ignores_flushes")) { _ in },
    ]

    private static let again: [RuleCase] = [
        RuleCase("cache-none-rereads", "buffered", .notApplicable, load: .busy) {
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase(
            "cache-none-rereads", "again and again", .flagged(.info, ["90 %", "31 %"]),
            load: .busy, past: .steady(1000, bytes: 9000, writeBytes: 1000, windows: 60)
        ) { $0.starving() },
        RuleCase(
            "cache-none-rereads", "more writes before", .healthy, load: .busy,
            past: .steady(1000, bytes: 8900, writeBytes: 1100, windows: 60)
        ) { $0.starving() },
        RuleCase("cache-none-rereads", "mixed", .healthy, load: .busy) {
            $0.starving()
            $0.luns[0].rates.reads = 899
            $0.luns[0].rates.writes = 101
        },
        RuleCase("cache-none-rereads", "a full host", .healthy, load: .busy) {
            $0.starving()
            $0.know(.host, [.memoryAvailable: 30])
        },
        RuleCase("cache-none-rereads", "memory to spare", .healthy, load: .busy) {
            $0.starving()
            $0.know(.vm, [.guestMemoryAvailable: 5])
        },
        RuleCase(
            "cache-none-rereads", "swapping", .flagged(.info, []), load: .busy,
            past: .steady(1000, bytes: 9000, windows: 60)
        ) {
            $0.starving()
            $0.know(.vm, [.guestMemoryAvailable: 50, .guestSwapRate: 100])
        },
        RuleCase("cache-none-rereads", "idle", .notApplicable) { $0.starving() },
        RuleCase("cache-none-rereads", "no balloon", .notChecked("no balloon"), load: .busy) {
            $0.starving()
            $0.lack(.vm, .guestMemoryAvailable, "no balloon")
        },
        RuleCase("cache-none-rereads", "too early", .notChecked("ten minutes"), load: .busy) {
            $0.starving()
        },
    ]

    private static let onNFS: [RuleCase] = [
        RuleCase("cache-buffered-on-nfs", "ext4", .notApplicable) { $0.buffered("ext4") },
        RuleCase("cache-buffered-on-nfs", "a device", .notApplicable) {
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("cache-buffered-on-nfs", "O_DIRECT", .healthy) {
            $0.buffered("nfs4")
            $0.know(.lun("vd0"), [.isDirect: true])
        },
        RuleCase("cache-buffered-on-nfs", "buffered", .flagged(.warning, ["nfs4"]), load: .busy) {
            $0.buffered("nfs4")
        },
        RuleCase("cache-buffered-on-nfs", "buffered, idle", .flagged(.advice, ["nfs"])) {
            $0.buffered("nfs")
        },
        RuleCase("cache-buffered-on-nfs", "a base layer", .notApplicable, load: .busy) {
            $0.buffered("nfs4")
            $0.know(.lun("vd0"), [.isReadOnly: true])
        },
        RuleCase("cache-buffered-on-nfs", "no mounts", .notChecked("CAP_SYS_PTRACE")) {
            $0.know(.lun("vd0"), [.isDevice: false])
            $0.lack(.lun("vd0"), .fileSystem, "needs CAP_SYS_PTRACE")
        },
    ]

    private static let mismatch: [RuleCase] = [
        RuleCase("guest-write-cache-mismatch", "as asked", .healthy) {
            $0.know(.lun("vd0"), [.isWriteback: true, .cacheIsGiven: true, .cacheGiven: "none"])
        },
        RuleCase(
            "guest-write-cache-mismatch", "the guest's doing",
            .flagged(.advice, ["cache=none", "go through", "config-wce=on"]), load: .busy
        ) {
            $0.luns[0].features = ["VIRTIO_BLK_F_FLUSH"]
            $0.know(
                .lun("vd0"),
                [
                    .isWriteback: false, .cacheIsGiven: true, .cacheGiven: "none",
                    .configWCE: true,
                ])
        },
        RuleCase(
            "guest-write-cache-mismatch", "the property", .flagged(.info, ["write-cache=off"])
        ) {
            $0.know(
                .lun("vd0"),
                [.isWriteback: false, .cacheIsGiven: false, .writeCacheProperty: "off"])
        },
        RuleCase(
            "guest-write-cache-mismatch", "the firmware's driver", .notChecked("flushes")
        ) {
            $0.luns[0].features = ["VIRTIO_F_VERSION_1"]
            $0.know(.lun("vd0"), [.isWriteback: false, .cacheIsGiven: true, .cacheGiven: "none"])
        },
        RuleCase(
            "guest-write-cache-mismatch", "the other way",
            .flagged(.advice, ["cache=directsync", "are cached"]), load: .busy
        ) {
            $0.know(
                .lun("vd0"), [.isWriteback: true, .cacheIsGiven: true, .cacheGiven: "directsync"])
        },
        RuleCase("guest-write-cache-mismatch", "write-through as asked", .healthy) {
            $0.know(
                .lun("vd0"),
                [.isWriteback: false, .cacheIsGiven: true, .cacheGiven: "writethrough"])
        },
        RuleCase("guest-write-cache-mismatch", "hot-plugged", .notChecked("cache_given")) {
            $0.know(.lun("vd0"), [.isWriteback: true])
        },
    ]
}

extension Snapshot {
    fileprivate mutating func writes(_ writes: Double, of iops: Double, isDirect: Bool) {
        know(.lun("vd0"), [.isWriteback: false, .isDirect: .flag(isDirect)])
        luns[0].rates.iops = iops
        luns[0].rates.writes = writes
    }

    /// A writable file on `kind`, through the page cache.
    fileprivate mutating func buffered(_ kind: String) {
        know(
            .lun("vd0"),
            [
                .isDevice: false, .isDirect: false, .isWriteback: true, .isReadOnly: false,
                .fileSystem: .text(kind),
            ])
    }

    /// Nine reads in ten, 10 MB a second, `below` of them from the disk.
    fileprivate mutating func golden(below: Double) {
        luns[0].rates.reads = 900
        luns[0].rates.writes = 100
        luns[0].rates.readBytes = 10_000_000
        host.disks[0].readBytes = below
    }

    /// A guest that reads with 4 % of its memory left, on a host with 31 %.
    fileprivate mutating func starving() {
        luns[0].rates.reads = 900
        luns[0].rates.writes = 100
        know(.lun("vd0"), [.isDirect: true])
        know(.host, [.memoryTotal: 100, .memoryAvailable: 31])
        know(.vm, [.guestMemoryAvailable: 4, .guestSwapRate: 0])
    }
}
