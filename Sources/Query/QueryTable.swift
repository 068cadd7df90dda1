internal import Libraries
internal import Telemetry

/// The tables of a query (docs/query.md).
public enum QueryTable: String, Sendable, CaseIterable {
    case samples, luns, threads, requests, events, marks, findings

    /// The columns in the order in which they are declared.
    public var columns: [String] {
        switch self {
        case .samples: Columns.samples.map(\.name)
        case .luns: Columns.luns.map(\.name)
        case .threads: Columns.threads.map(\.name)
        case .requests: Columns.requests.map(\.name)
        case .events: Columns.events.map(\.name)
        case .marks: Columns.marks.map(\.name)
        case .findings: Columns.findings.map(\.name)
        }
    }
}

/// One column: its name, which ends with its unit, and how a row's value is found.
struct Column<Row: Sendable>: Sendable {
    let name: String
    let value: @Sendable (Row) -> SQLiteValue

    init(_ name: String, _ value: @escaping @Sendable (Row) -> SQLiteValue) {
        self.name = name
        self.value = value
    }
}

/// A row's origin: the thing and the moment.
struct At<Thing: Sendable>: Sendable {
    var thing: Thing
    var snapshot: Snapshot
}

/// A request's origin.
struct RequestRow: Sendable {
    var event: IOEvent
    /// Qualified id of the LUN.
    var lun: String
    /// Wall clock minus monotonic clock; `nil` where not known.
    var offset: Int64?
}

/// A kernel event's origin.
struct EventRow: Sendable {
    var event: KernelEvent
    var offset: Int64?
}

/// A mark's origin.
struct MarkRow: Sendable {
    var mark: Mark
    var offset: Int64?
}

// MARK: Values

func integer(_ value: UInt64?) -> SQLiteValue {
    value.map { .integer(Int64(clamping: $0)) } ?? .null
}

func integer(_ value: Int?) -> SQLiteValue { value.map { .integer(Int64($0)) } ?? .null }

func real(_ value: Double?) -> SQLiteValue {
    guard let value, value.isFinite else { return .null }
    return .real(value)
}

func text(_ value: String?) -> SQLiteValue { value.map { .text($0) } ?? .null }

/// The wall clock at `monotonic` as ISO 8601, UTC.
func time(_ monotonic: Nanoseconds, _ offset: Int64?) -> SQLiteValue {
    guard let offset, let time = Int64(exactly: monotonic) else { return .null }
    let (wall, overflow) = offset.addingReportingOverflow(time)
    return overflow ? .null : .text(iso8601(wall))
}
