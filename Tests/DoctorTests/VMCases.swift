import Telemetry

@testable import Doctor

extension RuleCase {
    static let vm: [RuleCase] = accelerator + processor + interrupts + guestSystem + machine + plugs

    private static let accelerator: [RuleCase] = [
        RuleCase("accel-not-kvm", "KVM", .healthy) { _ in },
        RuleCase("accel-not-kvm", "TCG for no reason", .flagged(.critical, ["pc-q35-7.2"])) {
            $0.vms[0].accelerator = .tcg
            $0.know(.vm, [.machineType: "pc-q35-7.2"])
            $0.know(.host, [.architecture: "x86_64"])
        },
        RuleCase("accel-not-kvm", "32-bit x86 on x86", .flagged(.critical, ["pc-i440fx"])) {
            $0.vms[0].accelerator = .tcg
            $0.know(.vm, [.machineType: "pc-i440fx-7.2"])
            $0.know(.host, [.architecture: "i686"])
        },
        RuleCase("accel-not-kvm", "ARM on x86", .flagged(.info, ["virt-7.2", "x86_64"])) {
            $0.vms[0].accelerator = .tcg
            $0.know(.vm, [.machineType: "virt-7.2"])
            $0.know(.host, [.architecture: "x86_64"])
        },
        RuleCase("accel-not-kvm", "a VM for tests", .flagged(.info, ["unit-Test-3"])) {
            $0.vms[0].accelerator = .tcg
            $0.vms[0].name = "unit-Test-3"
        },
        RuleCase("accel-not-kvm", "a latest VM", .flagged(.critical, ["pc-q35-7.2"])) {
            $0.vms[0].accelerator = .tcg
            $0.vms[0].name = "latest-db"
            $0.know(.vm, [.machineType: "pc-q35-7.2"])
            $0.know(.host, [.architecture: "x86_64"])
        },
        RuleCase("accel-not-kvm", "a numbered VM for tests", .flagged(.info, ["db_test2"])) {
            $0.vms[0].accelerator = .tcg
            $0.vms[0].name = "db_test2"
        },
        RuleCase("accel-not-kvm", "qtest", .flagged(.info, ["qtest"])) {
            $0.vms[0].accelerator = .tcg
            $0.threads[1].name = "CPU 0/DUMMY"
        },
        RuleCase("accel-not-kvm", "not told", .notChecked("query-kvm")) {
            $0.vms[0].accelerator = nil
        },
        RuleCase("accel-not-kvm", "the host not told", .notChecked("architecture")) {
            $0.vms[0].accelerator = .tcg
            $0.know(.vm, [.machineType: "pc-q35-7.2"])
        },
        RuleCase("nested-virtualization", "on metal", .healthy) {
            $0.know(.host, [.isVirtualMachine: false])
        },
        RuleCase("nested-virtualization", "in a VM", .flagged(.info, ["hypervisor"])) {
            $0.know(.host, [.isVirtualMachine: true])
        },
        RuleCase("nested-virtualization", "VMs inside", .flagged(.info, ["900"])) {
            $0.know(.host, [.isVirtualMachine: false])
            $0.count(.exit, "VMRESUME", 900, "tracepoint:kvm:kvm_exit")
        },
        RuleCase("nested-virtualization", "not told", .notChecked("is_virtual_machine")) { _ in },
    ]

    private static let processor: [RuleCase] = [
        RuleCase("cpu-model-generic", "host", .healthy) { $0.know(.vm, [.cpuModel: "host"]) },
        RuleCase("cpu-model-generic", "a named one", .healthy) {
            $0.know(.vm, [.cpuModel: "Skylake-Server"])
        },
        RuleCase(
            "cpu-model-generic", "the default", .flagged(.warning, ["qemu64", "svm"])
        ) {
            $0.know(.vm, [.cpuModel: "qemu64", .cpuMissingFeatures: ["svm"]])
        },
        RuleCase("cpu-model-generic", "kvm64", .flagged(.warning, ["kvm64"])) {
            $0.know(.vm, [.cpuModel: "kvm64"])
        },
        RuleCase("cpu-model-generic", "TCG", .notApplicable) { $0.vms[0].accelerator = .tcg },
        RuleCase("cpu-model-generic", "not told", .notChecked("refused")) {
            $0.lack(.vm, .cpuModel, "refused")
        },
        RuleCase("x2apic-off", "used", .healthy) {
            $0.know(.vm, [.cpuX2APIC: true])
            $0.know(.guest, [.guestX2APIC: true])
        },
        RuleCase("x2apic-off", "offered, no word from the guest", .healthy) {
            $0.know(.vm, [.cpuX2APIC: true])
        },
        RuleCase("x2apic-off", "not used", .flagged(.info, ["does not use"])) {
            $0.know(.vm, [.cpuX2APIC: true])
            $0.know(.guest, [.guestX2APIC: false])
        },
        RuleCase("x2apic-off", "old Windows", .healthy) {
            $0.know(.vm, [.cpuX2APIC: true])
            $0.know(.guest, [.guestX2APIC: false, .guestSystem: "mswindows"])
        },
        RuleCase("x2apic-off", "not offered", .flagged(.advice, ["no x2APIC"])) {
            $0.know(.vm, [.cpuX2APIC: false])
        },
        RuleCase(
            "x2apic-off", "at high load", .flagged(.warning, ["60000", "50000"]),
            load: Load(machineIOPS: 60_000)
        ) { $0.know(.vm, [.cpuX2APIC: false]) },
        RuleCase(
            "x2apic-off", "just below", .flagged(.advice, []), load: Load(machineIOPS: 49_999)
        ) { $0.know(.vm, [.cpuX2APIC: false]) },
        RuleCase("x2apic-off", "256 vCPUs", .flagged(.warning, ["256"])) {
            $0.vms[0].vcpus = 256
            $0.know(.vm, [.cpuX2APIC: false])
        },
        RuleCase(
            "x2apic-off", "APICv", .flagged(.info, ["APICv"]), load: Load(machineIOPS: 60_000)
        ) {
            $0.know(.vm, [.cpuX2APIC: false])
            $0.know(.host, [.apicVirtualization: true])
        },
        RuleCase("x2apic-off", "TCG", .notApplicable) { $0.vms[0].accelerator = .tcg },
        RuleCase("x2apic-off", "ARM", .notApplicable) {
            $0.know(.host, [.architecture: "aarch64"])
        },
        RuleCase("x2apic-off", "not told", .notChecked("cpu_x2apic")) { _ in },
        RuleCase("vcpus-lt-2", "four", .healthy) { _ in },
        RuleCase(
            "vcpus-lt-2", "one at load", .flagged(.warning, ["1 vCPU", "5000"]),
            load: Load(machineIOPS: 5000)
        ) { $0.vms[0].vcpus = 1 },
        RuleCase(
            "vcpus-lt-2", "one that is busy", .flagged(.warning, ["81 %"]),
            load: Load(machineIOPS: 4999)
        ) {
            $0.vms[0].vcpus = 1
            $0.threads[1].cpuPercent = 81
        },
        RuleCase("vcpus-lt-2", "just below", .healthy, load: Load(machineIOPS: 4999)) {
            $0.vms[0].vcpus = 1
            $0.threads[1].cpuPercent = 79
        },
        RuleCase("vcpus-lt-2", "busy without I/O", .healthy, load: Load(machineIOPS: 10)) {
            $0.vms[0].vcpus = 1
            $0.threads[1].cpuPercent = 100
        },
        RuleCase("vcpus-lt-2", "no rates yet", .notChecked("iops")) { $0.vms[0].vcpus = 1 },
        RuleCase(
            "vcpus-lt-2", "no CPU time", .notChecked("cpu_percent"),
            load: Load(machineIOPS: 900)
        ) { $0.vms[0].vcpus = 1 },
        RuleCase("not-64bit", "64 bits", .healthy) {
            $0.know(.vm, [.elfClass: 64, .cpuLongMode: true])
            $0.know(.guest, [.guestMachine: "x86_64"])
        },
        RuleCase("not-64bit", "QEMU of 32", .flagged(.warning, ["QEMU"])) {
            $0.know(.vm, [.elfClass: 32])
        },
        RuleCase("not-64bit", "no long mode", .flagged(.warning, ["lm"])) {
            $0.know(.vm, [.elfClass: 64, .cpuLongMode: false, .sinceReset: 120])
        },
        RuleCase("not-64bit", "kernel of 32", .flagged(.warning, ["i686"])) {
            $0.know(.vm, [.elfClass: 64, .cpuLongMode: true])
            $0.know(.guest, [.guestMachine: "i686"])
        },
        RuleCase("not-64bit", "still booting", .notChecked("only the guest knows")) {
            $0.know(.vm, [.elfClass: 64, .cpuLongMode: false, .sinceReset: 119])
        },
        RuleCase("not-64bit", "no agent", .notChecked("agent")) {
            $0.know(.vm, [.elfClass: 64, .cpuLongMode: true])
        },
    ]

    private static let interrupts: [RuleCase] = [
        RuleCase("pv-eoi-off", "on", .healthy) { $0.know(.vm, [.cpuPVEOI: true]) },
        RuleCase("pv-eoi-off", "off", .flagged(.advice, ["20000"])) {
            $0.know(.vm, [.cpuPVEOI: false])
            $0.know(.host, [.apicVirtualization: false])
            $0.count(.injection, "irq_injections", 20_000, "QMP query-stats")
        },
        RuleCase("pv-eoi-off", "by tracepoint", .flagged(.advice, ["25000"])) {
            $0.know(.vm, [.cpuPVEOI: false])
            $0.know(.host, [.apicVirtualization: false])
            $0.count(.injection, "MSI vector 33", 12_000, "tracepoint:kvm:kvm_msi_set_irq")
            $0.count(.injection, "MSI vector 34", 13_000, "tracepoint:kvm:kvm_msi_set_irq")
        },
        RuleCase("pv-eoi-off", "just below", .healthy) {
            $0.know(.vm, [.cpuPVEOI: false])
            $0.know(.host, [.apicVirtualization: false])
            $0.count(.injection, "irq_injections", 19_999, "QMP query-stats")
        },
        RuleCase("pv-eoi-off", "APICv", .healthy) {
            $0.know(.vm, [.cpuPVEOI: false])
            $0.know(.host, [.apicVirtualization: true])
        },
        RuleCase("pv-eoi-off", "Windows", .notApplicable) {
            $0.know(.vm, [.cpuPVEOI: false])
            $0.know(.guest, [.guestSystem: "mswindows"])
        },
        RuleCase("pv-eoi-off", "nobody counts", .notChecked("event_counts")) {
            $0.know(.vm, [.cpuPVEOI: false])
            $0.know(.host, [.apicVirtualization: false])
        },
        RuleCase("kernel-irqchip-userspace", "on", .healthy) { $0.know(.vm, [.irqChip: "on"]) },
        RuleCase("kernel-irqchip-userspace", "off", .flagged(.warning, ["off"])) {
            $0.know(.vm, [.irqChip: "off"])
        },
        RuleCase("kernel-irqchip-userspace", "split", .flagged(.info, ["split"])) {
            $0.know(.vm, [.irqChip: "split"])
        },
        RuleCase("kernel-irqchip-userspace", "split for 256 vCPUs", .healthy) {
            $0.vms[0].vcpus = 256
            $0.know(.vm, [.irqChip: "split"])
        },
        RuleCase("kernel-irqchip-userspace", "TCG", .notApplicable) {
            $0.vms[0].accelerator = .tcg
        },
        RuleCase("kernel-irqchip-userspace", "not told", .notChecked("kernel_irqchip")) { _ in },
    ]

    private static let guestSystem: [RuleCase] = [
        RuleCase("windows-enlightenments-off", "Linux", .notApplicable) {
            $0.know(.guest, [.guestSystem: "debian"])
        },
        RuleCase("windows-enlightenments-off", "on", .healthy) {
            $0.know(.guest, [.guestSystem: "mswindows"])
            $0.know(.vm, [.cpuHyperVTime: true, .cpuHyperVAPIC: true])
        },
        RuleCase("windows-enlightenments-off", "off", .flagged(.advice, ["hv-time and hv-vapic"])) {
            $0.know(.guest, [.guestSystem: "mswindows"])
            $0.know(.vm, [.cpuHyperVTime: false, .cpuHyperVAPIC: false])
        },
        RuleCase("windows-enlightenments-off", "one off", .flagged(.advice, ["hv-vapic"])) {
            $0.know(.guest, [.guestSystem: "mswindows"])
            $0.know(.vm, [.cpuHyperVTime: true, .cpuHyperVAPIC: false])
        },
        RuleCase("windows-enlightenments-off", "no agent", .notChecked("agent")) { _ in },
    ]

    private static let machine: [RuleCase] = [
        RuleCase("machine-type-old", "new", .healthy) {
            $0.know(.vm, [.machineType: "pc-q35-5.2", .machineIsDeprecated: false])
        },
        RuleCase(
            "machine-type-old", "old",
            .flagged(.advice, ["pc-i440fx-4.2 is of version 5.1 or older", "one queue", "128"])
        ) {
            $0.know(.vm, [.machineType: "pc-i440fx-4.2"])
            $0.luns[0].queues = 1
            $0.luns[0].queueSize = 128
        },
        RuleCase(
            "machine-type-old", "very old",
            .flagged(.advice, ["no virtio 1.0", "scsi=on", "no discard", "seg-max-adjust off"])
        ) {
            $0.know(.vm, [.machineType: "pc-q35-2.4", .machineIsDeprecated: true])
            $0.know(
                .lun("vd0"),
                [
                    .disableModern: true, .scsiPassthrough: true, .discard: false,
                    .segMaxAdjust: false, .vectors: 2,
                ])
        },
        RuleCase("machine-type-old", "deprecated", .flagged(.advice, ["rhel", "deprecated"])) {
            $0.know(.vm, [.machineType: "pc-i440fx-rhel7.6.0", .machineIsDeprecated: true])
        },
        RuleCase("machine-type-old", "no versions", .healthy) {
            $0.know(.vm, [.machineType: "microvm", .machineIsDeprecated: false])
        },
        RuleCase("machine-type-old", "a distribution's own", .notChecked("rhel8.2.0")) {
            $0.know(.vm, [.machineType: "pc-q35-rhel8.2.0", .machineIsDeprecated: false])
        },
        RuleCase("machine-type-old", "not told", .notChecked("machine_type")) { _ in },
        RuleCase("qemu-version-risky", "7.2", .healthy) { $0.luns[0].throttle = "iops-total=9" },
        RuleCase("qemu-version-risky", "9.1 throttled", .flagged(.advice, ["9.1.2", "vd0"])) {
            $0.vms[0].version = "9.1.2"
            $0.luns[0].throttle = "iops-total=1000"
            $0.know(.vm, [.qemuPackage: "Debian 1:9.1.2+ds-1"])
        },
        RuleCase("qemu-version-risky", "10.0 throttled", .flagged(.advice, ["10.0.0"])) {
            $0.vms[0].version = "10.0.0"
            $0.luns[0].throttle = "iops-total=1000"
        },
        RuleCase("qemu-version-risky", "10.1", .healthy) {
            $0.vms[0].version = "10.1.0"
            $0.luns[0].throttle = "iops-total=1000"
        },
        RuleCase("qemu-version-risky", "9.1 free", .healthy) { $0.vms[0].version = "9.1.2" },
        RuleCase("qemu-version-risky", "1.6.0", .flagged(.advice, ["no-flush"])) {
            $0.vms[0].version = "1.6.0"
        },
        RuleCase("qemu-version-risky", "1.6.1", .flagged(.advice, ["barrier"])) {
            $0.vms[0].version = "1.6.1"
        },
        RuleCase("qemu-version-risky", "2.3", .healthy) { $0.vms[0].version = "2.3.0" },
        RuleCase("qemu-version-risky", "unknown", .notChecked("version")) {
            $0.vms[0].version = ""
        },
    ]

    private static let plugs: [RuleCase] = [
        RuleCase("pci-passthrough-tradeoff", "none", .healthy) { $0.know(.vm, [.passThrough: []]) },
        RuleCase("pci-passthrough-tradeoff", "one", .flagged(.info, ["hostdev0", "8 GiB"])) {
            $0.know(.vm, [.passThrough: ["hostdev0"], .lockedMemory: .count(8 << 30)])
        },
        RuleCase("pci-passthrough-tradeoff", "not told", .notChecked("pass_through")) { _ in },
        RuleCase("lun-not-hotpluggable", "on ports", .healthy) {
            $0.luns[0].pciAddress = "0000:01:00.0"
            $0.know(.lun("vd0"), [.hotpluggable: true])
        },
        RuleCase(
            "lun-not-hotpluggable", "packed", .flagged(.info, ["vd0, vd1", "0000:00:05"])
        ) {
            $0.luns[0].pciAddress = "0000:00:05.0"
            var second = $0.luns[0]
            second.id = "vd1"
            second.pciAddress = "0000:00:05.1"
            $0.luns.append(second)
        },
        RuleCase("lun-not-hotpluggable", "before the firmware", .notChecked("pci_address")) {
            $0.luns.append($0.luns[0])
            $0.luns[1].id = "vd1"
            $0.know(.lun("vd0"), [.hotpluggable: true])
            $0.know(.lun("vd1"), [.hotpluggable: true])
        },
        RuleCase("lun-not-hotpluggable", "alone, before the firmware", .healthy) {
            $0.know(.lun("vd0"), [.hotpluggable: true])
        },
        RuleCase("lun-not-hotpluggable", "on pcie.0", .flagged(.info, ["vd0"])) {
            $0.know(.lun("vd0"), [.hotpluggable: false])
        },
        RuleCase("lun-not-hotpluggable", "no virtio-blk", .notApplicable) {
            $0.luns[0].device = "ide-hd"
        },
        RuleCase("lun-not-hotpluggable", "not told", .notChecked("hotpluggable")) { _ in },
    ]
}

extension Snapshot {
    /// Adds a count of something that happens in the VM.
    mutating func count(_ kind: EventCount.Kind, _ name: String, _ rate: Double, _ source: String) {
        eventCounts.append(EventCount(kind: kind, name: name, rate: rate, source: source))
    }
}
