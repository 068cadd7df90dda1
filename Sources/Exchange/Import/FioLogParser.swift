internal import Telemetry

/// fio's I/O log, version 2 (`file action offset length`, times as `wait` lines) and 3 (a time in
/// microseconds before each line).
///
/// What `wait` means is taken from fio's doing: milliseconds from the begin of the replay (seen in
/// fio 3.33; its manual tells of microseconds).
struct FioLogParser: LineParser {
    var report = ImportReport()
    private var devices = DeviceTable()
    private var version = 0
    /// The time of the last `wait` of version 2.
    private var waited: Nanoseconds = 0

    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink
    ) throws {
        if version == 0 {
            takeHeader(line, number: number)
            return
        }
        var fields = Fields()
        var time = waited
        if version == 3 {
            guard let stamp = fields.number(line), let scaled = Self.scaled(stamp, 1000) else {
                report.faults.add(line: number, "no time in microseconds at its begin")
                return
            }
            time = scaled
        }
        let file = fields.word(line)
        let action = fields.word(line)
        if line.holds("add", at: action) || line.holds("open", at: action)
            || line.holds("close", at: action)
        {
            report.skipped += 1
            return
        }
        if line.holds("wait", at: action) {
            takeWait(line, &fields, number: number)
            return
        }
        let (sector, bytes) = (fields.number(line), fields.number(line))
        guard let type = Self.type(line, action),
            type == RequestType.flush.rawValue || (sector != nil && bytes != nil)
        else {
            report.faults.add(line: number, "no action of fio's log, or no offset and length")
            return
        }
        guard let lun = try devices.index(ofName: file, in: line, into: &sink) else {
            report.faults.add(line: number, ImportReport.tooManyDevices)
            return
        }
        let isFlush = type == RequestType.flush.rawValue
        try report.hand(
            IOEvent(
                type: type, lun: lun, sector: isFlush ? 0 : (sector ?? 0) / 512,
                bytes: isFlush ? 0 : bytes ?? 0, submitted: time),
            to: &sink)
    }

    private mutating func takeHeader(_ line: Span<UInt8>, number: UInt64) {
        if line.starts(with: "fio version 2 iolog") {
            version = 2
        } else if line.starts(with: "fio version 3 iolog") {
            version = 3
        } else {
            report.faults.add(line: number, "no head of a fio log of version 2 or 3")
            return
        }
        waited = Epoch.lead
        report.skipped += 1
    }

    private mutating func takeWait(_ line: Span<UInt8>, _ fields: inout Fields, number: UInt64) {
        guard let wait = fields.number(line), let time = Self.scaled(wait, 1_000_000) else {
            report.faults.add(line: number, "no time to wait for")
            return
        }
        if version == 2 { waited = time }
        report.skipped += 1
    }

    /// A count of `unit` nanoseconds as a time.
    private static func scaled(_ count: UInt64, _ unit: UInt64) -> Nanoseconds? {
        let (time, isOver) = count.multipliedReportingOverflow(by: unit)
        let (sum, isOverToo) = time.addingReportingOverflow(Epoch.lead)
        return isOver || isOverToo ? nil : sum
    }

    private static func type(_ line: Span<UInt8>, _ action: Range<Int>) -> UInt32? {
        if line.holds("read", at: action) { return RequestType.read.rawValue }
        if line.holds("write", at: action) { return RequestType.write.rawValue }
        if line.holds("trim", at: action) { return RequestType.discard.rawValue }
        if line.holds("sync", at: action) || line.holds("datasync", at: action) {
            return RequestType.flush.rawValue
        }
        return nil
    }
}
