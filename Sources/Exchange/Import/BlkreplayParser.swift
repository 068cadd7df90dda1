internal import Telemetry

/// blkreplay's loads: words about the file, a line of heads, then `start ; sector ; sectors ; op ;
/// delay ; duration` in seconds. A load has delay and duration 0, the result of a replay has
/// measured ones.
struct BlkreplayParser: LineParser {
    var report = ImportReport()
    /// What the one disk is called.
    let name: String
    private var devices = DeviceTable()
    private var hasBegun = false

    init(name: String) { self.name = name }

    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink
    ) throws {
        if line[0] == UInt8(ascii: "#") || line.starts(with: "start") {
            report.skipped += 1
            return
        }
        var fields = Fields()
        guard let event = Self.event(line, &fields) else {
            if hasBegun {
                report.faults.add(line: number, "no line of a blkreplay load")
            } else {
                report.skipped += 1
            }
            return
        }
        hasBegun = true
        let name = name
        _ = try devices.index(of: 0, into: &sink) { name }
        try report.hand(event, to: &sink)
    }

    private static func event(_ line: Span<UInt8>, _ fields: inout Fields) -> IOEvent? {
        guard let start = fields.seconds(line), fields.accept(";", in: line),
            let sector = fields.number(line), fields.accept(";", in: line),
            let sectors = fields.number(line), sectors <= UInt64(UInt32.max) / 512,
            fields.accept(";", in: line)
        else { return nil }
        let word = fields.word(line)
        let type: UInt32
        switch BlockOperation(rwbs: word, in: line, bytes: UInt32(sectors) * 512) {
        case .data(let data): type = data
        case .flush: type = RequestType.flush.rawValue
        case nil: return nil
        }
        var (delay, duration): (Nanoseconds, Nanoseconds) = (0, 0)
        if fields.accept(";", in: line), let first = fields.seconds(line),
            fields.accept(";", in: line), let second = fields.seconds(line)
        {
            (delay, duration) = (first, second)
        }
        let (led, isOver) = start.addingReportingOverflow(Epoch.lead)
        let (submitted, isOverToo) = led.addingReportingOverflow(delay)
        let (end, isOverAtLast) = submitted.addingReportingOverflow(duration)
        if isOver || isOverToo || isOverAtLast { return nil }
        return IOEvent(
            type: type, lun: 0, sector: sector, bytes: sectors * 512, submitted: submitted,
            completed: duration > 0 ? end : 0)
    }
}
