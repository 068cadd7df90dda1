internal import Telemetry

/// MQSim's traces: `nanoseconds device sector sectors type`, type 1 a read and 0 a write.
struct MQSimParser: LineParser {
    var report = ImportReport()
    private var devices = DeviceTable()

    mutating func take(
        _ line: Span<UInt8>, number: UInt64, into sink: inout some TraceSink
    ) throws {
        var fields = Fields()
        guard let time = fields.number(line), let device = fields.number(line),
            let sector = fields.number(line), let sectors = fields.number(line),
            let type = fields.number(line), fields.isAtEnd(of: line), type < 2,
            sectors <= UInt64(UInt32.max) / 512, time <= UInt64.max - Epoch.lead
        else {
            report.faults.add(line: number, "no line of an MQSim trace")
            return
        }
        guard let lun = try devices.index(of: device, into: &sink, name: { "device \(device)" })
        else {
            report.faults.add(line: number, ImportReport.tooManyDevices)
            return
        }
        try report.hand(
            IOEvent(
                type: type == 1 ? RequestType.read.rawValue : RequestType.write.rawValue, lun: lun,
                sector: sector,
                bytes: sectors * 512, submitted: time + Epoch.lead),
            to: &sink)
    }
}
