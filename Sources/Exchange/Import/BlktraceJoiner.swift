internal import Telemetry

/// Makes requests of blktrace's records, which must come in order of time.
///
/// Times stay as they are: `CLOCK_MONOTONIC` nanoseconds of the host that was traced, since Linux
/// 2.6.30.
struct BlktraceJoiner {
    private var joiner = RequestJoiner()
    private var devices = DeviceTable()

    var report: ImportReport {
        get { joiner.report }
        set { joiner.report = newValue }
    }

    /// Takes a record; `reader` is that of its file.
    mutating func take(
        _ record: BlktraceRecord, from reader: BlktraceReader, into sink: inout some TraceSink
    ) throws {
        if record.has(.notify) {
            noteTime(record, reader)
            joiner.report.skipped += 1
            return
        }
        guard let action = Self.action(record), !record.has(.passthrough),
            let kind = Self.kind(record)
        else {
            joiner.report.skipped += 1
            return
        }
        let device = record.device
        let lun = try devices.index(of: UInt64(device), into: &sink) {
            "\(device >> 20),\(device & 0xFFFFF)"
        }
        guard let lun else {
            joiner.report.faults.add(line: record.number, ImportReport.tooManyDevices)
            return
        }
        let step = BlockStep(
            action: action, time: max(record.time, 1), lun: lun, kind: kind,
            sector: record.sector, bytes: record.bytes, hasError: record.error != 0)
        try joiner.take(step, number: record.number, into: &sink)
    }

    mutating func finish(into sink: inout some TraceSink) throws {
        try joiner.finish(into: &sink)
    }

    /// A TIMESTAMP notify carries the wall clock at its own time: seconds and nanoseconds.
    private mutating func noteTime(_ record: BlktraceRecord, _ reader: BlktraceReader) {
        guard record.code == 1, record.dataBytes >= 8, joiner.report.origin == nil else { return }
        let seconds = reader.inFileOrder(UInt32(truncatingIfNeeded: record.first >> 32))
        let nanoseconds = reader.inFileOrder(UInt32(truncatingIfNeeded: record.first))
        let wall = Int64(seconds) * 1_000_000_000 + Int64(nanoseconds)
        guard let time = Int64(exactly: record.time) else { return }
        joiner.report.origin = wall - time
    }

    private static func action(_ record: BlktraceRecord) -> BlockStep.Action? {
        switch record.code {
        case 1: .queue
        case 2: .backMerge
        case 3: .frontMerge
        case 6: .requeue
        case 7: .issue
        case 8: .complete
        // What follows is the sector at which the second part begins, big-endian.
        case 13: record.dataBytes >= 8 ? .split(at: record.first) : nil
        default: nil
        }
    }

    private static func kind(_ record: BlktraceRecord) -> BlockOperation? {
        if record.has(.discard) { return .data(RequestType.discard.rawValue) }
        return BlockOperation(
            isWrite: record.has(.write), isFlush: record.has(.flush), bytes: record.bytes)
    }
}
