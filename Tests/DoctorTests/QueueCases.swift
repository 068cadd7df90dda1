import Telemetry

@testable import Doctor

extension RuleCase {
    static let queues: [RuleCase] =
        counts + rings + vhostUser + features + notifications + transport

    private static let busy = Load(iops: 2000, depth: 4)
    private static let hot = Load(iops: 30_000, depth: 32, machineIOPS: 30_000)

    private static let counts: [RuleCase] = [
        RuleCase("num-queues-one-on-smp", "busy", .flagged(.advice, ["4 vCPUs"]), load: busy) {
            $0.luns[0].queues = 1
        },
        RuleCase("num-queues-one-on-smp", "idle", .flagged(.info, ["1 queue"])) {
            $0.luns[0].queues = 1
        },
        RuleCase("num-queues-one-on-smp", "hot", .flagged(.warning, ["30000 IOPS"]), load: hot) {
            $0.luns[0].queues = 1
        },
        RuleCase("num-queues-one-on-smp", "four queues", .healthy, load: hot) { _ in },
        RuleCase("num-queues-one-on-smp", "three vCPUs", .healthy, load: hot) {
            $0.luns[0].queues = 1
            $0.vms[0].vcpus = 3
        },
        RuleCase("num-queues-one-on-smp", "a spinning disk", .notApplicable, load: hot) {
            $0.luns[0].queues = 1
            $0.host.disks[0].isRotational = true
        },
        RuleCase("num-queues-one-on-smp", "an old guest", .notApplicable, load: hot) {
            $0.luns[0].queues = 1
            $0.know(.guest, [.guestKernel: "3.10.0-1160.el7.x86_64"])
        },
        RuleCase("num-queues-one-on-smp", "an IDE disk", .notApplicable) {
            $0.luns[0].device = "ide-hd"
            $0.luns[0].queues = nil
        },
        RuleCase("num-queues-one-on-smp", "not told yet", .notChecked("queues")) {
            $0.luns[0].queues = nil
        },
        RuleCase(
            "num-queues-exceeds-vcpus", "busy", .flagged(.advice, ["8", "4 vCPUs"]), load: busy
        ) { $0.luns[0].queues = 8 },
        RuleCase("num-queues-exceeds-vcpus", "idle", .flagged(.info, ["8 queues"])) {
            $0.luns[0].queues = 8
        },
        RuleCase(
            "num-queues-exceeds-vcpus", "an old guest", .flagged(.warning, ["Linux 4.19"]),
            load: busy
        ) {
            $0.luns[0].queues = 8
            $0.know(.guest, [.guestKernel: "4.19.0-27-amd64"])
        },
        RuleCase("num-queues-exceeds-vcpus", "as many", .healthy, load: busy) { _ in },
        RuleCase("num-queues-exceeds-vcpus", "a SCSI disk", .notApplicable) {
            $0.luns[0].device = "scsi-hd"
        },
        RuleCase("num-queues-exceeds-vcpus", "vCPUs unknown", .notChecked("vcpus")) {
            $0.vms[0].vcpus = nil
        },
    ]

    private static let rings: [RuleCase] = [
        RuleCase("queue-ring-full", "one of four", .flagged(.warning, ["queue 2", "244 of 256"])) {
            $0.queue(inFlight: [3, 0, 244, 1])
        },
        RuleCase("queue-ring-full", "nearly", .healthy) { $0.queue(inFlight: [3, 0, 243, 1]) },
        RuleCase(
            "queue-ring-full", "without indirect descriptors", .flagged(.warning, ["81 of 85"])
        ) {
            $0.queue(inFlight: [81, 0, 0, 0])
            $0.luns[0].features = ["VIRTIO_RING_F_EVENT_IDX"]
        },
        RuleCase("queue-ring-full", "indirect descriptors off", .flagged(.warning, ["81 of 85"])) {
            $0.queue(inFlight: [81, 0, 0, 0])
            $0.know(.lun("vd0"), [.indirectDescriptors: false])
        },
        RuleCase("queue-ring-full", "by the mean", .flagged(.warning, ["250 of 256"])) {
            $0.luns[0].queues = 1
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 250)
        },
        RuleCase("queue-ring-full", "nearly by the mean", .flagged(.advice, ["13 of 16", "80 %"])) {
            $0.luns[0].queues = 1
            $0.luns[0].queueSize = 16
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 13)
        },
        RuleCase("queue-ring-full", "room by the mean", .healthy) {
            $0.luns[0].queues = 1
            $0.luns[0].queueSize = 16
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 12)
        },
        RuleCase("queue-ring-full", "one queue could not", .healthy) {
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 242)
        },
        RuleCase("queue-ring-full", "one queue could", .notChecked("queue_depth.now")) {
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 300)
        },
        RuleCase("queue-ring-full", "no entries", .notChecked("queue_size")) {
            $0.luns[0].queueSize = 0
            $0.luns[0].rates.queueDepth = QueueDepth(now: nil, mean: 0)
        },
        RuleCase("queue-ring-full", "numbers from nowhere", .flagged(.warning, ["of 1024"])) {
            $0.luns[0].queueSize = 1024
            $0.luns[0].queues = .max
            $0.queue(inFlight: [1024])
        },
        RuleCase("queue-ring-full", "no depth", .notChecked("queue_depth")) { _ in },
        RuleCase("queue-ring-full", "the engine's", .flagged(.warning, ["full for 10 %"])) {
            $0.embed(full: 10)
        },
        RuleCase("queue-ring-full", "the engine's, hardly", .healthy) { $0.embed(full: 9) },
        RuleCase(
            "queue-ring-full", "short for large requests", .flagged(.advice, ["512 KiB"]),
            load: busy
        ) {
            $0.luns[0].queueSize = 128
            $0.luns[0].rates.reads = 100
            $0.luns[0].rates.readBytes = 100 * 524_288
        },
        RuleCase(
            "queue-ring-full", "short, and idle", .flagged(.info, ["limit 128"])
        ) {
            $0.luns[0].queueSize = 128
            $0.luns[0].rates.reads = 1
            $0.luns[0].rates.readBytes = 524_288
        },
        RuleCase(
            "queue-ring-full", "short for the depth", .flagged(.advice, ["depth of 64"]),
            load: Load(iops: 9000, depth: 64)
        ) {
            $0.luns[0].queueSize = 128
            $0.queue(inFlight: [16, 16, 16, 16])
        },
        RuleCase(
            "queue-ring-full", "short and enough", .healthy, load: Load(iops: 9000, depth: 63)
        ) {
            $0.luns[0].queueSize = 128
            $0.queue(inFlight: [16, 16, 16, 16])
        },
        RuleCase("queue-ring-full", "long enough for large requests", .healthy, load: busy) {
            $0.luns[0].rates.reads = 100
            $0.luns[0].rates.readBytes = 100 * 524_288
            $0.queue(inFlight: [1, 1, 1, 1])
        },
        RuleCase("queue-ring-full", "short for less", .healthy, load: busy) {
            $0.luns[0].queueSize = 128
            $0.luns[0].rates.reads = 100
            $0.luns[0].rates.readBytes = 100 * 524_000
            $0.queue(inFlight: [1, 1, 1, 1])
        },
        RuleCase("queue-ring-full", "few segments", .flagged(.advice, ["126 segments"]), load: busy)
        { $0.know(.lun("vd0"), [.segMaxAdjust: false]) },
        RuleCase("queue-ring-full", "few segments on a short ring", .healthy, load: busy) {
            $0.know(.lun("vd0"), [.segMaxAdjust: false])
            $0.luns[0].queueSize = 128
            $0.queue(inFlight: [16, 16, 16, 16])
        },
        RuleCase("queue-ring-full", "an IDE disk", .notApplicable) { $0.luns[0].device = "ide-hd" },
    ]

    private static let vhostUser: [RuleCase] = [
        RuleCase("vhost-user-blk-memory", "all well", .healthy) { $0.vhost(page: 2 << 20) },
        RuleCase("vhost-user-blk-memory", "private RAM", .flagged(.warning, ["share=off"])) {
            $0.vhost(page: 2 << 20, isShared: false)
        },
        RuleCase("vhost-user-blk-memory", "small pages", .flagged(.advice, ["4 KiB"])) {
            $0.vhost(page: 4096)
        },
        RuleCase("vhost-user-blk-memory", "one queue", .flagged(.warning, ["1 queue"])) {
            $0.vhost(page: 2 << 20)
            $0.luns[0].queues = 1
        },
        RuleCase("vhost-user-blk-memory", "QEMU's own", .notApplicable) { _ in },
        RuleCase("vhost-user-blk-memory", "RAM unknown", .notChecked("memory_is_shared")) {
            $0.luns[0].device = "vhost-user-blk-pci"
        },
    ]

    private static let features: [RuleCase] = [
        RuleCase("ring-features-off", "all on", .healthy, load: hot) {
            $0.properties(packed: true)
        },
        RuleCase(
            "ring-features-off", "event_idx off", .flagged(.advice, ["event_idx=off"]), load: busy
        ) { $0.properties(eventIndex: false) },
        RuleCase(
            "ring-features-off", "indirect_desc off", .flagged(.advice, ["indirect_desc=off"]),
            load: busy
        ) { $0.properties(indirect: false) },
        RuleCase("ring-features-off", "off and idle", .flagged(.info, ["event_idx=off"])) {
            $0.properties(eventIndex: false)
        },
        RuleCase(
            "ring-features-off", "not taken",
            .flagged(.info, ["not taken", "VIRTIO_RING_F_EVENT_IDX"]), load: busy
        ) { $0.negotiate(["VIRTIO_F_VERSION_1"]) },
        RuleCase("ring-features-off", "the firmware's driver", .healthy, load: busy) {
            $0.negotiate(["VIRTIO_F_VERSION_1"])
            $0.know(.vm, [.sinceReset: 20])
        },
        RuleCase("ring-features-off", "others not taken", .healthy, load: busy) {
            $0.negotiate([
                "VIRTIO_F_VERSION_1", "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC",
            ])
        },
        RuleCase(
            "ring-features-off", "no merging", .flagged(.info, ["request-merging=off", "8 KiB"]),
            load: busy
        ) {
            $0.properties()
            $0.know(.lun("vd0"), [.requestMerging: false])
            $0.luns[0].rates.reads = 2000
            $0.luns[0].rates.readBytes = 2000 * 8192
        },
        RuleCase("ring-features-off", "no merging of larger ones", .healthy, load: busy) {
            $0.properties()
            $0.know(.lun("vd0"), [.requestMerging: false])
            $0.luns[0].rates.reads = 2000
            $0.luns[0].rates.readBytes = 2000 * 16_384
        },
        RuleCase("ring-features-off", "split and hot", .flagged(.info, ["packed=off"]), load: hot) {
            $0.properties(packed: false)
        },
        RuleCase("ring-features-off", "split and busy", .healthy, load: busy) {
            $0.properties(packed: false)
        },
        RuleCase("ring-features-off", "vhost", .notApplicable) {
            $0.luns[0].device = "vhost-user-blk-pci"
        },
        RuleCase("ring-features-off", "not asked", .notChecked("event_idx")) { _ in },
    ]

    private static let notifications: [RuleCase] = [
        RuleCase("ioeventfd-off", "on", .healthy) { $0.know(.lun("vd0"), [.ioeventfd: true]) },
        RuleCase("ioeventfd-off", "off", .flagged(.warning, ["ioeventfd=off"]), load: busy) {
            $0.know(.lun("vd0"), [.ioeventfd: false])
        },
        RuleCase("ioeventfd-off", "off and idle", .flagged(.advice, ["ioeventfd=off"])) {
            $0.know(.lun("vd0"), [.ioeventfd: false])
        },
        RuleCase("ioeventfd-off", "TCG", .flagged(.info, ["without KVM"]), load: busy) {
            $0.vms[0].accelerator = .tcg
            $0.know(.lun("vd0"), [.ioeventfd: false])
        },
        RuleCase("ioeventfd-off", "an IDE disk", .notApplicable) { $0.luns[0].device = "ide-hd" },
        RuleCase("ioeventfd-off", "refused", .notChecked("no such property")) {
            $0.lack(.lun("vd0"), .ioeventfd, "no such property")
        },
        RuleCase("ioeventfd-off", "accelerator unknown", .notChecked("query-kvm")) {
            $0.vms[0].accelerator = nil
            $0.know(.lun("vd0"), [.ioeventfd: false])
        },
        RuleCase("msix-missing", "enough", .healthy) { $0.know(.lun("vd0"), [.vectors: 5]) },
        RuleCase("msix-missing", "none", .flagged(.warning, ["vectors=0", "5"]), load: busy) {
            $0.know(.lun("vd0"), [.vectors: 0])
        },
        RuleCase("msix-missing", "too few", .flagged(.warning, ["vectors=4", "5"]), load: busy) {
            $0.know(.lun("vd0"), [.vectors: 4])
        },
        RuleCase("msix-missing", "none and idle", .flagged(.advice, ["vectors=0"])) {
            $0.know(.lun("vd0"), [.vectors: 0])
        },
        RuleCase("msix-missing", "two for one queue", .healthy) {
            $0.luns[0].queues = 1
            $0.know(.lun("vd0"), [.vectors: 2])
        },
        RuleCase("msix-missing", "a number from nowhere", .flagged(.advice, ["65536 wanted"])) {
            $0.luns[0].queues = .max
            $0.know(.lun("vd0"), [.vectors: 4])
        },
        RuleCase("msix-missing", "channel I/O", .notApplicable) {
            $0.luns[0].device = "virtio-blk-ccw"
        },
        RuleCase("msix-missing", "not asked", .notChecked("vectors")) { _ in },
    ]

    private static let transport: [RuleCase] = [
        RuleCase("virtio-legacy-transport", "modern", .healthy) {
            $0.luns[0].features = ["VIRTIO_F_VERSION_1"]
        },
        RuleCase("virtio-legacy-transport", "a minute after", .flagged(.info, ["VERSION_1"])) {
            $0.luns[0].features = ["VIRTIO_BLK_F_SEG_MAX"]
            $0.know(.vm, [.sinceReset: 60])
        },
        RuleCase(
            "virtio-legacy-transport", "an old driver",
            .flagged(.advice, ["VERSION_1", "pc-i440fx-2.5"]), load: busy
        ) {
            $0.luns[0].features = ["VIRTIO_BLK_F_SEG_MAX"]
            $0.know(.vm, [.machineType: "pc-i440fx-2.5"])
        },
        RuleCase("virtio-legacy-transport", "idle", .flagged(.info, ["VERSION_1"])) {
            $0.luns[0].features = ["VIRTIO_BLK_F_SEG_MAX"]
        },
        RuleCase(
            "virtio-legacy-transport", "by setting", .flagged(.advice, ["disable-modern=on"]),
            load: busy
        ) { $0.know(.lun("vd0"), [.disableModern: true]) },
        RuleCase("virtio-legacy-transport", "a guest that cannot", .notApplicable, load: busy) {
            $0.luns[0].features = ["VIRTIO_BLK_F_SEG_MAX"]
            $0.know(.guest, [.guestKernel: "2.6.32-754.el6.x86_64"])
        },
        RuleCase("virtio-legacy-transport", "vhost", .notApplicable) {
            $0.luns[0].device = "vhost-user-blk-pci"
        },
        RuleCase("virtio-legacy-transport", "no driver yet", .notChecked("features")) { _ in },
        RuleCase("virtio-legacy-transport", "the firmware's driver", .notChecked("features")) {
            $0.luns[0].features = ["VIRTIO_BLK_F_SEG_MAX"]
            $0.know(.vm, [.sinceReset: 59])
        },
    ]
}

extension Snapshot {
    /// So many requests in flight in each queue.
    fileprivate mutating func queue(inFlight: [Int]) {
        luns[0].virtqueues = inFlight.enumerated().map { index, count in
            Virtqueue(
                index: index, size: luns[0].queueSize ?? 256, availIndex: UInt16(count),
                usedIndex: 0, inFlight: count)
        }
        luns[0].rates.queueDepth = QueueDepth(
            now: nil, mean: Double(inFlight.reduce(0, +)))
    }

    /// The embedded engine, whose driver finds no room for such a percentage of the time.
    fileprivate mutating func embed(full: Double) {
        vms[0].accelerator = .embedded
        luns[0].device = "virtio-blk (embedded)"
        luns[0].queues = 1
        luns[0].virtqueues = [
            Virtqueue(index: 0, size: 32, availIndex: 9, usedIndex: 0, inFlight: 9)
        ]
        luns[0].virtqueues[0].fullPercent = full
    }

    fileprivate mutating func vhost(page: Int, isShared: Bool = true) {
        luns[0].device = "vhost-user-blk-pci"
        know(.vm, [.memoryIsShared: .flag(isShared), .memoryPage: .count(page)])
    }

    fileprivate mutating func properties(
        eventIndex: Bool = true, indirect: Bool = true, packed: Bool = false
    ) {
        know(
            .lun("vd0"),
            [
                .eventIndex: .flag(eventIndex), .indirectDescriptors: .flag(indirect),
                .packed: .flag(packed), .requestMerging: true,
            ])
    }

    /// The driver took `features` of those a device offers.
    fileprivate mutating func negotiate(_ features: [String]) {
        properties()
        luns[0].features = features
        know(
            .lun("vd0"),
            [
                .hostFeatures: .texts([
                    "VIRTIO_F_VERSION_1", "VIRTIO_RING_F_EVENT_IDX", "VIRTIO_RING_F_INDIRECT_DESC",
                    "VIRTIO_F_NOTIFY_ON_EMPTY", "VIRTIO_F_ANY_LAYOUT",
                    "VHOST_USER_F_PROTOCOL_FEATURES",
                ])
            ])
    }
}
