import Foundation
import GuestHarness

// What can be wrong with a VM and be told without a guest that works. Settings of a LUN that is
// idle, as all are here, are told one step milder.

private let lun = "lun:disk0"

extension Misconfiguration {
    static var ofFiles: [Misconfiguration] {
        threads + caches + images + transport + queues + processors + machines + states + sound
    }

    private static let noThread = [
        "info dataplane-off \(lun)": "what cannot have an IOThread, or lost it, has none"
    ]

    private static let threads: [Misconfiguration] = [
        Misconfiguration("no IOThread", "info dataplane-off \(lun)") {
            $0.devices[0]["iothread"] = nil
            $0.objects = []
        },
        Misconfiguration("an IOThread forgotten", "warning iothread-unused vm", follows: noThread) {
            $0.devices[0]["iothread"] = nil
        },
        Misconfiguration("three IOThreads too many", "info iothread-unused vm") {
            $0.objects += (1...3).map { "iothread,id=io\($0)" }
        },
        Misconfiguration("threads without names", "info evidence-missing vblktop") {
            $0.namesThreads = false
        },
        Misconfiguration("too few descriptors", "warning process-limits-low vm") {
            // KVM takes one for each vCPU, and some for itself.
            let most = $0.isKVM ? 30 : 24
            $0.wrapper = ["prlimit", "--nofile=\(most):\(most)"]
        },
    ]

    private static let caches: [Misconfiguration] = [
        Misconfiguration("flushes ignored", "critical cache-unsafe \(lun)") {
            $0.nodes[0]["cache.no-flush"] = "on"
        },
        Misconfiguration("sparse under native AIO", "info aio-native-blocking-submit \(lun)") {
            try makeSparse($0.image)
        },
        Misconfiguration(
            "a full file system reported to the guest", "advice error-policy-unsafe \(lun)",
            follows: ["info aio-native-blocking-submit \(lun)": "only a sparse file can run full"]
        ) {
            try makeSparse($0.image)
            $0.devices[0]["werror"] = "report"
        },
        Misconfiguration("errors of writes ignored", "critical error-policy-unsafe \(lun)") {
            $0.devices[0]["werror"] = "ignore"
        },
        Misconfiguration("errors of reads ignored", "critical error-policy-unsafe \(lun)") {
            $0.devices[0]["rerror"] = "ignore"
        },
        Misconfiguration("stopped where nobody looks", "info error-policy-unsafe \(lun)") {
            $0.devices[0]["werror"] = "stop"
        },
        Misconfiguration(
            "blocks smaller than the disk's", unless: whyNoLargeBlocks,
            "info block-size-mismatch \(lun)"
        ) { $0.devices[0]["physical_block_size"] = nil },
    ]

    private static let whyNoLargeBlocks =
        Host.physicalBlock(under: "/var/tmp") ?? 0 > 512 ? nil : "the disk's blocks are of 512 B"

    private static let images: [Misconfiguration] = [
        Misconfiguration("five backing files", "info qcow2-chain-long \(lun)") { vm in
            var (below, format) = (vm.image, "raw")
            for layer in 1...5 {
                try vm.useImage("layer\(layer)", ["-b", below, "-F", format])
                (below, format) = ("\(vm.folder)/layer\(layer)", "qcow2")
            }
        },
        Misconfiguration("qcow2 of old", "info qcow2-layout \(lun)") {
            try $0.useImage("old", ["-o", "compat=0.10"], size: "1G")
        },
        Misconfiguration("small clusters", "info qcow2-layout \(lun)") {
            try $0.useImage("small", ["-o", "cluster_size=4k"], size: "64M")
        },
        Misconfiguration("snapshots inside", "info qcow2-layout \(lun)") { vm in
            try vm.useImage("full", [], size: "1G")
            for name in ["a", "b", "c"] {
                try Host.run(["qemu-img", "snapshot", "-c", name, "\(vm.folder)/full"])
            }
        },
        Misconfiguration("tables that do not fit", "advice qcow2-l2-cache-small \(lun)") {
            try $0.useImage("large", [], size: "4G")
            $0.nodes[0]["l2-cache-size"] = "65536"
        },
        Misconfiguration("copies of what is nowhere", "info qcow2-layout \(lun)") {
            try $0.useImage("alone", [], size: "1G")
            $0.nodes.append(
                DeviceOptions("copy-on-read", ["node-name": "copying", "file": "node0"]))
            $0.devices[0]["drive"] = "copying"
        },
    ]

    private static let transport: [Misconfiguration] = [
        Misconfiguration(
            "kicks handled in the vCPU", needsKVM: true, "advice ioeventfd-off \(lun)",
            follows: noThread
        ) {
            $0.devices[0]["iothread"] = nil
            $0.objects = []
            $0.devices[0]["ioeventfd"] = "off"
        },
        Misconfiguration("no vectors", "advice msix-missing \(lun)") {
            $0.devices[0]["vectors"] = "0"
        },
        Misconfiguration("too few vectors", "advice msix-missing \(lun)") {
            $0.devices[0]["vectors"] = "2"
        },
        Misconfiguration("an emulated disk", "info emulated-disk-controller \(lun)") {
            $0.devices[0].driver = "ide-hd"
            $0.devices[0]["bus"] = "ide.0"
            $0.devices[0]["iothread"] = nil
        },
        Misconfiguration("an emulated adapter", "info emulated-disk-controller \(lun)") {
            $0.devices[0].driver = "scsi-hd"
            $0.devices[0]["bus"] = "lsi.0"
            $0.devices[0]["iothread"] = nil
            $0.devices.insert(DeviceOptions("lsi53c895a", ["id": "lsi"]), at: 0)
        },
        Misconfiguration(
            "SCSI commands to the disk", "warning virtio-blk-scsi-on \(lun)",
            follows: ["info virtio-legacy-transport \(lun)": "virtio 1.0 has no such commands"]
        ) {
            $0.devices[0]["scsi"] = "on"
            $0.devices[0]["disable-modern"] = "on"
            $0.devices[0]["disable-legacy"] = "off"
        },
        Misconfiguration("legacy virtio", "info virtio-legacy-transport \(lun)") {
            $0.devices[0]["disable-modern"] = "on"
            $0.devices[0]["disable-legacy"] = "off"
        },
        Misconfiguration("two disks in a slot", "info lun-not-hotpluggable vm") { vm in
            try Host.allocate(vm.folder + "/disk1.raw", bytes: ExaminedVM.imageBytes)
            // Of a root bus: behind a port only firmware that works gives addresses.
            vm.machine = "pc"
            vm.ports = []
            vm.devices[0]["bus"] = "pci.0"
            vm.devices[0]["addr"] = "5.0"
            vm.devices[0]["multifunction"] = "on"
            var (node, device) = (vm.nodes[0], vm.devices[0])
            node["node-name"] = "node1"
            node["file.filename"] = vm.folder + "/disk1.raw"
            (device["id"], device["drive"], device["addr"]) = ("disk1", "node1", "5.1")
            vm.nodes.append(node)
            vm.devices.append(device)
        },
        Misconfiguration("a disk on the root bus", "info lun-not-hotpluggable vm") {
            $0.devices[0]["bus"] = "pcie.0"
        },
    ]

    private static let queues: [Misconfiguration] = [
        Misconfiguration("no event indices", "info ring-features-off \(lun)") {
            $0.devices[0]["event_idx"] = "off"
        },
        Misconfiguration("no indirect descriptors", "info ring-features-off \(lun)") {
            $0.devices[0]["indirect_desc"] = "off"
        },
        Misconfiguration("few segments", "info queue-ring-full \(lun)") {
            $0.devices[0]["seg-max-adjust"] = "off"
        },
        Misconfiguration("more queues than vCPUs", "info num-queues-exceeds-vcpus \(lun)") {
            $0.devices[0]["num-queues"] = "8"
        },
    ]
}

// MARK: The machine

extension Misconfiguration {
    private static let processors: [Misconfiguration] = [
        Misconfiguration("a CPU of long ago", needsKVM: true, "warning cpu-model-generic vm") {
            $0.processor = "qemu64"
        },
        Misconfiguration(
            "no x2APIC", needsKVM: true,
            "\(Host.hasAPICVirtualization ? "info" : "advice") x2apic-off vm"
        ) { $0.processor = "host,-arch-capabilities,-x2apic" },
        Misconfiguration(
            "no KVM", needsKVM: true, "critical accel-not-kvm vm",
            follows: [
                "warning guest-clocksource-slow guest": "without KVM no clock is quick"
            ]
        ) { $0.isKVM = false },
    ]

    private static let machines: [Misconfiguration] = [
        Misconfiguration(
            "a machine of 2015", "advice machine-type-old vm",
            follows: noThread.merging([
                "warning virtio-blk-scsi-on \(lun)": "on by default in it",
                "info virtio-legacy-transport \(lun)": "without virtio 1.0 by default",
            ]) { $1 }
        ) {
            $0.machine = "pc-i440fx-2.4"
            $0.ports = []
            $0.devices[0]["bus"] = "pci.0"
            // What scsi=on rules out.
            $0.devices[0]["iothread"] = nil
            $0.objects = []
        },
        Misconfiguration(
            "interrupts emulated", needsKVM: true, "warning kernel-irqchip-userspace vm",
            follows: [
                "\(Host.hasAPICVirtualization ? "info" : "advice") x2apic-off vm":
                    "only KVM's own APIC has an x2APIC mode"
            ]
        ) {
            $0.machine = "q35,kernel-irqchip=off"
            // KVM refuses it without its own APIC.
            $0.processor = "host,-arch-capabilities,-kvm-asyncpf-int"
        },
        Misconfiguration(
            "half of the interrupts emulated", needsKVM: true, "info kernel-irqchip-userspace vm"
        ) { $0.machine = "q35,kernel-irqchip=split" },
    ]

    private static let states: [Misconfiguration] = [
        Misconfiguration("paused for a minute", watch: 64, "info vm-paused vm"),
        Misconfiguration(
            "a monitor in use", "warning qmp-monopolised vblktop",
            follows: ["info evidence-missing vblktop": "nothing that QEMU knows can be asked"]
        ).acting { vm, _ in try TestQMP(path: vm.monitor) },
        Misconfiguration("a mirror at work", "info block-job-active \(lun)").acting { _, qmp in
            try qmp.execute(
                "blockdev-add",
                [
                    "driver": "null-co", "node-name": "copy",
                    "size": .integer(Int64(ExaminedVM.imageBytes)),
                ])
            try qmp.execute(
                "blockdev-mirror",
                [
                    "job-id": "mirror", "device": "node0", "target": "copy", "sync": "full",
                    "speed": 1,
                ])
            return nil
        },
        Misconfiguration("a migration at work", "info migration-active vm").acting { _, qmp in
            try qmp.execute("migrate-set-parameters", ["max-bandwidth": 4096])
            try qmp.execute("migrate", ["uri": "exec:cat > /dev/null"])
            return nil
        },
    ]

    /// Other ways to be right, of which nothing may be said while nothing is at work.
    private static let sound: [Misconfiguration] = [
        Misconfiguration("io_uring", unless: Host.whyNoIOUring) {
            $0.nodes[0]["file.aio"] = "io_uring"
        },
        Misconfiguration("write-through") { $0.devices[0]["write-cache"] = "off" },
        Misconfiguration("zeroes looked for") { $0.nodes[0]["detect-zeroes"] = "unmap" },
        Misconfiguration("discards ignored") {
            $0.nodes[0]["discard"] = "ignore"
            $0.nodes[0]["file.discard"] = "ignore"
        },
        Misconfiguration("a short ring") { $0.devices[0]["queue-size"] = "16" },
        Misconfiguration("qcow2") { try $0.useImage("new", [], size: "1G") },
        Misconfiguration("through the page cache") {
            $0.nodes[0]["cache.direct"] = nil
            $0.nodes[0]["file.cache.direct"] = nil
            $0.nodes[0]["file.aio"] = "threads"
        },
        Misconfiguration("virtio-scsi") {
            $0.devices[0].driver = "scsi-hd"
            $0.devices[0]["bus"] = "scsi.0"
            $0.devices[0]["iothread"] = nil
            $0.devices.insert(
                DeviceOptions(
                    "virtio-scsi-pci", ["id": "scsi", "bus": "rp0", "iothread": "io0"]), at: 0)
        },
        Misconfiguration("a throttle node far from its limit") {
            $0.objects.append("throttle-group,id=slow,x-iops-total=500")
            $0.nodes.append(
                DeviceOptions(
                    "throttle", ["node-name": "gate", "throttle-group": "slow", "file": "node0"]))
            $0.devices[0]["drive"] = "gate"
        },
        Misconfiguration("a throttled drive far from its limit") {
            $0.nodes = []
            $0.arguments += [
                "-drive",
                "if=none,id=node0,format=raw,file=\($0.image),cache=none,aio=native,"
                    + "discard=unmap,throttling.iops-total=500",
            ]
        },
    ]

    private static func makeSparse(_ path: String) throws {
        try Host.run([
            "fallocate", "--punch-hole", "--offset=0", "--length=\(ExaminedVM.imageBytes)", path,
        ])
    }
}

// MARK: The disk below, and work

extension Misconfiguration {
    static let ofLoops: [Misconfiguration] = [
        Misconfiguration("threads", on: .loop, "info aio-threads-on-direct-lun \(lun)") {
            $0.nodes[0]["file.aio"] = "threads"
        },
        Misconfiguration("one queue", on: .loop, "info num-queues-one-on-smp \(lun)") {
            $0.devices[0]["num-queues"] = "1"
        },
        Misconfiguration(
            "a scheduler on the loop device", on: .loop,
            "advice host-iosched-stacked-path disk:loop"
        ) { try $0.useLoop(scheduler: "mq-deadline") },
        Misconfiguration(
            "sectors of 4 KiB below those of 512 B", on: .loop, "advice block-size-mismatch \(lun)"
        ) { try $0.useLoop(sectorBytes: 4096) },
        Misconfiguration("sectors of 4 KiB", on: .loop) {
            try $0.useLoop(sectorBytes: 4096)
            $0.devices[0]["logical_block_size"] = "4096"
        },
    ]

    static let atWork: [Misconfiguration] = [
        Misconfiguration(
            "reads that fail", on: .firmware, "info lun-errors \(lun)", change: failReads
        ).acting { _, qmp in
            try qmp.event("BLOCK_IO_ERROR")
            return nil
        },
        Misconfiguration(
            "reads that fail and stop the VM", on: .firmware, "critical vm-paused vm",
            follows: [
                "critical lun-errors \(lun)": "it is what stopped the VM",
                "info error-policy-unsafe \(lun)": "the policy that stops it",
            ]
        ) {
            failReads(&$0)
            $0.devices[0]["rerror"] = "stop"
        }.acting { _, qmp in
            try qmp.event("STOP")
            return nil
        },
    ]

    @Sendable private static func failReads(_ vm: inout ExaminedVM) {
        vm.nodes[0]["file.driver"] = "blkdebug"
        vm.nodes[0]["file.inject-error.0.event"] = "read_aio"
        vm.nodes[0]["file.image.driver"] = "file"
        vm.nodes[0]["file.image.filename"] = vm.image
        vm.nodes[0]["file.image.cache.direct"] = "on"
        for key in ["file.filename", "file.aio", "file.cache.direct", "file.discard"] {
            vm.nodes[0][key] = nil
        }
    }
}
