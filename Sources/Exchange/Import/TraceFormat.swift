internal import Telemetry

/// The traces of other tools that can be read.
public enum TraceFormat: String, Sendable, CaseIterable {
    case blktrace, blkparse, fio, blkreplay, msr, systor, alibaba, tencent, mqsim, perf

    /// One line for a list of formats.
    public var summary: String {
        switch self {
        case .blktrace: "blktrace, binary: DEVICE.blktrace.CPU, or blktrace -o -"
        case .blkparse: "blkparse, its default text"
        case .fio: "fio, --write_iolog, versions 2 and 3"
        case .blkreplay: "blkreplay, loads and results"
        case .msr: "MSR Cambridge, CSV"
        case .systor: "SYSTOR '17, CSV"
        case .alibaba: "Alibaba 2020, CSV"
        case .tencent: "Tencent CBS, CSV"
        case .mqsim: "MQSim, text"
        case .perf: "perf script of block: events"
        }
    }

    /// How names of such files end, without the dot.
    public var fileExtensions: [String] {
        switch self {
        case .blktrace: ["blktrace"]
        case .blkparse: ["blkparse"]
        case .fio: ["iolog", "fio"]
        case .blkreplay: ["load"]
        case .msr, .systor, .alibaba, .tencent: ["csv"]
        case .mqsim: ["trace"]
        case .perf: ["perf"]
        }
    }

    /// Whether its requests have completions. Where not, requests count when they are submitted,
    /// and there are no latencies and no queue depth.
    public var hasCompletions: Bool {
        switch self {
        case .blktrace, .blkparse, .msr, .systor, .perf: true
        case .fio, .blkreplay, .alibaba, .tencent, .mqsim: false
        }
    }

    /// An importer of this format, with nothing read yet; `name` is for the disk of a format that
    /// does not name it.
    public func importer(name: String) -> any TraceImporter {
        switch self {
        case .blktrace: BlktraceImporter()
        case .blkparse: LineImporter(BlkparseParser())
        case .fio: LineImporter(FioLogParser())
        case .blkreplay: LineImporter(BlkreplayParser(name: name))
        case .msr: LineImporter(CommaParser<MSRFormat>())
        case .systor: LineImporter(CommaParser<SystorFormat>())
        case .alibaba: LineImporter(CommaParser<AlibabaFormat>())
        case .tencent: LineImporter(CommaParser<TencentFormat>())
        case .mqsim: LineImporter(MQSimParser())
        case .perf: LineImporter(PerfScriptParser())
        }
    }

    /// Bytes of a file's begin by which its format can be told.
    public static let guessBytes = 16384

    /// The format of a file that begins with `bytes` (unpacked), `nil` where they tell of none: the
    /// first whose importer reads a request of these bytes with less faults than requests. A head
    /// that names the format decides; the file's name only where the bytes do not.
    public static func guess(_ bytes: ArraySlice<UInt8>, fileName: String) -> TraceFormat? {
        let begin = bytes.prefix(guessBytes)
        if begin.starts(with: "fio version ".utf8) { return .fio }
        // Of the CSVs a line of one is hardly ever one of another: the order decides nothing.
        var best: (format: TraceFormat, requests: UInt64)?
        for format in allCases {
            var importer = format.importer(name: "")
            var sink = CountingSink()
            // The sink does not throw.
            try? importer.take(begin, into: &sink)
            try? importer.finish(into: &sink)
            let report = importer.report
            // The last line may be cut.
            guard report.requests > 0, report.faults.count <= report.requests else { continue }
            if report.requests > best?.requests ?? 0 { best = (format, report.requests) }
        }
        if let best { return best.format }
        var name = fileName.lowercased()
        if name.hasSuffix(".gz") { name.removeLast(3) }
        if name.contains(".blktrace.") { return .blktrace }
        return allCases.first { format in
            format.fileExtensions.count == 1 && format.fileExtensions[0] != "csv"
                && name.hasSuffix("." + format.fileExtensions[0])
        }
    }
}

/// Takes requests and keeps none.
private struct CountingSink: TraceSink {
    mutating func take(_ event: IOEvent) {}
    mutating func name(_ name: String, ofLUN index: UInt16) {}
}
