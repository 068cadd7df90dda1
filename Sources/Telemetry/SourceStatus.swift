/// How one of the places numbers come from is doing.
public struct SourceStatus: Sendable, Equatable {
    /// What to make of its numbers.
    public enum State: String, Sendable, Codable {
        /// It answers as often as asked.
        case ok
        /// It is asked less often than wanted, so that the VM does not feel it.
        case slowed
        /// It has not answered in time: what it said last is old, and is not shown as new.
        case stale
        /// It cannot be used at all.
        case failed
    }
    /// `qmp`, `qga`, `proc`, `sys`, `perf`, `bpf`.
    public var name: String
    /// The VM it belongs to; `nil` for the host's own, and where only one is watched.
    public var vm: String?
    public var state: State
    /// Nanoseconds from its last reading to the sample's time; `nil` if it never answered.
    public var age: Nanoseconds?
    /// How long its last answer took, nanoseconds.
    public var roundTrip: Nanoseconds?
    /// Seconds between its readings as they are scheduled now.
    public var interval: Double?
    /// Cause and way out, in one line, unless all is well.
    public var detail: String?

    /// A source called `name` in `state`.
    public init(
        name: String, vm: String? = nil, state: State, age: Nanoseconds? = nil,
        roundTrip: Nanoseconds? = nil, interval: Double? = nil, detail: String? = nil
    ) {
        self.name = name
        self.vm = vm
        self.state = state
        self.age = age
        self.roundTrip = roundTrip
        self.interval = interval
        self.detail = detail
    }
}

/// Something that happened to a VM: paused, reset, a disk plugged, QMP lost.
public struct Notice: Sendable, Equatable {
    /// `CLOCK_MONOTONIC` nanoseconds at which it was noticed.
    public var monotonic: Nanoseconds
    /// The VM it happened to; `nil` where only one is watched.
    public var vm: String?
    public var severity: Finding.Severity
    /// One line, fit for a screen.
    public var text: String

    /// `text`, noticed at `monotonic`.
    public init(
        monotonic: Nanoseconds, vm: String? = nil, severity: Finding.Severity, text: String
    ) {
        self.monotonic = monotonic
        self.vm = vm
        self.severity = severity
        self.text = text
    }
}
