/// The unit latencies are shown in.
public enum LatencyUnit: Sendable, CaseIterable {
    case microseconds, milliseconds
    /// Each value with its own unit.
    case automatic

    /// The next one, in the order the key goes through them.
    var next: LatencyUnit {
        switch self {
        case .microseconds: .milliseconds
        case .milliseconds: .automatic
        case .automatic: .microseconds
        }
    }
}

/// What a column counts in: it decides the decimals, and for latencies the title.
enum Unit: Sendable {
    /// A plain number.
    case count
    /// A mean of counts.
    case mean
    case perSecond
    /// Given in microseconds.
    case latency
    /// Given in microseconds, shown as milliseconds whatever the unit of latencies.
    case milliseconds
    /// Given in bytes per second, shown as MiB/s.
    case bandwidth
    /// Given in bytes, shown as KiB.
    case kibibytes
    /// Given in bytes, shown with a suffix.
    case bytes
    case percent
    case ratio

    /// What the help says.
    var name: String {
        switch self {
        case .count, .mean: "count"
        case .perSecond: "1/s"
        case .latency: "latency"
        case .milliseconds: "ms"
        case .bandwidth: "MiB/s"
        case .kibibytes: "KiB"
        case .bytes: "bytes"
        case .percent: "%"
        case .ratio: "ratio"
        }
    }

    /// `value` as the table shows it, in at most `width` cells; wider ones get a suffix.
    func text(_ value: Double, width: Int, latency: LatencyUnit, micro: String) -> String {
        let plain =
            switch self {
            case .count: NumberText.fixed(value, decimals: 0)
            case .perSecond: NumberText.fixed(value, decimals: abs(value) < 9.95 ? 1 : 0)
            case .mean, .percent, .kibibytes: tenths(value)
            case .bandwidth: tenths(value / 1_048_576)
            case .bytes: NumberText.compactBytes(value)
            case .ratio: NumberText.figures(value, decimals: 3)
            case .latency: latencyText(value, unit: latency, micro: micro)
            case .milliseconds: NumberText.figures(value / 1000, decimals: 3)
            }
        guard let plain else { return "-" }
        if plain.utf8.count <= width { return plain }
        return switch self {
        case .bandwidth: NumberText.compact(value / 1_048_576)
        case .milliseconds: NumberText.compact(value / 1000)
        case .latency where latency == .milliseconds: NumberText.compact(value / 1000)
        case .latency where latency == .automatic: plain
        default: NumberText.compact(value)
        }
    }

    private func tenths(_ value: Double) -> String? {
        let value = self == .kibibytes ? value / 1024 : value
        return NumberText.fixed(value, decimals: abs(value) < 99.95 ? 1 : 0)
    }

    private func latencyText(_ value: Double, unit: LatencyUnit, micro: String) -> String? {
        switch unit {
        case .microseconds: NumberText.fixed(value, decimals: abs(value) < 99.95 ? 1 : 0)
        case .milliseconds: NumberText.figures(value / 1000, decimals: 3)
        case .automatic: NumberText.duration(value, micro: micro)
        }
    }
}
