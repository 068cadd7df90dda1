/// How often something happens that costs CPU on the way of a request: interrupts, exits,
/// injections.
public struct EventCount: Sendable, Equatable {
    /// What is counted, as the JSON names it.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// A hardware interrupt line or message of the host (/proc/interrupts).
        case interrupt
        /// A soft interrupt of the host (/proc/softirqs).
        case softirq
        /// A guest exit, by reason (kvm tracepoints, QMP `query-stats`).
        case exit
        /// An interrupt given to the guest (kvm tracepoints, writes to an irqfd).
        case injection
    }
    public var kind: Kind
    /// The VM it belongs to; `nil` for the host's own, and where only one is watched.
    public var vm: String?
    /// The line, reason or vector: `24`, `RES`, `BLOCK`, `MMIO`.
    public var name: String
    /// What is behind it, for example the device of an interrupt line.
    public var detail: String?
    /// Per second, all CPUs together.
    public var rate: Double?
    /// Per second on each CPU, in the order of their numbers; empty where not told apart.
    public var perCPU: [Double]
    /// The file, event or QMP command that counted.
    public var source: String
    /// Nanoseconds between the two readings its rates are made of; `nil` where there are none, or
    /// they come from elsewhere.
    public var span: Nanoseconds?

    /// A count of `kind` called `name`.
    public init(
        kind: Kind, name: String, detail: String? = nil, rate: Double? = nil,
        perCPU: [Double] = [], source: String
    ) {
        self.kind = kind
        self.name = name
        self.detail = detail
        self.rate = rate
        self.perCPU = perCPU
        self.source = source
    }
}
