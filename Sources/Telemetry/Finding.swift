/// Something worth a user's attention: what is seen, what it does, what to change.
public struct Finding: Sendable, Equatable {
    /// How much it matters, mildest first: context; likely to cost under load; a measurable loss
    /// now; data at risk, or a VM that is stopped or wedged.
    public enum Severity: String, Sendable, Codable, CaseIterable, Comparable {
        case info, advice, warning, critical

        /// Mildest first.
        public static func < (left: Severity, right: Severity) -> Bool {
            left.rank < right.rank
        }

        /// 0 for the mildest.
        public var rank: Int {
            switch self {
            case .info: 0
            case .advice: 1
            case .warning: 2
            case .critical: 3
            }
        }
    }
    /// The rule's id, for example `dataplane-off`.
    public var rule: String
    public var severity: Severity
    /// What it is about, as `Subject.word`: `host`, `vm`, `lun:vd0`, `iothread:io0`.
    public var scope: String
    public var title: String
    /// What was seen, with numbers and the limits they are held against.
    public var evidence: String
    /// What to do, in the words of whatever started the VM; empty where nothing is known to help.
    public var fix: String
    /// Where the evidence was read.
    public var sources: [String] = []
    /// What it costs, and who says so.
    public var effect: String?
    public var remedy = Remedy()
    /// The rule of a finding that this one follows from: mend that first.
    public var cause: String?
    /// `CLOCK_MONOTONIC` nanoseconds at which it appeared.
    public var since: Nanoseconds?
    /// Likewise, at which it cleared; `nil` while it stands.
    public var cleared: Nanoseconds?

    /// A finding of `rule` about `scope`.
    public init(
        rule: String, severity: Severity, scope: String, title: String, evidence: String,
        fix: String
    ) {
        self.rule = rule
        self.severity = severity
        self.scope = scope
        self.title = title
        self.evidence = evidence
        self.fix = fix
    }
}

/// What helps against a finding, in the words of each place where it can be done.
public struct Remedy: Sendable, Equatable {
    /// Options of QEMU's command line, or commands for the host.
    public var qemu: String?
    /// The domain's XML, or virsh.
    public var libvirt: String?
    /// What can be done while the VM runs.
    public var live: String?
    /// How to see that it helped.
    public var verify: String?

    /// A remedy; unknown unless given.
    public init(
        qemu: String? = nil, libvirt: String? = nil, live: String? = nil, verify: String? = nil
    ) {
        self.qemu = qemu
        self.libvirt = libvirt
        self.live = live
        self.verify = verify
    }
}
