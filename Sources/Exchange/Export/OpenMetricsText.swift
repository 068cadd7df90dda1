internal import Telemetry

/// The lines of OpenMetrics 1.0.
struct OpenMetricsText {
    typealias Label = (name: String, value: String)

    enum Kind: String {
        case gauge, info, summary
        case gaugeHistogram = "gaugehistogram"
    }

    private var text = ""

    /// The whole text, ended as it must be.
    var finished: String { text + "# EOF\n" }

    /// Begins a family of metrics; `unit` is the end of its name.
    mutating func family(_ name: String, _ kind: Kind, unit: String? = nil, help: String) {
        text += "# TYPE \(name) \(kind.rawValue)\n"
        if let unit { text += "# UNIT \(name) \(unit)\n" }
        text += "# HELP \(name) \(Self.escaped(help))\n"
    }

    /// One number.
    mutating func line(_ name: String, _ labels: [Label], _ value: String) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }

    /// A backslash before what would end a text, and no control characters.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.harmless(replacement: nil).unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// Nanoseconds as seconds, exact.
    static func seconds(_ nanoseconds: UInt64) -> String {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var digits = String(rest)
        digits = String(repeating: "0", count: 9 - digits.count) + digits
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}

/// A gauge of LUNs.
struct OpenMetricsGauge: Sendable {
    /// One of its numbers, with the labels that tell it from the others.
    struct Value: Sendable {
        var labels: [OpenMetricsText.Label]
        var number: @Sendable (BlockRates) -> Double?

        init(
            _ labels: [OpenMetricsText.Label] = [],
            _ number: @escaping @Sendable (BlockRates) -> Double?
        ) {
            self.labels = labels
            self.number = number
        }
    }

    var name: String
    var unit: String?
    var help: String
    var values: [Value]

    static let all = [
        OpenMetricsGauge(
            name: "vblktop_requests_per_second", help: "Completed requests per second.",
            values: [
                Value([("operation", "read")]) { $0.reads },
                Value([("operation", "write")]) { $0.writes },
                Value([("operation", "flush")]) { $0.flushes },
                Value([("operation", "discard")]) { $0.discards },
                Value([("operation", "write_zeroes")]) { $0.writeZeroes },
            ]),
        OpenMetricsGauge(
            name: "vblktop_iops", help: "Completed requests per second, all operations.",
            values: [Value { $0.iops }]),
        OpenMetricsGauge(
            name: "vblktop_throughput_bytes_per_second", unit: "bytes_per_second",
            help: "Bytes moved per second by completed requests.",
            values: [
                Value([("operation", "read")]) { $0.readBytes },
                Value([("operation", "write")]) { $0.writeBytes },
            ]),
        OpenMetricsGauge(
            name: "vblktop_errors_per_second", help: "Requests that ended with an error.",
            values: [Value { $0.errors }]),
        OpenMetricsGauge(
            name: "vblktop_merges_per_second", help: "Requests merged into others.",
            values: [Value { $0.merges }]),
        OpenMetricsGauge(
            name: "vblktop_kicks_per_second", help: "Notifications from driver to device.",
            values: [Value { $0.kicks }]),
        OpenMetricsGauge(
            name: "vblktop_interrupts_per_second", help: "Notifications from device to driver.",
            values: [Value { $0.interrupts }]),
        OpenMetricsGauge(
            name: "vblktop_exits_per_second", help: "Times the guest was left for the LUN.",
            values: [Value { $0.exits }]),
        OpenMetricsGauge(
            name: "vblktop_requests_in_flight", help: "Requests in flight at the sample.",
            values: [Value { $0.queueDepth?.now.map { Double($0) } }]),
        OpenMetricsGauge(
            name: "vblktop_queue_depth_mean",
            help: "Requests in flight, time-weighted over the interval.",
            values: [Value { $0.queueDepth?.mean }]),
        OpenMetricsGauge(
            name: "vblktop_oldest_in_flight_seconds", unit: "seconds",
            help: "Age of the oldest request in flight.",
            values: [Value { $0.oldestInFlight.map { $0 / 1e6 } }]),
        OpenMetricsGauge(
            name: "vblktop_latency_mean_seconds", unit: "seconds",
            help: "Mean latency of the interval's requests.",
            values: [
                Value([("operation", "read")]) { $0.readLatency?.mean.map { $0 / 1e6 } },
                Value([("operation", "write")]) { $0.writeLatency?.mean.map { $0 / 1e6 } },
            ]),
        OpenMetricsGauge(
            name: "vblktop_stage_mean_seconds", unit: "seconds",
            help: "Mean time of a request in a stage.",
            values: StageTimes.Stage.allCases.map { stage in
                Value([("stage", stage.key)]) { $0.stages?[stage].map { $0 / 1e6 } }
            }),
    ]
}
