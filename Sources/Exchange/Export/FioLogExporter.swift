public import Telemetry

/// Writes an I/O log of fio, version 3, which fio replays (`--read_iolog`).
///
/// A line says what begins and when: microseconds (fio 3.33 takes them so), the LUN as the name of
/// a file, the operation, offset and size in bytes. The trace begins at microsecond 1, since fio
/// 3.33 forgets the pause after a request at 0; times are rounded down. Flushes are `sync`,
/// discards and secure erasures `trim`, writes of zeroes `write`. fio 3.33 reads `trim` lines and
/// leaves them out of the replay.
///
/// Not carried: when a request was over and how it ended, the stages, virtqueue and head. Left out
/// and counted in `omitted`: requests without a start, reads, writes and discards of no bytes,
/// which fio cannot replay, ones beyond the 64-bit offsets that fio has, and other types.
public struct FioLogExporter: TraceExporter {
    private let origin: ExportOrigin
    private var names = ExportNames()
    /// The file of each LUN that has been opened.
    private var files: [UInt16: String] = [:]
    private var taken: Set<String> = []
    private var last: UInt64 = 0
    private var isBegun = false
    public private(set) var omitted: UInt64 = 0

    /// Writes a log in which time begins at `origin`.
    public init(origin: ExportOrigin) { self.origin = origin }

    public mutating func name(_ name: String, ofLUN index: UInt16) { names.name(name, index) }

    public mutating func bytes(for events: [IOEvent]) -> [UInt8] {
        var bytes = begin()
        bytes.reserveCapacity(events.count &* 48)
        for event in events { write(event, into: &bytes) }
        return bytes
    }

    public mutating func finish() -> [UInt8] {
        var bytes = begin()
        for index in files.keys.sorted() {
            bytes.append(text: "\(last) \(files[index] ?? "") close\n")
        }
        return bytes
    }

    private mutating func begin() -> [UInt8] {
        defer { isBegun = true }
        return isBegun ? [] : Array("fio version 3 iolog\n".utf8)
    }

    private mutating func write(_ event: IOEvent, into bytes: inout [UInt8]) {
        let (offset, overflow) = event.sector.multipliedReportingOverflow(by: 512)
        guard event.start != 0, let action = Self.action(of: event),
            action == "sync" || !overflow && offset <= UInt64(Int64.max)
        else {
            omitted &+= 1
            return
        }
        last = max(last, origin.elapsed(at: event.start) / 1000 + 1)
        let file = file(of: event.lun, into: &bytes)
        bytes.append(decimal: last)
        bytes.append(UInt8(ascii: " "))
        bytes.append(text: file)
        bytes.append(UInt8(ascii: " "))
        bytes.append(text: action)
        if action == "sync" {
            bytes.append(text: " 0 0\n")
            return
        }
        bytes.append(UInt8(ascii: " "))
        bytes.append(decimal: offset)
        bytes.append(UInt8(ascii: " "))
        bytes.append(decimal: UInt64(event.byteCount))
        bytes.append(UInt8(ascii: "\n"))
    }

    /// The file that stands for a LUN; opens it when it is new.
    private mutating func file(of lun: UInt16, into bytes: inout [UInt8]) -> String {
        if let known = files[lun] { return known }
        // What fio, or a path, would take for the end of the name.
        let separators: Set<Unicode.Scalar> = ["/", ":", "\\"]
        var file = ""
        for scalar in names[lun].unicodeScalars {
            let isSafe = !separators.contains(scalar) && !scalar.properties.isWhitespace
            file.unicodeScalars.append(isSafe ? scalar : "_")
        }
        // fio reads at most 256 bytes of a name.
        if file.utf8.count > 200 || file.allSatisfy({ $0 == "." }) { file = "lun\(lun)" }
        while taken.contains(file) { file += ".\(lun)" }
        taken.insert(file)
        files[lun] = file
        bytes.append(text: "\(last) \(file) add\n\(last) \(file) open\n")
        return file
    }

    /// fio's word for a request, `nil` where it has none.
    private static func action(of event: IOEvent) -> String? {
        guard let type = RequestType(rawValue: event.type) else { return nil }
        switch type {
        case .flush: return "sync"
        case .read: return event.byteCount > 0 ? "read" : nil
        case .write, .writeZeroes: return event.byteCount > 0 ? "write" : nil
        case .discard, .secureErase: return event.byteCount > 0 ? "trim" : nil
        case .getID, .getLifetime: return nil
        }
    }
}
