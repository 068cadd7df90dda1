internal import Grid
internal import Telemetry

/// The four meanings a value can have. Each has a character and a role, so that none depends on
/// colour.
public enum Severity: Int, Sendable, CaseIterable, Comparable {
    case none, advice, warning, critical

    /// Mildest first.
    public static func < (left: Severity, right: Severity) -> Bool {
        left.rawValue < right.rawValue
    }

    /// How a finding's or notice's severity is shown.
    init(_ severity: Finding.Severity) {
        switch severity {
        case .info: self = .none
        case .advice: self = .advice
        case .warning: self = .warning
        case .critical: self = .critical
        }
    }

    /// Blank, `.`, `!` or `#`.
    var mark: Unicode.Scalar {
        switch self {
        case .none: " "
        case .advice: "."
        case .warning: "!"
        case .critical: "#"
        }
    }

    /// How a value of this severity is drawn.
    var role: Role {
        switch self {
        case .none: .normal
        case .advice: .advice
        case .warning: .warning
        case .critical: .critical
        }
    }
}

/// What is judged, as a theme's `[thresholds]` names it.
public enum Gauge: String, Sendable, CaseIterable {
    /// Mean latency of an interval, microseconds.
    case latency = "latency_us"
    /// 99th percentile of the latency, microseconds.
    case p99 = "p99_us"
    /// Age of the oldest request in flight, microseconds.
    case oldest = "oldest_us"
    /// Requests in flight, percent of the virtqueue's size.
    case depth = "depth_percent"
    /// Failed requests per second.
    case errors = "errors_per_s"
    /// CPU time of a thread that serves I/O, percent of one core.
    case cpu = "cpu_percent"
    /// Time runnable without a CPU, percent of the interval.
    case runDelay = "run_delay_percent"
    /// Time waiting for locks, percent of the interval.
    case lockWait = "lock_wait_percent"
    /// Share of the interval with a full ring, percent.
    case ringFull = "ring_full_percent"

    /// Position in a table of all gauges.
    fileprivate var index: Int {
        switch self {
        case .latency: 0
        case .p99: 1
        case .oldest: 2
        case .depth: 3
        case .errors: 4
        case .cpu: 5
        case .runDelay: 6
        case .lockWait: 7
        case .ringFull: 8
        }
    }
}

/// From which value on a gauge is worth advice, a warning, or critical.
public struct Thresholds: Sendable, Equatable {
    /// Three ascending values, the first at which each severity begins.
    public struct Levels: Sendable, Equatable {
        public let advice: Double
        public let warning: Double
        public let critical: Double

        /// The levels, or `nil` unless they are finite, not negative and ascend.
        public init?(_ advice: Double, _ warning: Double, _ critical: Double) {
            guard advice >= 0, advice <= warning, warning <= critical, critical.isFinite else {
                return nil
            }
            self.advice = advice
            self.warning = warning
            self.critical = critical
        }
    }
    private var levels: [Levels?] = Array(repeating: nil, count: Gauge.allCases.count)

    /// The levels of one gauge; `nil` judges nothing.
    public subscript(gauge: Gauge) -> Levels? {
        get { levels[gauge.index] }
        set { levels[gauge.index] = newValue }
    }

    /// The defaults, for storage on flash behind a busy host.
    ///
    /// Mean latency: 20 ms is where vSphere's guides call a LUN slow, and flash is in trouble a
    /// decade earlier. p99: five times the mean's levels would hide stalls behind flushes, so
    /// twice. Oldest: no healthy device keeps a request for 100 ms, and from 1 s on guests notice.
    /// Depth: from 90 % of the ring on the driver soon waits for descriptors. One failed request is
    /// already worth a warning. CPU: at 85 % of a core a serving thread has no room for a burst.
    /// Run delay and lock waits add to every request directly, so 5 % is much.
    public init() {
        self[.latency] = Levels(2000, 5000, 20_000)
        self[.p99] = Levels(4000, 10_000, 40_000)
        self[.oldest] = Levels(20_000, 100_000, 1_000_000)
        self[.depth] = Levels(75, 90, 100)
        self[.errors] = Levels(0.001, 0.001, 10)
        self[.cpu] = Levels(70, 85, 97)
        self[.runDelay] = Levels(2, 5, 20)
        self[.lockWait] = Levels(2, 5, 20)
        self[.ringFull] = Levels(0.1, 1, 10)
    }

    /// How bad `value` of `gauge` is; `nil` is not judged.
    public func severity(_ value: Double?, of gauge: Gauge) -> Severity {
        guard let value, let levels = self[gauge] else { return .none }
        if value >= levels.critical { return .critical }
        if value >= levels.warning { return .warning }
        return value >= levels.advice ? .advice : .none
    }
}
