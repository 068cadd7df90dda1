public import Telemetry

/// A probe as its file defines it (docs/probes.md): an event of the kernel, whose occurrences
/// count, and what becomes of them.
public struct ProbeDefinition: Sendable, Equatable {
    /// An event of the kernel.
    public enum Event: Sendable, Equatable, Hashable {
        /// A counter the kernel keeps in software, by perf's name: `context-switches`.
        case software(String)
        /// `system:name` as tracefs lists it.
        case tracepoint(system: String, name: String)

        /// As a probe file spells it.
        public var text: String {
            switch self {
            case .software(let name): "software:" + name
            case .tracepoint(let system, let name): "tracepoint:\(system):\(name)"
            }
        }
        /// Whether the watched VM pays for it: then it is opened only while asked for.
        var isTracepoint: Bool {
            if case .tracepoint = self { true } else { false }
        }
    }

    /// Whose events count.
    public enum Scope: Sendable, Equatable {
        /// The VM's threads of these roles; all threads where it is empty.
        case threads(Set<String>)
        /// Everything on every CPU of the host, other processes' events too.
        case cpus

        func includes(_ role: ThreadActivity.Role) -> Bool {
            if case .threads(let roles) = self {
                roles.isEmpty || roles.contains(role.rawValue)
            } else {
                false
            }
        }
    }

    /// How the occurrences in an interval become one number.
    public enum Fold: Sendable, Equatable {
        /// How many, per second or in the interval.
        case rate, count
        /// A field of the event: total per second, mean, largest.
        case sum(String), mean(String), max(String)
        /// Of the times from the event to the one in `until`: part of the interval in percent,
        /// mean, longest and what 99 % do not exceed, in microseconds.
        case percent, meanTime, longest, p99

        /// The field it needs.
        var field: String? {
            switch self {
            case .sum(let field), .mean(let field), .max(let field): field
            case .rate, .count, .percent, .meanTime, .longest, .p99: nil
            }
        }
        /// Whether it measures the time between two events.
        var needsTime: Bool {
            switch self {
            case .percent, .meanTime, .longest, .p99: true
            case .rate, .count, .sum, .mean, .max: false
            }
        }
        /// Units its values may have.
        var units: [ProbeColumn.Unit] {
            switch self {
            case .rate: [.perSecond]
            case .count: [.count]
            case .sum: [.perSecond, .bytes]
            case .mean, .max: [.count, .bytes, .microseconds]
            case .percent: [.percent]
            case .meanTime, .longest, .p99: [.microseconds]
            }
        }
    }

    /// A number that each thread gets.
    public struct Column: Sendable, Equatable {
        public var column: ProbeColumn
        public var fold: Fold
    }

    /// Event counts by the value of a field.
    public struct EventNames: Sendable, Equatable {
        public var kind: EventCount.Kind
        /// The field whose value names the count; `nil` makes one count called `name`.
        public var field: String?
        /// Bits of the field that count; all where `nil`.
        public var mask: UInt64?
        /// How a value becomes a name.
        public var names: EventNaming
        /// Stands before a number that has no name, or is the whole name.
        public var prefix: String
        public var detail: String?
    }

    /// The file's name without `.toml`; a file of the same name replaces one found before it.
    public var name: String
    public var meaning: String
    public var event: Event
    /// Expression over the event's fields, in the kernel's syntax.
    public var filter: String?
    /// The event of the same thread that ends what `event` begins.
    public var until: Event?
    public var untilFilter: String?
    public var scope: Scope
    public var columns: [Column]
    public var eventNames: EventNames?
    /// The field with the address of the lock that is waited for from `event` to `until`.
    public var lockField: String?

    /// Fields of the event that are needed, and with them records of it.
    var fields: [String] {
        columns.compactMap(\.fold.field) + [eventNames?.field, lockField].compactMap { $0 }
    }
    /// Whether counting is not enough.
    var needsRecords: Bool { until != nil || !fields.isEmpty }

    /// JSON keys of what is missing when the probe cannot be had.
    var metrics: [String] {
        var metrics = columns.map(\.column.key)
        if lockField != nil { metrics += ["lock_waits_per_s", "lock_wait_percent", "locks"] }
        if let eventNames { metrics.append("event_counts.\(eventNames.kind.rawValue)") }
        return metrics
    }
}
