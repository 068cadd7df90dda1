import Telemetry

@testable import Doctor

/// A load under which a LUN is busy, and one under which it is hot.
extension Load {
    static let busy = Load(iops: 2000, bytes: 8_192_000, depth: 2, machineIOPS: 4000)
    static let hot = Load(iops: 60_000, bytes: 245_760_000, depth: 20, machineIOPS: 70_000)
}

extension RuleCase {
    static let luns: [RuleCase] = dataPlane + oldDataPlanes + controllers + errors + blocks

    private static let dataPlane: [RuleCase] = [
        RuleCase("dataplane-off", "an IOThread", .healthy) { _ in },
        RuleCase("dataplane-off", "no rates yet", .flagged(.info, ["no iothread="])) {
            $0.luns[0].isOnMainLoop = true
        },
        RuleCase(
            "dataplane-off", "a boot disk beside a busy one", .flagged(.info, ["idle"]),
            load: Load(iops: 2, machineIOPS: 60_000)
        ) { $0.luns[0].isOnMainLoop = true },
        RuleCase(
            "dataplane-off", "little to do", .flagged(.info, ["4999"]),
            load: Load(iops: 4999, machineIOPS: 4999)
        ) { $0.luns[0].isOnMainLoop = true },
        RuleCase(
            "dataplane-off", "some load", .flagged(.advice, ["5000"]),
            load: Load(iops: 5000, machineIOPS: 5000)
        ) { $0.luns[0].isOnMainLoop = true },
        RuleCase(
            "dataplane-off", "heavy load", .flagged(.warning, ["30000"]),
            load: Load(iops: 30_000, machineIOPS: 30_000)
        ) { $0.luns[0].isOnMainLoop = true },
        RuleCase(
            "dataplane-off", "a busy main loop", .flagged(.warning, ["65 %"]), load: .busy
        ) {
            $0.luns[0].isOnMainLoop = true
            $0.threads[0].cpuPercent = 65
        },
        RuleCase(
            "dataplane-off", "a main loop right below", .flagged(.info, ["59 %"]), load: .busy
        ) {
            $0.luns[0].isOnMainLoop = true
            $0.threads[0].cpuPercent = 59
        },
        RuleCase(
            "dataplane-off", "ceiling", .flagged(.critical, ["130000", "ceiling"]),
            load: Load(iops: 130_000, machineIOPS: 130_000)
        ) {
            $0.luns[0].isOnMainLoop = true
            $0.luns[0].rates.iops = 130_000
        },
        RuleCase(
            "dataplane-off", "most of it through IOThreads", .flagged(.warning, ["carries 9000"]),
            load: Load(iops: 9000, machineIOPS: 130_000)
        ) {
            $0.luns[0].isOnMainLoop = true
            $0.luns[0].rates.iops = 9000
        },
        RuleCase(
            "dataplane-off", "virtio-scsi", .flagged(.advice, []),
            load: Load(iops: 6000, machineIOPS: 6000)
        ) {
            $0.luns[0].device = "scsi-hd"
            $0.luns[0].isOnMainLoop = true
            $0.know(.lun("vd0"), [.adapter: "virtio-scsi-pci"])
        },
        RuleCase("dataplane-off", "another SCSI adapter", .notApplicable) {
            $0.luns[0].device = "scsi-hd"
            $0.know(.lun("vd0"), [.adapter: "lsi53c895a"])
        },
        RuleCase("dataplane-off", "an IDE disk", .notApplicable) { $0.luns[0].device = "ide-hd" },
        RuleCase("dataplane-off", "vhost-user", .notApplicable) {
            $0.luns[0].device = "vhost-user-blk-pci"
        },
        RuleCase("dataplane-off", "record and replay", .notApplicable) {
            $0.luns[0].isOnMainLoop = true
            $0.luns[0].graph = [BlockNode(name: "replay", driver: "blkreplay")]
        },
        RuleCase("dataplane-off", "not told yet", .notChecked("io_thread")) {
            $0.luns[0].isOnMainLoop = nil
        },
    ]

    private static let oldDataPlanes: [RuleCase] = [
        RuleCase("x-data-plane-legacy", "without", .healthy) {
            $0.know(.lun("vd0"), [.xDataPlane: false])
        },
        RuleCase("x-data-plane-legacy", "with", .flagged(.warning, ["2.1", "limit"])) {
            $0.vms[0].version = "2.1.0"
            $0.know(.lun("vd0"), [.xDataPlane: true])
        },
        RuleCase("x-data-plane-legacy", "in its time", .flagged(.info, ["2.0"])) {
            $0.vms[0].version = "2.0.2"
            $0.know(.lun("vd0"), [.xDataPlane: true])
        },
        RuleCase("x-data-plane-legacy", "no VM yet", .flagged(.warning, ["2.1"])) {
            $0.vms[0].version = ""
            $0.know(.lun("vd0"), [.xDataPlane: true])
        },
        RuleCase("x-data-plane-legacy", "an IDE disk", .notApplicable) {
            $0.luns[0].device = "ide-hd"
        },
        RuleCase("x-data-plane-legacy", "no command line", .notChecked("denied")) {
            $0.lack(.lun("vd0"), .xDataPlane, "denied")
        },

        RuleCase("old-dataplane-limits", "today", .notApplicable) { _ in },
        RuleCase("old-dataplane-limits", "with the block layer", .healthy) {
            $0.vms[0].version = "2.1.0"
            $0.luns[0].format = "qcow2"
        },
        RuleCase("old-dataplane-limits", "qcow2", .flagged(.warning, ["qcow2"])) {
            $0.vms[0].version = "2.0.0"
            $0.luns[0].format = "qcow2"
            $0.know(.lun("vd0"), [.configWCE: false])
        },
        RuleCase("old-dataplane-limits", "a job", .flagged(.warning, ["block job"])) {
            $0.vms[0].version = "2.0.0"
            $0.know(.lun("vd0"), [.configWCE: false, .job: "mirror"])
        },
        RuleCase("old-dataplane-limits", "config-wce", .flagged(.warning, ["config-wce=on"])) {
            $0.vms[0].version = "1.7.0"
            $0.know(.lun("vd0"), [.configWCE: true])
        },
        RuleCase("old-dataplane-limits", "a migration", .flagged(.warning, ["migration"])) {
            $0.vms[0].version = "1.6.0"
            $0.know(.lun("vd0"), [.configWCE: false])
            $0.know(.vm, [.migration: "active"])
        },
        RuleCase("old-dataplane-limits", "a migration that works", .healthy) {
            $0.vms[0].version = "1.7.0"
            $0.know(.lun("vd0"), [.configWCE: false])
            $0.know(.vm, [.migration: "active"])
        },
        RuleCase("old-dataplane-limits", "RHEL 6.4", .healthy) {
            $0.vms[0].version = "0.12.1"
            $0.luns[0].ioThread = nil
            $0.know(.lun("vd0"), [.xDataPlane: true])
            $0.know(.vm, [.qemuPackage: " (qemu-kvm-0.12.1.2)"])
        },
        RuleCase("old-dataplane-limits", "no data plane", .notApplicable) {
            $0.vms[0].version = "1.6.0"
            $0.luns[0].ioThread = nil
            $0.know(.lun("vd0"), [.xDataPlane: false])
        },
        RuleCase("old-dataplane-limits", "config-wce not known", .notChecked("config_wce")) {
            $0.vms[0].version = "2.0.0"
        },
    ]

    private static let controllers: [RuleCase] = [
        RuleCase("emulated-disk-controller", "virtio", .healthy) { _ in },
        RuleCase(
            "emulated-disk-controller", "IDE", .flagged(.warning, ["ide-hd", "2000 IOPS"]),
            load: .busy
        ) {
            $0.luns[0].device = "ide-hd"
            $0.know(.lun("vd0"), [.isReadOnly: false])
        },
        RuleCase(
            "emulated-disk-controller", "idle", .flagged(.info, ["idle"]),
            load: Load(iops: 499, depth: 0.9)
        ) {
            $0.luns[0].device = "ide-hd"
            $0.know(.lun("vd0"), [.isReadOnly: false])
        },
        RuleCase(
            "emulated-disk-controller", "lsi", .flagged(.warning, ["lsi53c895a"]), load: .busy
        ) {
            $0.luns[0].device = "scsi-hd"
            $0.know(.lun("vd0"), [.isReadOnly: false, .adapter: "lsi53c895a"])
        },
        RuleCase("emulated-disk-controller", "virtio-scsi", .healthy, load: .busy) {
            $0.luns[0].device = "scsi-hd"
            $0.know(.lun("vd0"), [.adapter: "virtio-scsi-pci"])
        },
        RuleCase("emulated-disk-controller", "nvme", .flagged(.advice, ["nvme"]), load: .busy) {
            $0.luns[0].device = "nvme"
            $0.know(.lun("vd0"), [.isReadOnly: false, .ioeventfd: false])
        },
        RuleCase("emulated-disk-controller", "nvme with ioeventfd", .healthy, load: .busy) {
            $0.luns[0].device = "nvme"
            $0.know(.lun("vd0"), [.ioeventfd: true])
        },
        RuleCase("emulated-disk-controller", "a CD-ROM", .notApplicable, load: .busy) {
            $0.luns[0].device = "ide-cd"
        },
        RuleCase("emulated-disk-controller", "read-only", .notApplicable, load: .busy) {
            $0.luns[0].device = "ide-hd"
            $0.know(.lun("vd0"), [.isReadOnly: true])
        },
        RuleCase("emulated-disk-controller", "an adapter not known", .notChecked("adapter")) {
            $0.luns[0].device = "scsi-hd"
        },

        RuleCase("virtio-scsi-hot-lun", "virtio-blk", .notApplicable) { _ in },
        RuleCase(
            "virtio-scsi-hot-lun", "two LUNs of one controller",
            .flagged(.info, ["2 LUNs", "80000", "IOThread io0", "7.2"])
        ) { $0.twoSCSI(rate: 40_000) },
        RuleCase("virtio-scsi-hot-lun", "right below", .healthy) { $0.twoSCSI(rate: 39_999) },
        RuleCase("virtio-scsi-hot-lun", "stands", .flagged(.info, ["64000"]), isStanding: true) {
            $0.twoSCSI(rate: 32_000)
        },
        RuleCase("virtio-scsi-hot-lun", "10.0", .healthy) {
            $0.twoSCSI(rate: 50_000)
            $0.vms[0].version = "10.0.2"
        },
        RuleCase("virtio-scsi-hot-lun", "10.0, main loop", .flagged(.info, ["main loop"])) {
            $0.twoSCSI(rate: 50_000)
            $0.vms[0].version = "10.0.2"
            $0.luns[0].isOnMainLoop = true
        },
        RuleCase("virtio-scsi-hot-lun", "mapped", .healthy) {
            $0.twoSCSI(rate: 50_000)
            $0.luns[0].ioThread = "io0,io1"
        },
        RuleCase("virtio-scsi-hot-lun", "no rates", .notChecked("iops")) {
            $0.twoSCSI(rate: 0)
            $0.luns[0].rates.iops = nil
        },

        RuleCase("virtio-blk-scsi-on", "off", .healthy) {
            $0.know(.lun("vd0"), [.scsiPassthrough: false])
        },
        RuleCase("virtio-blk-scsi-on", "on", .flagged(.warning, ["scsi=on"])) {
            $0.know(.lun("vd0"), [.scsiPassthrough: true])
        },
        RuleCase("virtio-blk-scsi-on", "not virtio-blk", .notApplicable) {
            $0.luns[0].device = "scsi-hd"
        },
        RuleCase("virtio-blk-scsi-on", "not asked", .notChecked("no such property")) {
            $0.lack(.lun("vd0"), .scsiPassthrough, "no such property")
        },
    ]

    private static let errors: [RuleCase] = [
        RuleCase("error-policy-unsafe", "the default", .healthy) {
            $0.know(.lun("vd0"), [.rerror: "auto", .werror: "auto"])
        },
        RuleCase("error-policy-unsafe", "writes ignored", .flagged(.critical, ["werror=ignore"])) {
            $0.know(.lun("vd0"), [.rerror: "report", .werror: "ignore"])
        },
        RuleCase("error-policy-unsafe", "reads ignored", .flagged(.critical, ["rerror=ignore"])) {
            $0.know(.lun("vd0"), [.rerror: "ignore"])
            $0.lack(.lun("vd0"), .werror, "denied")
        },
        RuleCase("error-policy-unsafe", "thin", .flagged(.advice, ["94 GiB", "100 GiB"])) {
            $0.know(
                .lun("vd0"),
                [
                    .rerror: "report", .werror: "report", .isDevice: false,
                    .fileSize: .count(100 << 30), .fileAllocated: .count(94 << 30),
                ])
        },
        RuleCase("error-policy-unsafe", "allocated, reported", .healthy) {
            $0.know(
                .lun("vd0"),
                [
                    .rerror: "report", .werror: "report", .isDevice: false,
                    .fileSize: .count(100 << 30), .fileAllocated: .count(95 << 30),
                ])
        },
        RuleCase("error-policy-unsafe", "a device, reported", .healthy) {
            $0.know(.lun("vd0"), [.rerror: "report", .werror: "report", .isDevice: true])
        },
        RuleCase("error-policy-unsafe", "stop, watched", .healthy) {
            $0.know(.lun("vd0"), [.rerror: "report", .werror: "stop"])
            $0.know(.vm, [.isLibvirt: true])
        },
        RuleCase("error-policy-unsafe", "stop, alone", .flagged(.info, ["not started by"])) {
            $0.know(.lun("vd0"), [.rerror: "report", .werror: "stop"])
            $0.know(.vm, [.isLibvirt: false])
        },
        RuleCase("error-policy-unsafe", "not asked", .notChecked("denied")) {
            $0.lack(.lun("vd0"), .rerror, "denied")
        },

        RuleCase("lun-errors", "none", .healthy) {
            $0.know(.lun("vd0"), [.failedOperations: 0, .invalidOperations: 0, .ioStatus: "ok"])
        },
        RuleCase("lun-errors", "full", .flagged(.critical, ["nospace"])) {
            $0.know(.lun("vd0"), [.ioStatus: "nospace"])
        },
        RuleCase("lun-errors", "failing", .flagged(.critical, ["3 requests a second"])) {
            $0.luns[0].rates.errors = 3
            $0.know(.lun("vd0"), [.failedOperations: 30, .invalidOperations: 0])
        },
        RuleCase("lun-errors", "failed once", .flagged(.info, ["30 requests failed"])) {
            $0.luns[0].rates.errors = 0
            $0.know(.lun("vd0"), [.failedOperations: 30, .invalidOperations: 0])
        },
        RuleCase("lun-errors", "invalid once", .flagged(.info, ["1 were invalid"])) {
            $0.know(.lun("vd0"), [.failedOperations: 0, .invalidOperations: 1])
        },
        RuleCase("lun-errors", "invalid", .flagged(.warning, ["2 requests a second are invalid"])) {
            $0.luns[0].rates.errors = 2
            $0.know(.lun("vd0"), [.failedOperations: 0, .invalidOperations: 7])
        },
        RuleCase("lun-errors", "failing, not counted yet", .flagged(.critical, ["fail"])) {
            $0.luns[0].rates.errors = 2
            $0.know(.lun("vd0"), [.failedOperations: 0, .invalidOperations: 0])
        },
        RuleCase("lun-errors", "discards only", .flagged(.info, ["5 discards"])) {
            $0.luns[0].rates.errors = 1
            $0.know(
                .lun("vd0"), [.failedOperations: 5, .invalidOperations: 0, .failedDiscards: 5])
        },
        RuleCase("lun-errors", "not only discards", .flagged(.critical, [])) {
            $0.luns[0].rates.errors = 1
            $0.know(
                .lun("vd0"), [.failedOperations: 6, .invalidOperations: 0, .failedDiscards: 5])
        },
        RuleCase("lun-errors", "the engine, well", .healthy) {
            $0.vms[0].accelerator = .embedded
            $0.luns[0].rates.errors = 0
        },
        RuleCase("lun-errors", "the engine, failing", .flagged(.critical, [])) {
            $0.vms[0].accelerator = .embedded
            $0.luns[0].rates.errors = 2
        },
        RuleCase("lun-errors", "not counted", .notChecked("failed_operations")) { _ in },
    ]

    private static let blocks: [RuleCase] = [
        RuleCase("block-size-mismatch", "the same", .healthy) {
            $0.blocks([512, 512], [512, 512])
        },
        RuleCase(
            "block-size-mismatch", "logical", .flagged(.warning, ["guest 512", "4096"]), load: .busy
        ) {
            $0.blocks([512, 512], [4096, 4096])
            $0.know(.lun("vd0"), [.isDirect: true])
        },
        RuleCase("block-size-mismatch", "logical, idle", .flagged(.advice, ["logical"])) {
            $0.blocks([512, 512], [4096, 4096])
            $0.know(.lun("vd0"), [.isDirect: true])
        },
        RuleCase(
            "block-size-mismatch", "logical, page cache", .flagged(.advice, ["physical"]),
            load: .busy
        ) {
            $0.blocks([512, 512], [4096, 4096])
            $0.know(.lun("vd0"), [.isDirect: false])
        },
        RuleCase(
            "block-size-mismatch", "physical", .flagged(.advice, ["physical blocks"]), load: .busy
        ) { $0.blocks([512, 512], [512, 4096]) },
        RuleCase("block-size-mismatch", "physical, idle", .flagged(.info, ["nvme0n1"])) {
            $0.blocks([512, 512], [512, 4096])
        },
        RuleCase("block-size-mismatch", "told", .healthy) { $0.blocks([512, 4096], [512, 4096]) },
        RuleCase("block-size-mismatch", "storage elsewhere", .notApplicable) {
            $0.luns[0].graph = [BlockNode(name: "d0", driver: "rbd")]
        },
        RuleCase("block-size-mismatch", "no disk", .notChecked("disk under it")) {
            $0.luns[0].hostDisk = nil
        },
    ]
}

extension Snapshot {
    /// Two disks of one virtio-scsi controller, each of `rate` requests per second.
    fileprivate mutating func twoSCSI(rate: Double) {
        luns[0].device = "scsi-hd"
        luns[0].rates.iops = rate
        luns.append(luns[0])
        luns[1].id = "sd1"
        // A third on a controller of its own does not count.
        luns.append(luns[0])
        luns[2].id = "sd2"
        for (id, adapter) in [("vd0", "scsi0"), ("sd1", "scsi0"), ("sd2", "scsi1")] {
            know(.lun(id), [.adapter: "virtio-scsi-pci", .adapterID: .text(adapter)])
        }
    }

    /// Logical and physical blocks of the guest's disk and of the host's.
    fileprivate mutating func blocks(_ guest: [Int], _ host: [Int]) {
        know(
            .lun("vd0"),
            [.guestLogicalBlock: .count(guest[0]), .guestPhysicalBlock: .count(guest[1])])
        know(
            .disk("nvme0n1"),
            [.logicalBlock: .count(host[0]), .physicalBlock: .count(host[1])])
    }
}
