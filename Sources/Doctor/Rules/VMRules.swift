import Telemetry

extension Rule {
    /// The machine as QEMU makes it for the guest, and what state it is in.
    static let vmRules: [Rule] =
        [
            accelerator, nestedVirtualization, genericCPUModel, x2APIC, pvEOI, userspaceIRQChip,
            singleVCPU, not64Bit, windowsEnlightenments,
        ] + machineRules + stateRules

    static let accelerator = Rule(
        "accel-not-kvm", "guest runs under TCG, without KVM", about: .vm, [.info, .critical],
        .setting, tier: .a,
        evidence: "query-kvm enabled, the machine's type, uname -m, names of the vCPU threads",
        condition: "KVM is off, and the guest is of the host's architecture.",
        guards: "Where it cannot be otherwise or is meant, it is only an information: another "
            + "architecture than the host's, vCPU threads of qtest (CPU n/DUMMY), a VM with the "
            + "word \"test\" in its name. On hosts that are not x86 the machine \"virt\" is taken "
            + "for the host's architecture.",
        effect: "Every instruction of the guest is translated in software: 10 to 50 times slower "
            + "[a starting value], and whatever else is said of CPU time is noise. A VM that can "
            + "have one vCPU only (no maxcpus=) runs without memory barriers in QEMU before 8.1: a "
            + "disk with an IOThread may lose an interrupt and be silent for ever.",
        remedy: Remedy(
            qemu: "-accel kvm -cpu host",
            libvirt: "<domain type='kvm'> and <cpu mode='host-passthrough'/>",
            live: "modprobe kvm_intel || modprobe kvm_amd; usermod -aG kvm USER (QEMU's user must "
                + "open /dev/kvm); then start the VM anew",
            verify: "query-kvm says enabled: true; vCPU threads are called CPU n/KVM")
    ) { patient throws(NotChecked) in
        if try patient.isKVM() { return .healthy }
        patient.cite("query-kvm")
        if patient.threads.contains(where: { $0.role == .vcpu && $0.name.contains("/DUMMY") }) {
            return .flag(.info, "no guest code runs: vCPUs are qtest's")
        }
        // A word of its own: there is a test in every latest and contest.
        if let name = patient.machine?.name,
            name.lowercased().split(whereSeparator: { !$0.isLetter }).contains("test")
        {
            return .flag(.info, "TCG, in a VM that calls itself \(name)")
        }
        let host = try patient.text(.architecture, of: .host)
        let machine = try patient.text(.machineType)
        guard runs(machine, on: host) else {
            return .flag(.info, "TCG, as \(machine) on a host of \(host) must")
        }
        return .flag(.critical, "TCG runs \(machine) on a host of \(host), where KVM could")
    }

    /// Whether the host's CPUs can run the guest of this machine by themselves.
    private static func runs(_ machine: String, on host: String) -> Bool {
        let families: [(machines: [String], hosts: [String])] = [
            (["pc", "q35", "microvm", "isapc", "xenfv"], Array(Patient.x86)),
            (["s390"], ["s390x"]), (["pseries", "powernv"], ["ppc64", "ppc64le"]),
            (["virt"], ["aarch64", "arm64", "armv7l", "riscv64", "loongarch64"]),
        ]
        return families.contains { family in
            family.machines.contains { machine.hasPrefix($0) } && family.hosts.contains(host)
        }
    }

    static let nestedVirtualization = Rule(
        "nested-virtualization", "virtualization is nested", about: .vm, [.info], .setting,
        tier: .c,
        evidence: "hypervisor flag of /proc/cpuinfo; exits VMRESUME and VMRUN (kvm:kvm_exit)",
        condition: "The host is itself a VM, or the guest runs VMs of its own.",
        guards: "That the guest runs VMs is seen only where the tracepoint kvm:kvm_exit is "
            + "counted. An information: expect less of every number of CPU time.",
        effect: "Each exit of the inner guest becomes several of the outer one, and time stolen "
            + "from the host is invisible here.",
        remedy: Remedy(
            qemu: "run the VM on the metal, or hand a device through: "
                + "-device vfio-pci,host=0000:BB:DD.F",
            libvirt: "<hostdev mode='subsystem' type='pci' managed='yes'>",
            verify: "grep -c hypervisor /proc/cpuinfo says 0")
    ) { patient throws(NotChecked) in
        let nested =
            patient.rate {
                $0.kind == .exit && ["VMRESUME", "VMLAUNCH", "VMRUN"].contains($0.name)
            }
            ?? 0
        if nested > 0 {
            return .flag(.info, "the guest enters VMs of its own \(figures(nested)) times a second")
        }
        return try patient.flag(.isVirtualMachine, of: .host)
            ? .flag(.info, "this host is a VM itself: its CPUs have the hypervisor flag")
            : .healthy
    }

    static let genericCPUModel = Rule(
        "cpu-model-generic", "CPU model of twenty years ago", about: .vm, [.warning], .setting,
        tier: .a,
        evidence: "qom-get type and unavailable-features of the first CPU",
        condition: "qemu64 (the default), qemu32, kvm64, kvm32 or core2duo under KVM.",
        guards: "TCG. A named modern model, as pools for live migration have it, is fine.",
        effect: "No PCID and INVPCID, no AVX for checksums and encryption, x2APIC to be asked for "
            + "separately, and dearer mitigations. QEMU advises host passthrough first, a named "
            + "model second [QEMU, cpu-models]; the qemu64,+x2apic of the founding measurements "
            + "was right in 2013 only.",
        remedy: Remedy(
            qemu: "-cpu host,migratable=on",
            libvirt: "<cpu mode='host-passthrough' migratable='on'/>, or <cpu mode='host-model'/>",
            verify: "qom-get type of a CPU says host-x86_64-cpu; lscpu in the guest names the "
                + "host's CPU"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.isKVM() else { return .notApplicable }
        let model = try patient.text(.cpuModel)
        guard ["qemu64", "qemu32", "kvm64", "kvm32", "core2duo"].contains(model) else {
            return .healthy
        }
        let missing = patient.knownTexts(.cpuMissingFeatures) ?? []
        let lacks = missing.isEmpty ? "" : ", and the host lacks \(list(missing)) of it"
        return .flag(.warning, "the guest's CPUs are \(model)\(lacks)")
    }

    static let x2APIC = Rule(
        "x2apic-off", "x2APIC is not offered, or not used", about: .vm,
        [.info, .advice, .warning], .setting, tier: .a,
        evidence: "qom-get x2apic of the first CPU; the guest's /proc/cpuinfo and boot line; "
            + "kvm_intel enable_apicv, kvm_amd avic",
        condition: "Not offered under KVM: advice; warning from 50,000 IOPS of the VM on, and "
            + "with more than 255 vCPUs. Offered and not used by the guest: info.",
        guards: "TCG; hosts that are not x86. Where the CPU delivers interrupts itself (APICv, "
            + "AVIC) it is only an information. Windows that does not use it. Without a word from "
            + "the guest it is taken to use what is offered.",
        effect: "Accesses to the xAPIC's memory leave the guest: 2 to 5 % of the CPU with much "
            + "I/O. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-cpu MODEL,+x2apic",
            libvirt: "<feature policy='require' name='x2apic'/> in <cpu>",
            live: "in the guest: take nox2apic out of the boot line",
            verify: "qom-get x2apic says true; dmesg in the guest: x2apic enabled"),
        deck: [13], causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.isKVM(), !patient.isKnownNotX86() else { return .notApplicable }
        if try patient.flag(.cpuX2APIC) {
            guard patient.knownFlag(.guestX2APIC, of: .guest) == false, !patient.isKnownWindows()
            else { return .healthy }
            return .flag(.info, "x2APIC is offered, and the guest does not use it")
        }
        let text = "the guest's CPUs have no x2APIC"
        if let vcpus = patient.machine?.vcpus, vcpus > 255 {
            return .flag(.warning, text + ", and CPUs beyond 255 need it: there are \(vcpus)")
        }
        if patient.knownFlag(.apicVirtualization, of: .host) == true {
            return .flag(.info, text + "; the host's CPU delivers interrupts itself (APICv, AVIC)")
        }
        guard patient.load.isMachineHot, let iops = patient.load.machineIOPS else {
            return .flag(.advice, text)
        }
        return .flag(.warning, text + " at \(figures(iops)) IOPS, limit 50000")
    }

    static let pvEOI = Rule(
        "pv-eoi-off", "paravirtual end of interrupt is off", about: .vm, [.advice], .setting,
        tier: .a, isForQEMU: false,
        evidence: "qom-get kvm-pv-eoi of the first CPU, kvm_intel enable_apicv, kvm_amd avic, "
            + "irq_injections (query-stats) or kvm:kvm_msi_set_irq",
        condition: "Off, without APICv and AVIC, at 20,000 interrupts a second.",
        guards: "TCG; hosts that are not x86; Windows, which does not know it.",
        effect: "The end of each interrupt leaves the guest: up to 10 % of the CPU. [KVM Forum "
            + "2013] On by default under KVM since Linux 3.10.",
        remedy: Remedy(
            qemu: "-cpu MODEL,+kvm-pv-eoi", libvirt: "<features><apic eoi='on'/></features>",
            verify: "qom-get kvm-pv-eoi says true"),
        deck: [37], causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        if !patient.isEmbedded {
            guard try patient.isKVM(), !patient.isKnownNotX86(), !patient.isKnownWindows() else {
                return .notApplicable
            }
        }
        if try patient.flag(.cpuPVEOI) { return .healthy }
        // The engine's guest has no interrupt controller that could do without.
        if !patient.isEmbedded, try patient.flag(.apicVirtualization, of: .host) {
            return .healthy
        }
        let rate = try patient.injections()
        guard patient.reaches(rate, 20_000) else { return .healthy }
        return .flag(
            .advice,
            (patient.isEmbedded ? "PV-EOI" : "kvm-pv-eoi")
                + " is off at \(figures(rate)) interrupts a second, limit 20000",
            remedy: patient.isEmbedded ? .demo("without --no-pv-eoi") : nil)
    }

    static let userspaceIRQChip = Rule(
        "kernel-irqchip-userspace", "interrupt controllers are emulated in QEMU", about: .vm,
        [.info, .warning], .setting, tier: .b,
        evidence: "kernel-irqchip= of the command line (no property tells it)",
        condition: "off: warning. split: info.",
        guards: "TCG. With more than 255 vCPUs split is right; so it is with a vIOMMU, SEV or "
            + "TDX, which cannot be seen from here.",
        effect: "Each interrupt leaves the kernel and takes the Big QEMU Lock, and there is no "
            + "irqfd: a completion must wake QEMU to reach the guest. With split it is the IOAPIC "
            + "alone, which MSI-X does not use.",
        remedy: Remedy(
            qemu: "-machine q35,kernel-irqchip=on",
            libvirt: "<features><ioapic driver='kvm'/></features>",
            verify: "no kernel-irqchip=off in /proc/PID/cmdline; the Interrupts screen counts "
                + "fewer exits to QEMU"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.isKVM() else { return .notApplicable }
        switch try patient.text(.irqChip) {
        case "off": return .flag(.warning, "kernel-irqchip=off: APIC and IOAPIC live in QEMU")
        case "split":
            guard (patient.machine?.vcpus ?? 0) <= 255 else { return .healthy }
            return .flag(.info, "kernel-irqchip=split: the IOAPIC lives in QEMU")
        default: return .healthy
        }
    }

    static let singleVCPU = Rule(
        "vcpus-lt-2", "a single vCPU does the I/O of the whole VM", about: .vm, [.warning],
        .trend, tier: .a,
        evidence: "query-cpus-fast, query-blockstats, CPU of the vCPU (schedstat)",
        condition: "One vCPU, and 5000 IOPS of the VM, or the vCPU at 80 % with 500 IOPS.",
        guards: "Idle VMs, and appliances that do no I/O: below 500 IOPS.",
        effect: "Interrupt and application share one CPU, and a disk gets one queue only; guests "
            + "with much I/O want two vCPUs and more. [KVM Forum 2013]",
        remedy: Remedy(
            qemu: "-smp 2", libvirt: "<vcpu>2</vcpu>",
            live: "virsh setvcpus DOMAIN 2 --live, where the maximum allows",
            verify: "query-cpus-fast lists two; nproc in the guest says 2"),
        deck: [17], causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.need(patient.machine?.vcpus, "vcpus") == 1 else { return .healthy }
        let iops = try patient.machineIOPS()
        let isHot = patient.reaches(iops, 5000)
        guard isHot || patient.reaches(iops, 500) else { return .healthy }
        if isHot { return .flag(.warning, "1 vCPU for \(figures(iops)) IOPS, limit 5000") }
        let vcpu = patient.threads.first { $0.role == .vcpu }
        let busy = try patient.need(vcpu?.cpuPercent, "cpu_percent")
        guard patient.reaches(busy, 80) else { return .healthy }
        return .flag(
            .warning, "1 vCPU, busy \(percent(busy)), limit 80 %, at \(figures(iops)) IOPS")
    }

    static let not64Bit = Rule(
        "not-64bit", "QEMU or the guest is of 32 bits", about: .vm, [.warning], .setting,
        tier: .b,
        evidence: "class of the ELF file /proc/PID/exe, qom-get lm of the first CPU, machine of "
            + "guest-get-osinfo",
        condition: "Any of them is of 32 bits.",
        guards: "Within 120 s of the begin or a reset the guest is not judged. A kernel of 32 "
            + "bits on a CPU of 64 is known by the agent only.",
        effect: "64 bits on 64 bits are best [KVM Forum 2013]: a guest of 32 bits bounces I/O to "
            + "high memory, and QEMU gave up 32-bit x86 hosts with 8.0.",
        remedy: Remedy(
            qemu: "qemu-system-x86_64 of 64 bits with -cpu host, and a guest of 64 bits",
            libvirt: "<type arch='x86_64'>hvm</type>",
            verify: "file -L /proc/PID/exe says ELF 64-bit; uname -m in the guest says x86_64"),
        deck: [22]
    ) { patient throws(NotChecked) in
        let elf = patient.knownNumber(.elfClass)
        if elf == 32 { return .flag(.warning, "QEMU is a program of 32 bits") }
        let age = patient.knownNumber(.sinceReset) ?? patient.knownNumber(.uptime)
        if age.map({ $0 >= 120 }) ?? true {
            if patient.knownFlag(.cpuLongMode) == false {
                return .flag(.warning, "the guest's CPUs have no long mode (lm)")
            }
            if let machine = patient.knownText(.guestMachine, of: .guest),
                narrow.contains(machine)
            {
                return .flag(.warning, "the guest's kernel is of 32 bits: \(machine)")
            }
        }
        _ = try patient.number(.elfClass)
        _ = try patient.text(.guestMachine, of: .guest)
        return .healthy
    }

    /// Machines of 32 bits, as `uname -m` and Windows call them.
    private static let narrow: Set = [
        "i386", "i486", "i586", "i686", "x86", "armv5tel", "armv6l", "armv7l", "armhf", "mips",
        "ppc", "s390", "riscv32",
    ]

    static let windowsEnlightenments = Rule(
        "windows-enlightenments-off", "Windows guest without Hyper-V enlightenments",
        about: .vm, [.advice], .setting, tier: .c,
        evidence: "guest-get-osinfo id, qom-get hv-time and hv-vapic of the first CPU",
        condition: "The guest is Windows, and hv-time or hv-vapic is off.",
        guards: "Other guests, and those whose system nobody tells; TCG.",
        effect: "Each reading of the clock leaves the guest, to an emulated HPET or ACPI timer, "
            + "and storport reads it with every request.",
        remedy: Remedy(
            qemu: "-cpu host,hv-passthrough, or -cpu MODEL,hv-relaxed,hv-vapic,hv-spinlocks=0x1fff,"
                + "hv-vpindex,hv-runtime,hv-synic,hv-stimer,hv-time",
            libvirt: "<features><hyperv mode='passthrough'/></features> and "
                + "<timer name='hypervclock' present='yes'/> in <clock>",
            verify: "qom-get hv-time and hv-vapic say true"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.isKVM(), !patient.isKnownNotX86() else { return .notApplicable }
        guard try patient.text(.guestSystem, of: .guest) == "mswindows" else {
            return .notApplicable
        }
        var off: [String] = []
        if !(try patient.flag(.cpuHyperVTime)) { off.append("hv-time") }
        if !(try patient.flag(.cpuHyperVAPIC)) { off.append("hv-vapic") }
        return off.isEmpty
            ? .healthy : .flag(.advice, "Windows without \(off.joined(separator: " and "))")
    }
}
