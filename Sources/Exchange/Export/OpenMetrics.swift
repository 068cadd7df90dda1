public import Telemetry

/// Writes the last sample as OpenMetrics 1.0 text, for a scrape or for node_exporter's textfile
/// collector.
///
/// Rates and latencies are those of the sample's interval, so nothing here is a counter: rates and
/// depths are gauges, latencies are summaries, and where all latencies were counted, gauge
/// histograms whose bounds are powers of two nanoseconds. What is not known has no line. Not
/// carried: threads, locks, the host, findings; the JSON form has them.
public struct OpenMetricsExporter: SampleExporter {
    private var last: Snapshot?

    public init() {}

    /// Keeps the sample: the text has room for one.
    public mutating func bytes(for sample: Snapshot) -> [UInt8] {
        last = sample
        return []
    }

    public mutating func finish() -> [UInt8] {
        guard let last else { return Array("# EOF\n".utf8) }
        return Array(Self.text(of: last).utf8)
    }

    /// One sample as a whole exposition.
    public static func text(of sample: Snapshot) -> String {
        var text = OpenMetricsText()
        about(sample, in: &text)
        for gauge in OpenMetricsGauge.all { write(gauge, of: sample, in: &text) }
        summaries(of: sample, in: &text)
        histograms(of: sample, in: &text)
        return text.finished
    }

    private static func about(_ sample: Snapshot, in text: inout OpenMetricsText) {
        text.family("vblktop", .info, help: "What watches, and what is watched.")
        text.line(
            "vblktop_info",
            [
                ("version", vblktopVersion), ("source", sample.source.kind.rawValue),
                ("name", sample.source.name),
            ], "1")
        text.family(
            "vblktop_sample_timestamp_seconds", .gauge, unit: "seconds",
            help: "When the sample was taken, seconds since 1970-01-01 UTC.")
        text.line(
            "vblktop_sample_timestamp_seconds", [], "\(Double(sample.wallClock) / 1e9)")
        text.family(
            "vblktop_lost_events", .gauge, help: "Trace events lost since the start.")
        text.line("vblktop_lost_events", [], "\(sample.ownCost.lostEvents)")
    }

    private static func write(
        _ gauge: OpenMetricsGauge, of sample: Snapshot, in text: inout OpenMetricsText
    ) {
        text.family(gauge.name, .gauge, unit: gauge.unit, help: gauge.help)
        for lun in sample.luns {
            for value in gauge.values {
                guard let number = value.number(lun.rates), number.isFinite else { continue }
                text.line(gauge.name, labels(of: lun) + value.labels, "\(number)")
            }
        }
    }

    private static func labels(of lun: LUN) -> [OpenMetricsText.Label] {
        (lun.vm.map { [("vm", $0)] } ?? []) + [("lun", lun.id)]
    }

    private static func summaries(of sample: Snapshot, in text: inout OpenMetricsText) {
        let name = "vblktop_latency_seconds"
        text.family(
            name, .summary, unit: "seconds", help: "Latency of the interval's requests.")
        for lun in sample.luns {
            let both = [("read", lun.rates.readLatency), ("write", lun.rates.writeLatency)]
            for (operation, latency) in both {
                let quantiles = [
                    ("0.5", latency?.p50), ("0.99", latency?.p99), ("0.999", latency?.p999),
                    ("1.0", latency?.max),
                ]
                for (quantile, value) in quantiles {
                    guard let value, value.isFinite, value >= 0 else { continue }
                    let own = [("operation", operation), ("quantile", quantile)]
                    text.line(name, labels(of: lun) + own, "\(value / 1e6)")
                }
            }
        }
    }

    private static func histograms(of sample: Snapshot, in text: inout OpenMetricsText) {
        let name = "vblktop_request_latency_seconds"
        text.family(
            name, .gaugeHistogram, unit: "seconds",
            help: "The interval's requests by their latency.")
        for lun in sample.luns {
            let both = [
                ("read", lun.readLatencies, lun.rates.readLatency),
                ("write", lun.writeLatencies, lun.rates.writeLatency),
            ]
            for (operation, latencies, summary) in both {
                guard let latencies else { continue }
                let own = labels(of: lun) + [("operation", operation)]
                let uncertainty = lun.rates.latencyUncertainty
                histogram(latencies, name, own, uncertainty: uncertainty, in: &text)
                // Of a time that nobody counts there is no sum.
                guard uncertainty == nil || summary?.mean != nil else { continue }
                text.line(name + "_gsum", own, OpenMetricsText.seconds(latencies.sum))
            }
        }
    }

    /// Bounds from 1 µs to 17 s; the last value below each power of two, since a bound belongs to
    /// its bucket. Requests that were over too soon to tell took at most what they may be off by,
    /// to either side.
    private static func histogram(
        _ latencies: LatencyHistogram, _ name: String, _ labels: [OpenMetricsText.Label],
        uncertainty: Double?, in text: inout OpenMetricsText
    ) {
        var rest = latencies.buckets[...]
        var (count, untold) = (UInt64(0), uncertainty == nil ? 0 : latencies.untoldCount)
        if untold > 0 { rest = rest.dropFirst() }
        for power in 10...34 {
            let bound = (UInt64(1) << UInt64(power)) - 1
            if Double(bound) >= 2000 * (uncertainty ?? 0) {
                count &+= untold
                untold = 0
            }
            while let bucket = rest.first,
                LatencyBuckets.range(of: Int(bucket.index)).upperBound <= bound
            {
                count &+= UInt64(bucket.count)
                rest = rest.dropFirst()
            }
            let le = OpenMetricsText.seconds(bound)
            text.line(name + "_bucket", labels + [("le", le)], "\(count)")
        }
        text.line(name + "_bucket", labels + [("le", "+Inf")], "\(latencies.count)")
        text.line(name + "_gcount", labels, "\(latencies.count)")
    }
}
