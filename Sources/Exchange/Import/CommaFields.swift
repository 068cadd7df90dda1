internal import Telemetry

/// Fields between commas, as the published traces have them: without quotes.
struct CommaFields {
    private var fields = Fields()

    /// The next field, `nil` where the line has no more.
    mutating func next(_ line: Span<UInt8>) -> Range<Int>? {
        if fields.at > line.count { return nil }
        let field = fields.field(line, before: UInt8(ascii: ","))
        // Behind the last field stands no comma: step over the end, so that the next one is none.
        if field.upperBound == line.count { fields.at = line.count + 1 }
        return field
    }

    /// The next field as a number; `nil` where it is none, or something follows it.
    mutating func number(_ line: Span<UInt8>) -> UInt64? {
        guard let field = next(line) else { return nil }
        var inner = Fields(at: field.lowerBound)
        let value = inner.number(line)
        return inner.at == field.upperBound ? value : nil
    }

    /// The next field as seconds.
    mutating func seconds(_ line: Span<UInt8>) -> Nanoseconds? {
        guard let field = next(line) else { return nil }
        var inner = Fields(at: field.lowerBound)
        let value = inner.seconds(line)
        return inner.at == field.upperBound ? value : nil
    }
}

/// A format with one request a line, fields between commas, and wall-clock times.
protocol CommaFormat {
    /// One line's content.
    static func read(_ line: Span<UInt8>, _ fields: inout CommaFields) -> CommaRequest?
    /// What a line that is not read should have been.
    static var fault: String { get }
}

/// A request of such a line.
struct CommaRequest {
    /// Since 1970-01-01 UTC, nanoseconds.
    var wall: UInt64
    /// virtio-blk type; `nil` where the line leaves it blank.
    var type: UInt32?
    /// Where the device's name stands.
    var device: Range<Int>
    var sector: UInt64
    var bytes: UInt64
    /// How long it took, nanoseconds; `nil` where the line does not say.
    var response: Nanoseconds?
}

/// The parser of these formats.
struct CommaParser<Format: CommaFormat>: LineParser {
    var report = ImportReport()
    private var devices = DeviceTable()
    private var clock = WallClock()
    private var isFirst = true

    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink
    ) throws {
        var fields = CommaFields()
        let isHead = isFirst && !(0x30...0x39).contains(line[0])
        isFirst = false
        guard let request = Format.read(line, &fields) else {
            // A first line of words names the columns.
            if isHead {
                report.skipped += 1
            } else {
                report.faults.add(line: number, Format.fault)
            }
            return
        }
        guard let type = request.type else {
            report.skipped += 1
            return
        }
        guard let time = clock.monotonic(request.wall) else {
            report.faults.add(line: number, "a time over an hour before the first, or too late")
            return
        }
        report.origin = clock.origin
        guard let lun = try devices.index(ofName: request.device, in: line, into: &sink) else {
            report.faults.add(line: number, ImportReport.tooManyDevices)
            return
        }
        var event = IOEvent(
            type: type, lun: lun, sector: request.sector, bytes: request.bytes, submitted: time)
        if let response = request.response {
            let (end, isOver) = time.addingReportingOverflow(response)
            if !isOver { event.completed = end }
        }
        try report.hand(event, to: &sink)
    }
}
