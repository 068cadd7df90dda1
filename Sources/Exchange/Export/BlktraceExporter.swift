public import Telemetry

/// Writes the binary traces of blktrace (blktrace_api.h), for blkparse, btt and fio.
///
/// A request becomes up to four records: Q at its start, I when the device took it from the ring, D
/// when the backend got it, and C at its end, as the driver saw it if it did. A step with no stamp,
/// or one that lies before the step before it or after the end, has no record. So btt's Q2C is the
/// latency that vblktop shows, and D2C the time from the backend's getting it to the end.
///
/// Times are `CLOCK_MONOTONIC` nanoseconds, exact; a TIMESTAMP record ties them to the wall clock.
/// LUN number n is the device 252,16n, as a kernel numbers virtio disks. Not carried: names of
/// LUNs, virtqueue and head, the stamps between; a write of zeroes is a write, as the kernel traces
/// it; a status that is not known is 0.
public struct BlktraceExporter: TraceExporter {
    private struct Record: Sendable {
        var sector: UInt64
        var bytes: UInt32
        var action: UInt32
        var device: UInt32
        var error: UInt16 = 0
    }

    private let origin: ExportOrigin
    private var order = TimeOrder<Record>()
    /// The number of each LUN's last record: a kernel counts those of every device from 1, and
    /// readers take a gap for records that are lost.
    private var sequences: [UInt32] = []
    private var isBegun = false
    /// Requests without any stamp: they have no place in time.
    public private(set) var omitted: UInt64 = 0
    /// Records that were given a later time than their own, because a later one was written before
    /// they came.
    public var displaced: UInt64 { order.displaced }

    /// Writes traces that begin at `origin`.
    public init(origin: ExportOrigin) { self.origin = origin }

    /// The format knows devices by their number.
    public mutating func name(_ name: String, ofLUN index: UInt16) {}

    public mutating func bytes(for events: [IOEvent]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(events.count &* 192)
        for event in events {
            begin(at: event, into: &bytes)
            add(event)
            write(upTo: event.start, into: &bytes)
        }
        return bytes
    }

    public mutating func finish() -> [UInt8] {
        var bytes: [UInt8] = []
        write(upTo: .max, into: &bytes)
        return bytes
    }

    private mutating func write(upTo latest: Nanoseconds, into bytes: inout [UInt8]) {
        while let (time, record) = order.next(upTo: latest) {
            write(record, at: time, dataCount: 0, into: &bytes)
        }
    }

    /// The steps of one request that have a time.
    private mutating func add(_ event: IOEvent) {
        let (start, end) = (event.start, event.end)
        guard start != 0 || end != 0 else {
            omitted &+= 1
            return
        }
        var record = Record(
            sector: event.sector, bytes: event.byteCount, action: 0,
            device: Self.device(ofLUN: event.lun))
        let category = Self.category(of: event.type)
        func add(_ step: UInt32, at time: Nanoseconds) {
            record.action = step | category << 16
            order.add(record, at: time)
        }
        var last = start
        if start != 0 { add(Action.queue, at: start) }
        let limit = end != 0 ? end : .max
        for (step, time) in [(Action.insert, event.popped), (Action.issue, event.submitted)]
        where start != 0 && time >= last && time <= limit {
            add(step | Category.wholeRequest << 16, at: time)
            last = time
        }
        if end != 0, end >= last {
            record.error = Self.error(of: event.status)
            add(Action.complete | Category.wholeRequest << 16, at: end)
        }
    }

    /// The file's first records say what the wall clock shows, and what process 0 is called.
    private mutating func begin(at first: IOEvent, into bytes: inout [UInt8]) {
        if isBegun { return }
        isBegun = true
        let start = first.start != 0 ? first.start : first.end
        let time = start != 0 ? min(start, origin.monotonic) : origin.monotonic
        var record = Record(
            sector: 0, bytes: 0, action: Action.timestamp,
            device: Self.device(ofLUN: first.lun))
        if let wallClock = origin.wallClock(at: time), wallClock >= 0 {
            let (seconds, rest) = wallClock.quotientAndRemainder(dividingBy: 1_000_000_000)
            write(record, at: time, dataCount: 8, into: &bytes)
            bytes.appendLittleEndian(UInt32(clamping: seconds))
            bytes.appendLittleEndian(UInt32(clamping: rest))
        }
        record.action = Action.process
        write(record, at: time, dataCount: 16, into: &bytes)
        bytes += Array("vblktop".utf8) + [UInt8](repeating: 0, count: 9)
    }

    private mutating func nextSequence(ofDevice device: UInt32) -> UInt32 {
        let index = Int(device >> 4 & 0xFFFF)
        while sequences.count <= index { sequences.append(0) }
        sequences[index] &+= 1
        return sequences[index]
    }

    /// `struct blk_io_trace`, version 7. All is written as if by CPU 0 and process 0.
    private mutating func write(
        _ record: Record, at time: Nanoseconds, dataCount: UInt16, into bytes: inout [UInt8]
    ) {
        bytes.appendLittleEndian(UInt32(0x6561_7407))
        bytes.appendLittleEndian(nextSequence(ofDevice: record.device))
        bytes.appendLittleEndian(time)
        bytes.appendLittleEndian(record.sector)
        bytes.appendLittleEndian(record.bytes)
        bytes.appendLittleEndian(record.action)
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(record.device)
        bytes.appendLittleEndian(UInt32(0))
        bytes.appendLittleEndian(record.error)
        bytes.appendLittleEndian(dataCount)
    }
}

extension BlktraceExporter {
    /// Actions with the category that belongs to them.
    private enum Action {
        static let queue: UInt32 = 1 | 1 << 20
        static let insert: UInt32 = 12 | 1 << 20
        static let issue: UInt32 = 7 | 1 << 22
        static let complete: UInt32 = 8 | 1 << 23
        static let process: UInt32 = 0 | 1 << 26
        static let timestamp: UInt32 = 1 | 1 << 26
    }

    /// Bits of the upper half of an action.
    private enum Category {
        static let read: UInt32 = 1 << 0
        static let write: UInt32 = 1 << 1
        static let flush: UInt32 = 1 << 2
        /// What the kernel sets from the insertion of a request on.
        static let wholeRequest: UInt32 = 1 << 8
        /// A command that is neither reading nor writing of blocks.
        static let command: UInt32 = 1 << 9
        static let discard: UInt32 = 1 << 13
    }

    private static func category(of type: UInt32) -> UInt32 {
        switch RequestType(rawValue: type) {
        case .read: Category.read
        case .write, .writeZeroes: Category.write
        case .flush: Category.write | Category.flush
        case .discard, .secureErase: Category.write | Category.discard
        case .getID, .getLifetime, nil: Category.read | Category.command
        }
    }

    /// Major 252 and 16 minors a disk, so that every index has its own number of 20 bits.
    static func device(ofLUN index: UInt16) -> UInt32 { 252 << 20 | UInt32(index) << 4 }

    /// The negative errno that a kernel records: EIO, EOPNOTSUPP.
    private static func error(of status: UInt8) -> UInt16 {
        switch RequestStatus(rawValue: status) {
        case .ok, .unknown: 0
        case .unsupported: UInt16(truncatingIfNeeded: -95)
        case .ioError, nil: UInt16(truncatingIfNeeded: -5)
        }
    }
}
