internal import Telemetry

/// What is wrong with a trigger's text, for the user.
public struct TriggerError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// A condition on the samples that has the flight recorder write: `p99 > 5ms for 3s`.
///
/// `[total|lun:ID] METRIC SIGN VALUE [for TIME]`; without a scope it is asked of every LUN. It
/// comes true once it has held for TIME without a break (one sample where none is given).
public struct Trigger: Sendable, Equatable {
    /// What a condition can be about.
    public enum Metric: String, Sendable, CaseIterable {
        case iops, reads, writes
        /// Bytes per second, both directions.
        case bytes
        /// Mean latency of reads and writes.
        case latency
        /// The worse of the two p99.
        case p99
        case p999
        /// Requests in flight, mean of the interval.
        case depth
        /// Errors per second.
        case errors
        /// Age of the oldest request in flight.
        case oldest
        /// Share of the time a virtqueue was full, percent; of the worst queue.
        case full

        var isTime: Bool {
            switch self {
            case .latency, .p99, .p999, .oldest: true
            default: false
            }
        }
    }

    enum Scope: Sendable, Equatable { case everyLUN, lun(String), total }

    enum Sign: String, Sendable, CaseIterable {
        // Two-character signs first: the search takes the first that fits.
        case atLeast = ">=", atMost = "<=", above = ">", below = "<"

        func holds(_ value: Double, _ bound: Double) -> Bool {
            switch self {
            case .atLeast: value >= bound
            case .atMost: value <= bound
            case .above: value > bound
            case .below: value < bound
            }
        }
    }

    /// As the user typed it.
    public let text: String
    let scope: Scope
    let metric: Metric
    let sign: Sign
    /// Microseconds for times, else in the metric's own unit.
    let bound: Double
    /// How long it must hold, nanoseconds.
    let duration: Nanoseconds

    /// The condition `text` says; throws a sentence on what it does not understand.
    public init(_ text: String) throws(TriggerError) {
        self.text = text
        var words = Self.words(text)[...]
        scope = Self.scope(&words)
        guard let name = words.popFirst() else {
            throw TriggerError("an empty trigger; say for example `p99 > 5ms for 3s`")
        }
        guard let metric = Metric(rawValue: name == "lat" ? "latency" : name) else {
            let known = Metric.allCases.map(\.rawValue).joined(separator: ", ")
            throw TriggerError("`\(name)` is no metric; there are \(known)")
        }
        self.metric = metric
        guard let sign = words.popFirst().flatMap({ Sign(rawValue: $0) }) else {
            throw TriggerError("after `\(name)` comes one of > >= < <=")
        }
        self.sign = sign
        let value = words.popFirst() ?? ""
        guard let bound = Self.number(value, isTime: metric.isTime) else {
            let example = metric.isTime ? "250us, 5ms or 1s" : "250 or 10k"
            throw TriggerError("`\(value)` is not a number such as \(example)")
        }
        self.bound = bound
        duration = try Self.duration(&words)
        if let extra = words.first { throw TriggerError("`\(extra)` does not belong there") }
    }

    /// The text cut at blanks, and around signs.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        for part in text.split(whereSeparator: { $0 == " " || $0 == "\t" }) {
            var rest = part
            while let start = rest.firstIndex(where: { $0 == "<" || $0 == ">" }) {
                if start > rest.startIndex { words.append(String(rest[..<start])) }
                let sign = Sign.allCases.first { rest[start...].hasPrefix($0.rawValue) }
                let length = sign?.rawValue.count ?? 1
                words.append(String(rest[start...].prefix(length)))
                rest = rest[start...].dropFirst(length)
            }
            if !rest.isEmpty { words.append(String(rest)) }
        }
        return words
    }

    private static func scope(_ words: inout ArraySlice<String>) -> Scope {
        guard let first = words.first else { return .everyLUN }
        if first == "total" {
            words.removeFirst()
            return .total
        }
        guard first.hasPrefix("lun:") else { return .everyLUN }
        words.removeFirst()
        return .lun(String(first.dropFirst(4)))
    }

    private static func duration(
        _ words: inout ArraySlice<String>
    ) throws(TriggerError) -> Nanoseconds {
        guard words.first == "for" else { return 0 }
        words.removeFirst()
        let text = words.popFirst() ?? ""
        guard let microseconds = number(text, isTime: true), microseconds >= 0,
            microseconds <= 86_400e6
        else { throw TriggerError("`\(text)` is no time such as 500ms, 3s or 2m, at most a day") }
        return Nanoseconds(microseconds * 1000)
    }

    /// A number; a time in microseconds, which needs its unit unless it is 0.
    private static func number(_ text: String, isTime: Bool) -> Double? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(String(digits)), value.isFinite else { return nil }
        let unit = text[digits.endIndex...]
        if isTime {
            switch unit {
            case "us", "µs": return value
            case "ms": return value * 1000
            case "s": return value * 1e6
            case "m": return value * 60e6
            default: return unit.isEmpty && value == 0 ? 0 : nil
            }
        }
        switch unit {
        case "", "%": return value
        case "k": return value * 1000
        case "M": return value * 1e6
        default: return nil
        }
    }

    // MARK: Judging

    /// The scopes in which the condition holds in `snapshot`, as `Finding.scope` has them.
    func holding(in snapshot: Snapshot) -> [String] {
        func holds(_ value: Double?) -> Bool { value.map { sign.holds($0, bound) } ?? false }
        switch scope {
        case .total: return holds(value(of: snapshot.total, queues: [])) ? ["total"] : []
        case .everyLUN, .lun:
            return snapshot.luns.compactMap { lun in
                if case .lun(let id) = scope, id != lun.qualifiedID, id != lun.id { return nil }
                return holds(value(of: lun.rates, queues: lun.virtqueues))
                    ? "lun:" + lun.qualifiedID : nil
            }
        }
    }

    private func value(of rates: BlockRates, queues: [Virtqueue]) -> Double? {
        switch metric {
        case .iops: rates.iops
        case .reads: rates.reads
        case .writes: rates.writes
        case .bytes: rates.bytes
        case .latency: rates.meanLatency
        case .p99: rates.worstP99
        case .p999: [rates.readLatency?.p999, rates.writeLatency?.p999].compactMap { $0 }.max()
        case .depth: rates.queueDepth?.mean
        case .errors: rates.errors
        case .oldest: rates.oldestInFlight
        case .full: queues.compactMap(\.fullPercent).max()
        }
    }
}
