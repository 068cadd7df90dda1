/// A column that a probe file defines (docs/probes.md).
public struct ProbeColumn: Sendable, Equatable {
    /// What the values are, which decides how they are written.
    public enum Unit: String, Sendable, Codable, CaseIterable {
        case perSecond = "per_second"
        case percent
        case microseconds
        case bytes
        case count
    }
    /// The JSON key, and the word that sort and filter use.
    public var key: String
    /// The column's heading.
    public var title: String
    public var unit: Unit
    /// What it says, for the help.
    public var meaning: String
    /// The event it is made of, for example `tracepoint syscalls:sys_enter_io_submit`.
    public var source: String

    /// A column called `title`.
    public init(key: String, title: String, unit: Unit, meaning: String, source: String) {
        self.key = key
        self.title = title
        self.unit = unit
        self.meaning = meaning
        self.source = source
    }
}

/// What a probe measured on one thread during the interval.
public struct ProbeValue: Sendable, Equatable {
    /// `ProbeColumn.key`.
    public var key: String
    /// In the column's unit; `nil` where it could not be had, which `unavailable` explains.
    public var value: Double?

    /// A value of the column `key`.
    public init(key: String, value: Double?) {
        self.key = key
        self.value = value
    }
}
