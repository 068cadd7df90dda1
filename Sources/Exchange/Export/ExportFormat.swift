public import Telemetry

/// A format of other tools that recordings are written in.
public enum ExportFormat: String, Sendable, CaseIterable {
    case blktrace
    case fio
    case csv
    case jsonl
    case perfetto
    case ctf
    case openmetrics

    /// The name users give it.
    public var name: String { rawValue }

    /// One line for a list of formats.
    public var summary: String {
        switch self {
        case .blktrace: "binary blktrace, for blkparse, btt and fio"
        case .fio: "fio I/O log version 3, for fio --read_iolog"
        case .csv: "comma-separated values with a header line"
        case .jsonl: "JSON Lines, an object a line"
        case .perfetto: "Perfetto protobuf, for ui.perfetto.dev"
        case .ctf: "Common Trace Format 1.8, a folder, for babeltrace2 and Trace Compass"
        case .openmetrics: "OpenMetrics text of the last sample, for Prometheus"
        }
    }

    /// How the names of its files end, without the dot; `nil` for a folder. blkparse wants a file
    /// for CPU 0 and is told its name without this end.
    public var fileExtension: String? {
        switch self {
        case .blktrace: "blktrace.0"
        case .fio: "iolog"
        case .csv: "csv"
        case .jsonl: "jsonl"
        case .perfetto: "pftrace"
        case .ctf: nil
        case .openmetrics: "prom"
        }
    }

    /// The name of the exporter's own bytes in the folder that the format is; `nil` for a format of
    /// one file.
    public var streamName: String? { self == .ctf ? CTFExporter.streamName : nil }

    /// What an export is made of.
    public enum Content: Sendable, CaseIterable { case requests, samples }

    /// What it can be made of; of both, one at a time.
    public var contents: Set<Content> {
        switch self {
        case .blktrace, .fio, .perfetto, .ctf: [.requests]
        case .csv, .jsonl: [.requests, .samples]
        case .openmetrics: [.samples]
        }
    }

    /// The finest difference of time it can tell, nanoseconds.
    public var timeResolution: Nanoseconds { self == .fio ? 1000 : 1 }

    /// Writes requests; `nil` for a format that has none.
    public func requestExporter(origin: ExportOrigin) -> (any TraceExporter)? {
        switch self {
        case .blktrace: BlktraceExporter(origin: origin)
        case .fio: FioLogExporter(origin: origin)
        case .csv: RequestCSVExporter(origin: origin)
        case .jsonl: RequestJSONExporter(origin: origin)
        case .perfetto: PerfettoExporter(origin: origin)
        case .ctf: CTFExporter(origin: origin)
        case .openmetrics: nil
        }
    }

    /// Writes samples; `nil` for a format that has none.
    public func sampleExporter() -> (any SampleExporter)? {
        switch self {
        case .csv: SampleCSVExporter()
        case .jsonl: SampleJSONExporter()
        case .openmetrics: OpenMetricsExporter()
        case .blktrace, .fio, .perfetto, .ctf: nil
        }
    }
}
