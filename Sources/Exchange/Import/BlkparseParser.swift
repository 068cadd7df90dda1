internal import Telemetry

/// blkparse's default output: `maj,min cpu sequence seconds pid action RWBS sector + sectors
/// [process]`, and a summary at the end, which is no trace.
struct BlkparseParser: LineParser {
    private var joiner = RequestJoiner()
    private var devices = DeviceTable()
    private var isInSummary = false

    var report: ImportReport {
        get { joiner.report }
        set { joiner.report = newValue }
    }

    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink
    ) throws {
        if isInSummary || line[0] == UInt8(ascii: "#") {
            joiner.report.skipped += 1
            return
        }
        var fields = Fields()
        fields.skipBlanks(line)
        if line.starts(with: "CPU", at: fields.at) || line.starts(with: "Total (", at: fields.at)
            || line.starts(with: "Input file ", at: fields.at)
        {
            isInSummary = true
            joiner.report.skipped += 1
            return
        }
        guard let major = fields.number(line), fields.accept(",", in: line),
            let minor = fields.number(line), fields.number(line) != nil,
            fields.number(line) != nil, let time = fields.seconds(line),
            fields.number(line) != nil, major < 1 << 32, minor < 1 << 32
        else {
            joiner.report.faults.add(line: number, "no line of blkparse's default format")
            return
        }
        let action = fields.word(line)
        guard action.count == 1, let kind = Self.action(line[action.lowerBound]) else {
            joiner.report.skipped += 1
            return
        }
        let lun = try devices.index(of: major << 32 | minor, into: &sink) { "\(major),\(minor)" }
        guard let lun else {
            joiner.report.faults.add(line: number, ImportReport.tooManyDevices)
            return
        }
        let (stamp, isOver) = time.addingReportingOverflow(Epoch.lead)
        switch isOver ? .unreadable : BlockExtent.read(line, &fields) {
        case .request(let extent):
            let step = BlockStep(
                action: kind == .split(at: 0) ? .split(at: extent.second) : kind,
                time: stamp, lun: lun, kind: extent.kind, sector: extent.sector,
                bytes: extent.bytes,
                hasError: kind == .complete && BlockExtent.hasError(line, &fields))
            try joiner.take(step, number: number, into: &sink)
        case .other: joiner.report.skipped += 1
        case .unreadable:
            joiner.report.faults.add(line: number, "no sectors where they should be")
        }
    }

    mutating func finish(into sink: inout some TraceSink) throws {
        try joiner.finish(into: &sink)
    }

    private static func action(_ letter: UInt8) -> BlockStep.Action? {
        switch letter {
        case UInt8(ascii: "Q"): .queue
        case UInt8(ascii: "M"): .backMerge
        case UInt8(ascii: "F"): .frontMerge
        case UInt8(ascii: "X"): .split(at: 0)
        case UInt8(ascii: "D"): .issue
        case UInt8(ascii: "R"): .requeue
        case UInt8(ascii: "C"): .complete
        default: nil
        }
    }
}
