internal import Libraries

/// Why a set of programs does not run, and what to do about it.
public struct KernelProbeError: Error, Equatable, CustomStringConvertible {
    public var reason: String
    public var remedy: String?

    /// A reason, and a remedy where there is one.
    public init(reason: String, remedy: String? = nil) {
        self.reason = reason
        self.remedy = remedy
    }

    public var description: String { reason + (remedy.map { "; " + $0 } ?? "") }

    /// The kernel's or the library's refusal of the set called `name`.
    init(_ error: BPFError, of name: String) {
        var error = error
        // What libbpf says about a missing right is about a limit of memory, and misleads.
        if error.errno == 1 { error.words = "" }
        self.init(reason: "BPF programs \(name): \(error)", remedy: Self.remedy(errno: error.errno))
    }

    private static func remedy(errno: Int32) -> String {
        switch errno {
        case 1: "run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE"
        case 2, 3, 38, 95:
            "use a kernel with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF "
                + "(it has /sys/kernel/btf/vmlinux) that has these tracepoints"
        case 12: "free memory, or watch fewer disks"
        default: "these programs do not suit this kernel: build vblktop anew, or report it"
        }
    }
}
