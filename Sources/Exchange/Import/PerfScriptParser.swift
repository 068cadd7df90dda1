internal import Telemetry

/// `perf script` of block events: `process pid [cpu] seconds: block:EVENT: maj,min RWBS …`.
/// Times stay as they are, perf's clock; other lines are skipped.
struct PerfScriptParser: LineParser {
    private var joiner = RequestJoiner()
    private var devices = DeviceTable()

    var report: ImportReport {
        get { joiner.report }
        set { joiner.report = newValue }
    }

    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink
    ) throws {
        guard line[0] != UInt8(ascii: "#"), let event = Self.event(in: line) else {
            joiner.report.skipped += 1
            return
        }
        var fields = Fields(at: event.end)
        guard let time = Self.time(in: line, before: event.start), let major = fields.number(line),
            fields.accept(",", in: line), let minor = fields.number(line), major < 1 << 32,
            minor < 1 << 32
        else {
            joiner.report.faults.add(line: number, "no time or device where it should be")
            return
        }
        let lun = try devices.index(of: major << 32 | minor, into: &sink) { "\(major),\(minor)" }
        guard let lun else {
            joiner.report.faults.add(line: number, ImportReport.tooManyDevices)
            return
        }
        switch BlockExtent.read(line, &fields) {
        case .request(let extent):
            let isSplit = event.action == .split(at: 0)
            let step = BlockStep(
                action: isSplit ? .split(at: extent.second) : event.action, time: max(time, 1),
                lun: lun, kind: extent.kind, sector: extent.sector, bytes: extent.bytes,
                hasError: event.action == .complete && BlockExtent.hasError(line, &fields))
            try joiner.take(step, number: number, into: &sink)
        case .other: joiner.report.skipped += 1
        case .unreadable:
            joiner.report.faults.add(line: number, "no sectors where they should be")
        }
    }

    mutating func finish(into sink: inout some TraceSink) throws {
        try joiner.finish(into: &sink)
    }

    private struct Event {
        var action: BlockStep.Action
        /// Where `block:` begins; where what the event carries begins.
        var start: Int
        var end: Int
    }

    /// The first event of the block layer that is named in the line, and is one to be joined.
    private static func event(in line: Span<UInt8>) -> Event? {
        var at = 0
        while at + 6 < line.count {
            guard line[at] == UInt8(ascii: "b"), line.starts(with: "block:", at: at) else {
                at += 1
                continue
            }
            var fields = Fields(at: at + 6)
            let name = fields.field(line, before: UInt8(ascii: ":"))
            guard let action = action(line, name) else { return nil }
            return Event(action: action, start: at, end: fields.at)
        }
        return nil
    }

    private static func action(_ line: Span<UInt8>, _ name: Range<Int>) -> BlockStep.Action? {
        if line.holds("block_rq_issue", at: name) { return .issue }
        if line.holds("block_rq_complete", at: name) { return .complete }
        if line.holds("block_rq_insert", at: name) { return .insert }
        if line.holds("block_bio_queue", at: name) { return .queue }
        if line.holds("block_rq_requeue", at: name) { return .requeue }
        if line.holds("block_bio_backmerge", at: name) { return .backMerge }
        if line.holds("block_bio_frontmerge", at: name) { return .frontMerge }
        if line.holds("block_rq_merge", at: name) { return .backMerge }
        if line.holds("block_split", at: name) { return .split(at: 0) }
        return nil
    }

    /// The time, which stands before the event with a colon behind it.
    private static func time(in line: Span<UInt8>, before event: Int) -> Nanoseconds? {
        var end = event
        while end > 0, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        guard end > 0, line[end - 1] == UInt8(ascii: ":") else { return nil }
        var start = end - 1
        while start > 0, line[start - 1] != 0x20, line[start - 1] != 0x09 { start -= 1 }
        var fields = Fields(at: start)
        guard let time = fields.seconds(line), fields.at == end - 1 else { return nil }
        return time
    }
}
