public import Telemetry

/// Writes requests as CSV (RFC 4180, lines end with CR LF): a line of column names with their
/// units, then a line for each request. What is not known is an empty field.
///
/// Everything a request has is carried, exactly; losses are not.
public struct RequestCSVExporter: TraceExporter {
    private let origin: ExportOrigin
    private var names = ExportNames()
    private var isBegun = false
    public var omitted: UInt64 { 0 }

    /// Gives the wall clock by `origin`.
    public init(origin: ExportOrigin) { self.origin = origin }

    public mutating func name(_ name: String, ofLUN index: UInt16) { names.name(name, index) }

    public mutating func bytes(for events: [IOEvent]) -> [UInt8] {
        var bytes = begin()
        bytes.reserveCapacity(events.count &* 224)
        for event in events {
            for column in RequestColumn.all {
                if column != .startUnix { bytes.append(UInt8(ascii: ",")) }
                switch column.value(of: event, origin: origin) {
                case .unsigned(let number): bytes.append(decimal: number)
                case .signed(let number): bytes.append(decimal: number)
                case .word(let word): bytes.append(text: word)
                case .lunName: bytes.append(csv: names[event.lun])
                case .unknown: break
                }
            }
            bytes.append(text: "\r\n")
        }
        return bytes
    }

    public mutating func finish() -> [UInt8] { begin() }

    private mutating func begin() -> [UInt8] {
        defer { isBegun = true }
        if isBegun { return [] }
        let header = RequestColumn.allCases.map(\.rawValue).joined(separator: ",")
        return Array((header + "\r\n").utf8)
    }
}

/// Writes requests as JSON Lines: an object for each, with the keys that CSV has as columns; `null`
/// for what is not known.
///
/// Everything a request has is carried, exactly; losses are not. Numbers are up to 64 bits long,
/// more than readers that know only doubles can hold.
public struct RequestJSONExporter: TraceExporter {
    private let origin: ExportOrigin
    private var names = ExportNames()
    /// Each column's key with what stands around it.
    private let keys: [(column: RequestColumn, text: [UInt8])]
    public var omitted: UInt64 { 0 }

    /// Gives the wall clock by `origin`.
    public init(origin: ExportOrigin) {
        self.origin = origin
        keys = RequestColumn.allCases.map { column in
            let first = column == .startUnix ? "{" : ","
            return (column, Array("\(first)\"\(column.rawValue)\":".utf8))
        }
    }

    public mutating func name(_ name: String, ofLUN index: UInt16) { names.name(name, index) }

    public mutating func bytes(for events: [IOEvent]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(events.count &* 480)
        for event in events {
            for (column, text) in keys {
                bytes.append(contentsOf: text)
                switch column.value(of: event, origin: origin) {
                case .unsigned(let number): bytes.append(decimal: number)
                case .signed(let number): bytes.append(decimal: number)
                case .word(let word):
                    // Words have nothing to escape.
                    bytes.append(UInt8(ascii: "\""))
                    bytes.append(text: word)
                    bytes.append(UInt8(ascii: "\""))
                case .lunName: bytes.append(quoted: names[event.lun])
                case .unknown: bytes.append(text: "null")
                }
            }
            bytes.append(text: "}\n")
        }
        return bytes
    }

    public mutating func finish() -> [UInt8] { [] }
}
