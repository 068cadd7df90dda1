import Telemetry

@testable import Doctor

extension RuleCase {
    static let images: [RuleCase] =
        fileBacked + nearlyFull + copyOnWrite + pieces

    private static let fileBacked: [RuleCase] = [
        RuleCase("file-backed-hot-lun", "a device", .healthy, load: .hot) {
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("file-backed-hot-lun", "not hot", .notApplicable, load: .busy) { _ in },
        RuleCase(
            "file-backed-hot-lun", "very hot", .flagged(.advice, ["60000", "qcow2", "ext4"]),
            load: .hot
        ) {
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.isDevice: false, .fileSystem: "ext4"])
        },
        RuleCase(
            "file-backed-hot-lun", "hot", .flagged(.info, ["49999"]),
            load: Load(iops: 49_999, machineIOPS: 49_999)
        ) {
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.isDevice: false, .fileSystem: "ext4"])
        },
        RuleCase("file-backed-hot-lun", "a lean file", .flagged(.info, ["raw"]), load: .hot) {
            $0.leanFile()
        },
        RuleCase("file-backed-hot-lun", "a sparse file", .flagged(.advice, []), load: .hot) {
            $0.leanFile()
            $0.know(.lun("vd0"), [.fileAllocated: .count(94 << 30)])
        },
        RuleCase("file-backed-hot-lun", "storage elsewhere", .notApplicable, load: .hot) {
            $0.luns[0].graph = [BlockNode(name: "d0", driver: "rbd")]
        },
        RuleCase("file-backed-hot-lun", "no file seen", .notChecked("is_device"), load: .hot) {
            _ in
        },
    ]

    private static let nearlyFull: [RuleCase] = [
        RuleCase("backing-nearly-full", "allocated", .healthy) {
            $0.room(free: 1, promised: 0)
        },
        RuleCase("backing-nearly-full", "room for all", .healthy) {
            $0.room(free: 5, promised: 5)
        },
        RuleCase("backing-nearly-full", "enough", .healthy) { $0.room(free: 11, promised: 50) },
        RuleCase("backing-nearly-full", "little", .flagged(.warning, ["9 %", "50 GiB"])) {
            $0.room(free: 9, promised: 50)
        },
        RuleCase("backing-nearly-full", "next to nothing", .flagged(.critical, ["3 %"])) {
            $0.room(free: 3, promised: 50)
        },
        RuleCase("backing-nearly-full", "soon", .flagged(.critical, ["full in 60 min"])) {
            $0.room(free: 50, promised: 60)
            $0.know(.lun("vd0"), [.fileGrowth: .number(Double(50 << 30) / 3600)])
        },
        RuleCase("backing-nearly-full", "later", .healthy) {
            $0.room(free: 50, promised: 60)
            $0.know(.lun("vd0"), [.fileGrowth: .number(Double(50 << 30) / 3700)])
        },
        RuleCase("backing-nearly-full", "promised to others too", .flagged(.warning, ["12 GiB"])) {
            $0.addSecondVM()
            $0.room(free: 9, promised: 6, of: "guest1")
            $0.room(free: 9, promised: 6, of: "guest2")
        },
        RuleCase("backing-nearly-full", "promised once for two images", .healthy) {
            $0.luns.append($0.luns[0])
            $0.luns[1].id = "vd1"
            $0.room(free: 9, promised: 6, lun: "vd0")
            $0.room(free: 9, promised: 6, lun: "vd1")
        },
        RuleCase("backing-nearly-full", "promised elsewhere", .healthy) {
            $0.addSecondVM()
            $0.room(free: 9, promised: 6, of: "guest1")
            $0.room(free: 9, promised: 6, of: "guest2", mount: "/dev/sdb1")
        },
        RuleCase("backing-nearly-full", "two of one name", .healthy) {
            $0.addSecondVM()
            $0.room(free: 9, promised: 6, of: "guest1", mount: "tmpfs")
            $0.room(free: 9, promised: 6, of: "guest2", mount: "tmpfs", size: 200)
        },
        RuleCase("backing-nearly-full", "soon by others", .flagged(.critical, ["min"])) {
            $0.room(free: 50, promised: 60)
            $0.luns.append($0.luns[0])
            $0.luns[1].id = "vd1"
            $0.know(.lun("vd0"), [.mountSource: "/dev/sda1", .fileGrowth: 0])
            $0.know(
                .lun("vd1"),
                [
                    .mountSource: "/dev/sda1", .fileSystemSize: .count(100 << 30),
                    .fileGrowth: .number(Double(50 << 30) / 3000),
                ])
        },
        RuleCase("backing-nearly-full", "a device", .notApplicable) {
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("backing-nearly-full", "a volume", .notChecked("lvs")) {
            $0.luns[0].hostDisk = "dm-3"
            $0.know(.lun("vd0"), [.isDevice: true])
            $0.know(.disk("dm-3"), [.mapperUUID: "LVM-abc"])
        },
    ]

    private static let copyOnWrite: [RuleCase] = [
        RuleCase("cow-filesystem-image", "ext4", .healthy) {
            $0.know(.lun("vd0"), [.isDevice: false, .fileSystem: "ext4"])
        },
        RuleCase("cow-filesystem-image", "a device", .notApplicable) {
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("cow-filesystem-image", "btrfs", .flagged(.warning, ["btrfs"]), load: .busy) {
            $0.btrfs()
        },
        RuleCase("cow-filesystem-image", "btrfs, idle", .flagged(.advice, [])) { $0.btrfs() },
        RuleCase("cow-filesystem-image", "with the flag", .healthy, load: .busy) {
            $0.btrfs()
            $0.know(.lun("vd0"), [.isNoCow: true])
        },
        RuleCase("cow-filesystem-image", "nodatacow", .healthy, load: .busy) {
            $0.btrfs()
            $0.know(.lun("vd0"), [.mountOptions: "rw,relatime,nodatacow,subvol=/"])
        },
        RuleCase("cow-filesystem-image", "read-only", .notApplicable, load: .busy) {
            $0.btrfs()
            $0.know(.lun("vd0"), [.isReadOnly: true])
        },
        RuleCase("cow-filesystem-image", "zfs", .flagged(.advice, ["zfs"]), load: .busy) {
            $0.btrfs()
            $0.know(.lun("vd0"), [.fileSystem: "zfs"])
        },
        RuleCase("cow-filesystem-image", "the flag not read", .notChecked("denied")) {
            $0.know(.lun("vd0"), [.isDevice: false, .fileSystem: "btrfs"])
            $0.lack(.lun("vd0"), .isNoCow, "denied")
        },
    ]

    private static let pieces: [RuleCase] = [
        RuleCase("image-fragmented", "a few", .healthy) { $0.pieces(49_999, spins: true) },
        RuleCase("image-fragmented", "many, spinning", .flagged(.advice, ["50000", "spins"])) {
            $0.pieces(50_000, spins: true)
        },
        RuleCase("image-fragmented", "many, flash", .flagged(.info, ["50000", "does not"])) {
            $0.pieces(199_999, spins: false)
            $0.know(.lun("vd0"), [.extents: 50_000])
        },
        RuleCase("image-fragmented", "very many, flash", .flagged(.advice, ["200000"])) {
            $0.pieces(200_000, spins: false)
        },
        RuleCase("image-fragmented", "small ones, spinning", .flagged(.advice, ["255 KiB"])) {
            $0.pieces(1000, spins: true)
            $0.know(.lun("vd0"), [.fileAllocated: .count(1000 * 255 * 1024)])
        },
        RuleCase("image-fragmented", "a new image in one piece, spinning", .healthy) {
            $0.pieces(1, spins: true, of: 196_608)
        },
        RuleCase("image-fragmented", "small ones, but few, spinning", .healthy) {
            $0.pieces(999, spins: true, of: 999 * 4096)
        },
        RuleCase("image-fragmented", "small ones, flash", .healthy) {
            $0.pieces(1000, spins: false)
            $0.know(.lun("vd0"), [.fileAllocated: .count(1000 * 255 * 1024)])
        },
        RuleCase("image-fragmented", "a device", .notApplicable) {
            $0.know(.lun("vd0"), [.isDevice: true])
        },
        RuleCase("image-fragmented", "not counted", .notChecked("FIEMAP")) {
            $0.know(.lun("vd0"), [.isDevice: false])
            $0.lack(.lun("vd0"), .extents, "FIEMAP not supported")
        },
    ]
}

extension Snapshot {
    /// A raw file that is all there, on XFS, past the page cache.
    fileprivate mutating func leanFile() {
        know(
            .lun("vd0"),
            [
                .isDevice: false, .fileSystem: "xfs", .isDirect: true,
                .fileSize: .count(100 << 30), .fileAllocated: .count(95 << 30),
            ])
    }

    /// A file system of 100 GiB with `free` GiB left, and images that may take `promised`.
    fileprivate mutating func room(free: Int, promised: Int) {
        know(
            .lun("vd0"),
            [
                .isDevice: false, .fileSystemSize: .count(100 << 30),
                .fileSystemFree: .count(free << 30), .fileSystemPromised: .count(promised << 30),
            ])
    }

    /// The same of one LUN of several, or one VM of several, in GiB.
    fileprivate mutating func room(
        free: Int, promised: Int, of vm: String? = nil, lun: String = "vd0",
        mount: String = "/dev/sda1", size: Int = 100
    ) {
        let subject = Subject(vm: vm, .lun(lun))
        know(subject, .isDevice, false)
        know(subject, .mountSource, .text(mount))
        know(subject, .fileSystemSize, .count(size << 30))
        know(subject, .fileSystemFree, .count(free << 30))
        know(subject, .fileSystemPromised, .count(promised << 30))
    }

    fileprivate mutating func btrfs() {
        know(
            .lun("vd0"),
            [.isDevice: false, .fileSystem: "btrfs", .isNoCow: false, .isReadOnly: false])
    }

    /// A file of 1 TiB, or of `size` bytes, in so many extents.
    fileprivate mutating func pieces(_ count: Int, spins: Bool, of size: Int = 1 << 40) {
        know(
            .lun("vd0"),
            [.isDevice: false, .extents: .count(count), .fileAllocated: .count(size)])
        host.disks[0].isRotational = spins
    }
}
