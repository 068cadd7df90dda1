import Telemetry

@testable import Doctor

extension RuleCase {
    static let memory: [RuleCase] = guestMemory + hugePages + swapped + limits + nodes

    private static let guestMemory: [RuleCase] = [
        RuleCase("guest-memory-pressure", "enough", .healthy) {
            $0.know(.vm, [.guestSwapRate: 99, .guestMemoryAvailable: 5])
        },
        RuleCase("guest-memory-pressure", "balloon", .flagged(.info, ["7 GiB", "90 %"])) {
            $0.know(.vm, [.balloon: .count(7 << 30)])
        },
        RuleCase("guest-memory-pressure", "swapping", .flagged(.advice, ["100 pages/s"])) {
            $0.know(.vm, [.guestSwapRate: 100])
        },
        RuleCase("guest-memory-pressure", "little left", .flagged(.advice, ["4.9 %"])) {
            $0.know(.vm, [.guestMemoryAvailable: 4.9])
        },
        RuleCase("guest-memory-pressure", "both", .flagged(.warning, ["balloon", "swaps"])) {
            $0.know(.vm, [.balloon: .count(4 << 30), .guestSwapRate: 300])
        },
        RuleCase("guest-memory-pressure", "90 % is enough", .healthy) {
            $0.vms[0].memoryBytes = 1000
            $0.know(.vm, [.balloon: 900, .guestMemoryAvailable: 50])
        },
        RuleCase("guest-memory-pressure", "a balloon that tells nothing", .notChecked("DeviceNot"))
        {
            $0.know(.vm, [.balloon: .count(8 << 30)])
            $0.lack(.vm, .guestMemoryAvailable, "DeviceNotActive")
        },
        RuleCase("guest-memory-pressure", "no balloon", .notChecked("available")) { _ in },
    ]

    private static let hugePages: [RuleCase] = [
        RuleCase("ram-not-hugepage", "half", .healthy) {
            $0.know(.vm, [.residentMemory: .count(8 << 30), .hugePageShare: 50])
        },
        RuleCase("ram-not-hugepage", "hugetlb", .healthy) {
            $0.know(.vm, [.memoryPage: 2_097_152])
        },
        RuleCase("ram-not-hugepage", "small pages", .flagged(.advice, ["49 %", "50 %"])) {
            $0.know(.vm, [.residentMemory: .count(8 << 30), .hugePageShare: 49])
        },
        RuleCase(
            "ram-not-hugepage", "at high load", .flagged(.warning, ["8 GiB", "50000"]),
            load: Load(machineIOPS: 50_000)
        ) {
            $0.know(.vm, [.residentMemory: .count(8 << 30), .hugePageShare: 10])
        },
        RuleCase(
            "ram-not-hugepage", "at high load, but small", .flagged(.advice, []),
            load: Load(machineIOPS: 50_000)
        ) {
            $0.vms[0].memoryBytes = (8 << 30) - 1
            $0.know(.vm, [.residentMemory: .count(8 << 30), .hugePageShare: 10])
        },
        RuleCase("ram-not-hugepage", "never", .flagged(.advice, ["enabled is never"])) {
            $0.know(.vm, [.residentMemory: .count(8 << 30), .hugePageShare: 0])
            $0.know(.host, [.hugePages: "never"])
        },
        RuleCase("ram-not-hugepage", "never, shared", .flagged(.advice, ["shmem_enabled"])) {
            $0.know(
                .vm,
                [.residentMemory: .count(8 << 30), .hugePageShare: 0, .memoryIsShared: true])
            $0.know(.host, [.hugePages: "madvise", .sharedHugePages: "never"])
        },
        RuleCase("ram-not-hugepage", "hardly touched", .notApplicable) {
            $0.know(.vm, [.residentMemory: .count((4 << 30) - 1), .hugePageShare: 0])
        },
        RuleCase("ram-not-hugepage", "merged", .notApplicable) {
            $0.know(
                .vm, [.residentMemory: .count(8 << 30), .hugePageShare: 0, .memoryMerges: true])
            $0.know(.host, [.ksmRun: 1])
        },
        RuleCase("ram-not-hugepage", "KSM rests", .flagged(.advice, [])) {
            $0.know(
                .vm, [.residentMemory: .count(8 << 30), .hugePageShare: 0, .memoryMerges: true])
            $0.know(.host, [.ksmRun: 0])
        },
        RuleCase("ram-not-hugepage", "no rights", .notChecked("CAP_SYS_PTRACE")) {
            $0.lack(.vm, .residentMemory, "needs CAP_SYS_PTRACE")
        },
    ]

    private static let swapped: [RuleCase] = [
        RuleCase("qemu-swapped", "nothing", .healthy) { $0.know(.vm, [.swappedMemory: 0]) },
        RuleCase("qemu-swapped", "a little", .healthy) {
            $0.know(.vm, [.swappedMemory: .count((8 << 30) / 100 - 1), .majorFaults: 50])
        },
        RuleCase("qemu-swapped", "read back", .flagged(.warning, ["1 GiB", "19 major"])) {
            $0.know(.vm, [.swappedMemory: .count(1 << 30), .majorFaults: 19])
        },
        RuleCase("qemu-swapped", "much read back", .flagged(.critical, ["20 major"])) {
            $0.know(.vm, [.swappedMemory: .count(1 << 30), .majorFaults: 20])
        },
        RuleCase("qemu-swapped", "cold", .flagged(.advice, ["0 major"])) {
            $0.know(.vm, [.swappedMemory: .count(1 << 30), .majorFaults: 0])
        },
        RuleCase("qemu-swapped", "faults unknown", .flagged(.warning, ["13 %"])) {
            $0.know(.vm, [.swappedMemory: .count(1 << 30)])
        },
        RuleCase("qemu-swapped", "not told", .notChecked("swapped_bytes")) { _ in },
    ]

    private static let limits: [RuleCase] = [
        RuleCase("process-limits-low", "far", .healthy) {
            $0.know(.vm, [.openFiles: 100, .openFileLimit: 1024, .lockedMemory: 0])
        },
        RuleCase("process-limits-low", "files", .flagged(.warning, ["820", "1024", "80 %"])) {
            $0.know(.vm, [.openFiles: 820, .openFileLimit: 1024, .lockedMemory: 0])
        },
        RuleCase("process-limits-low", "just below", .healthy) {
            $0.know(.vm, [.openFiles: 819, .openFileLimit: 1024, .lockedMemory: 0])
        },
        // Four queues take eight eventfds, the image, its backing files and two more.
        RuleCase("process-limits-low", "no more LUN", .flagged(.warning, ["takes 13"])) {
            $0.know(.vm, [.openFiles: 48, .openFileLimit: 60, .lockedMemory: 0])
            $0.know(.lun("vd0"), [.backingDepth: 2])
        },
        RuleCase("process-limits-low", "room for one", .healthy) {
            $0.know(.vm, [.openFiles: 47, .openFileLimit: 60, .lockedMemory: 0])
            $0.know(.lun("vd0"), [.backingDepth: 2])
        },
        RuleCase("process-limits-low", "locked", .flagged(.warning, ["91 %"])) {
            $0.know(
                .vm,
                [
                    .openFiles: 100, .openFileLimit: 1024, .lockedMemory: 910,
                    .lockedMemoryLimit: 1000,
                ])
        },
        RuleCase("process-limits-low", "locked just below", .healthy) {
            $0.know(
                .vm,
                [
                    .openFiles: 100, .openFileLimit: 1024, .lockedMemory: 900,
                    .lockedMemoryLimit: 1000,
                ])
        },
        RuleCase("process-limits-low", "unlimited", .healthy) {
            $0.know(
                .vm,
                [
                    .openFiles: 100, .openFileLimit: 1024, .lockedMemory: 900,
                    .lockedMemoryLimit: -1,
                ])
        },
        RuleCase("process-limits-low", "not told", .notChecked("denied")) {
            $0.lack(.vm, .openFiles, "denied")
            $0.know(.vm, [.lockedMemory: 0])
        },
        RuleCase("process-limits-low", "one of two", .flagged(.warning, ["91 %"])) {
            $0.lack(.vm, .openFiles, "denied")
            $0.know(.vm, [.lockedMemory: 910, .lockedMemoryLimit: 1000])
        },
    ]

    private static let nodes: [RuleCase] = [
        RuleCase("numa-misplaced", "one node", .notApplicable) { $0.know(.host, [.numaNodes: 1]) },
        RuleCase("numa-misplaced", "at home", .healthy) {
            $0.place(ram: 0, 71, vcpu: 1, thread: 2, disk: 0)
        },
        RuleCase(
            "numa-misplaced", "RAM away",
            .flagged(.warning, ["30 % of the RAM", "vCPUs on node 0", "nvme0n1"])
        ) { $0.place(ram: 0, 70, vcpu: 1, thread: 2, disk: 0) },
        RuleCase(
            "numa-misplaced", "RAM on the other node", .flagged(.warning, ["90 % of the RAM"])
        ) { $0.place(ram: 1, 90, vcpu: 1, thread: 2, disk: -1) },
        RuleCase(
            "numa-misplaced", "IOThread away",
            .flagged(.warning, ["IO io0 runs on node 1", "nvme0n1 on node 0"])
        ) { $0.place(ram: 0, 95, vcpu: 1, thread: 6, disk: 0) },
        RuleCase("numa-misplaced", "an idle IOThread", .healthy) {
            $0.place(ram: 0, 95, vcpu: 1, thread: 6, disk: 0)
            $0.threads[2].cpuPercent = 4
        },
        RuleCase("numa-misplaced", "larger than a node", .healthy) {
            $0.place(ram: 0, 50, vcpu: 1, thread: 2, disk: 0)
            $0.vms[0].memoryBytes = (16 << 30) + 1
        },
        RuleCase("numa-misplaced", "young", .notApplicable) {
            $0.place(ram: 1, 90, vcpu: 1, thread: 2, disk: 0)
            $0.know(.vm, [.uptime: 299])
        },
        RuleCase("numa-misplaced", "vCPUs everywhere, no node of the disk", .notChecked("neither"))
        {
            $0.place(ram: 1, 90, vcpu: 1, thread: 2, disk: -1)
            $0.threads.append(ThreadActivity(tid: 110, role: .vcpu, name: "CPU 1/KVM"))
            $0.threads[3].lastCPU = 5
        },
        RuleCase("numa-misplaced", "no numa_maps", .notChecked("denied")) {
            $0.place(ram: 0, 90, vcpu: 1, thread: 2, disk: 0)
            $0.lack(.vm, .memoryNode, "denied")
        },
        RuleCase("numa-misplaced", "a node of nonsense", .notChecked("memory_node")) {
            $0.place(ram: 0, 90, vcpu: 1, thread: 2, disk: 0)
            $0.know(.vm, [.memoryNode: .number(.infinity)])
        },
        RuleCase("numa-misplaced", "not told", .notChecked("numa_nodes")) { _ in },
    ]
}

extension Snapshot {
    /// Two nodes of four CPUs and 16 GiB each: where most of the RAM is and how much, percent; the
    /// CPUs of vCPU and IOThread; the disk's node.
    fileprivate mutating func place(
        ram: Int, _ share: Double, vcpu: Int, thread: Int, disk: Int
    ) {
        know(
            .host,
            [.numaNodes: 2, .nodeCPUs: ["0 0-3", "1 4-7"], .memoryTotal: .count(32 << 30)])
        know(.vm, [.memoryNode: .count(ram), .memoryNodeShare: .number(share)])
        know(.disk("nvme0n1"), [.numaNode: .count(disk)])
        threads[1].lastCPU = vcpu
        threads[2].lastCPU = thread
        threads[2].cpuPercent = 50
    }
}
