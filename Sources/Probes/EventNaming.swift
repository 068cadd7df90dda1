/// How the value of a field becomes the name of an event count.
public enum EventNaming: Sendable, Equatable {
    /// The number itself.
    case number
    /// Names given in the probe file.
    case table([UInt64: String])
    /// Why the processor left the guest, as `kvm:kvm_exit` says it: `isa` 1 is VMX, 2 is SVM.
    case kvmExit
    /// Why KVM returned to QEMU, as `kvm:kvm_userspace_exit` says it.
    case kvmUserspaceExit

    /// Names known here, by the word a probe file uses.
    static let builtin: [String: EventNaming] = [
        "number": .number, "kvm-exit": .kvmExit, "kvm-userspace-exit": .kvmUserspaceExit,
    ]

    /// A second field that is needed to tell a name.
    var companion: String? { self == .kvmExit ? "isa" : nil }

    /// The name of `value`, `nil` where none is known.
    func name(of value: UInt64, companion: UInt64?) -> String? {
        switch self {
        case .number: nil
        case .table(let names): names[value]
        case .kvmExit:
            companion == 1
                ? Self.vmx[value & 0xFFFF] : companion == 2 ? Self.svm(value) : nil
        case .kvmUserspaceExit:
            value < UInt64(Self.userspace.count) ? Self.userspace[Int(value)] : nil
        }
    }

    /// Name of an exit from the guest by its reason, of AMD's processors or of Intel's; `nil` where
    /// none is known.
    public static func exitName(_ reason: UInt32, isAMD: Bool) -> String? {
        isAMD ? svm(UInt64(reason)) : vmx[UInt64(reason)]
    }

    /// Basic exit reasons of Intel's VMX (SDM, volume 3, appendix C).
    private static let vmx: [UInt64: String] = [
        0: "EXCEPTION_NMI", 1: "EXTERNAL_INTERRUPT", 2: "TRIPLE_FAULT", 3: "INIT_SIGNAL",
        7: "INTERRUPT_WINDOW", 8: "NMI_WINDOW", 9: "TASK_SWITCH", 10: "CPUID", 12: "HLT",
        13: "INVD", 14: "INVLPG", 15: "RDPMC", 16: "RDTSC", 18: "VMCALL", 23: "VMREAD",
        24: "VMRESUME", 25: "VMWRITE", 28: "CR_ACCESS", 29: "DR_ACCESS", 30: "IO_INSTRUCTION",
        31: "MSR_READ", 32: "MSR_WRITE", 33: "INVALID_STATE", 36: "MWAIT", 37: "MONITOR_TRAP",
        39: "MONITOR", 40: "PAUSE", 41: "MCE_DURING_ENTRY", 43: "TPR_BELOW_THRESHOLD",
        44: "APIC_ACCESS", 45: "EOI_INDUCED", 46: "GDTR_IDTR", 47: "LDTR_TR",
        48: "EPT_VIOLATION", 49: "EPT_MISCONFIG", 50: "INVEPT", 51: "RDTSCP",
        52: "PREEMPTION_TIMER", 54: "WBINVD", 55: "XSETBV", 56: "APIC_WRITE", 57: "RDRAND",
        58: "INVPCID", 61: "RDSEED", 62: "PML_FULL", 63: "XSAVES", 64: "XRSTORS",
        67: "UMWAIT", 68: "TPAUSE", 74: "BUS_LOCK", 75: "NOTIFY", 77: "TDCALL",
        84: "MSR_READ", 85: "MSR_WRITE",
    ]

    /// Exit codes of AMD's SVM (APM, volume 2, appendix C); reads and writes of registers and
    /// exceptions together.
    private static func svm(_ code: UInt64) -> String? {
        switch code {
        case 0x00...0x0F: "CR_READ"
        case 0x10...0x1F: "CR_WRITE"
        case 0x20...0x2F: "DR_READ"
        case 0x30...0x3F: "DR_WRITE"
        case 0x40...0x5F: "EXCEPTION_\(code - 0x40)"
        default: svmNames[code]
        }
    }

    private static let svmNames: [UInt64: String] = [
        0x60: "INTERRUPT", 0x61: "NMI", 0x62: "SMI", 0x63: "INIT", 0x64: "VINTR",
        0x65: "CR0_SEL_WRITE", 0x6E: "RDTSC", 0x6F: "RDPMC", 0x72: "CPUID", 0x74: "IRET",
        0x76: "INVD", 0x77: "PAUSE", 0x78: "HLT", 0x79: "INVLPG", 0x7A: "INVLPGA", 0x7B: "IOIO",
        0x7C: "MSR", 0x7D: "TASK_SWITCH", 0x7F: "SHUTDOWN", 0x80: "VMRUN", 0x81: "VMMCALL",
        0x87: "RDTSCP", 0x89: "WBINVD", 0x8A: "MONITOR", 0x8B: "MWAIT", 0x8D: "XSETBV",
        0xA2: "INVPCID", 0xA5: "BUSLOCK", 0xA6: "IDLE_HLT", 0x400: "NPF",
        0x401: "AVIC_INCOMPLETE_IPI", 0x402: "AVIC_NOACCEL", 0x403: "VMGEXIT",
    ]

    /// `KVM_EXIT_*` of linux/kvm.h, by number.
    private static let userspace = [
        "UNKNOWN", "EXCEPTION", "IO", "HYPERCALL", "DEBUG", "HLT", "MMIO", "IRQ_WINDOW_OPEN",
        "SHUTDOWN", "FAIL_ENTRY", "INTR", "SET_TPR", "TPR_ACCESS", "S390_SIEIC", "S390_RESET",
        "DCR", "NMI", "INTERNAL_ERROR", "OSI", "PAPR_HCALL", "S390_UCONTROL", "WATCHDOG",
        "S390_TSCH", "EPR", "SYSTEM_EVENT", "S390_STSI", "IOAPIC_EOI", "HYPERV", "ARM_NISV",
        "X86_RDMSR", "X86_WRMSR", "DIRTY_RING_FULL", "AP_RESET_HOLD", "X86_BUS_LOCK", "XEN",
    ]
}
