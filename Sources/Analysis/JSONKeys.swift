internal import Telemetry

/// A key of a report's or a comparison's JSON (docs/report.md).
struct ReportKey: CodingKey, ExpressibleByStringLiteral {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringLiteral value: String) { stringValue = value }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

typealias ReportObject = KeyedEncodingContainer<ReportKey>

extension KeyedEncodingContainer<ReportKey> {
    /// A number with three decimals; `null` for `nil` and for what JSON has no word for.
    mutating func number(_ key: ReportKey, _ value: Double?) throws {
        let finite = value.flatMap { $0.isFinite ? $0 : nil }
        try encode(finite.map { ($0 * 1000).rounded() / 1000 }, forKey: key)
    }

    mutating func value(_ key: ReportKey, _ value: (some Encodable)?) throws {
        try encode(value, forKey: key)
    }

    /// Settings by their keys.
    mutating func settings(_ key: ReportKey, _ settings: [Report.Setting]) throws {
        var object = nestedContainer(keyedBy: ReportKey.self, forKey: key)
        for setting in settings {
            try object.encode(setting.value, forKey: ReportKey(stringValue: setting.key))
        }
    }
}

/// Something that encodes itself by a closure.
struct Encoded: Encodable {
    let body: (inout ReportObject) throws -> Void

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: ReportKey.self)
        try body(&object)
    }
}

extension Report.Recording {
    /// A point in time: the monotonic clock, and the wall clock where it is known.
    func encode(_ time: Nanoseconds?, _ prefix: String, into object: inout ReportObject) throws {
        let wall = time.flatMap { wallClock(at: $0) }.map { iso8601($0) }
        try object.encode(wall, forKey: ReportKey(stringValue: prefix))
        try object.encode(time, forKey: ReportKey(stringValue: prefix + "_monotonic_ns"))
    }
}
