internal import Telemetry

/// Gives the devices of a trace their LUN numbers, in the order in which they appear.
struct DeviceTable {
    /// Devices that get a number: what 16 bits tell apart.
    static let limit = 65536
    /// Characters of a name that are kept.
    static let nameLimit = 64
    /// Bytes by which names are told apart.
    static let byteLimit = 255

    private var indexes: [UInt64: UInt16] = [:]
    private var names: [[UInt8]] = []
    /// The device asked for last: traces have long runs of one.
    private var last: (key: UInt64, index: UInt16)?

    /// The number of the device `key`, named by `name` on its first appearance; `nil` where there
    /// are too many devices.
    mutating func index(
        of key: UInt64, into sink: inout some TraceSink, name: () -> String
    ) throws -> UInt16? {
        if let last, last.key == key { return last.index }
        if let known = indexes[key] {
            last = (key, known)
            return known
        }
        guard let index = UInt16(exactly: indexes.count) else { return nil }
        indexes[key] = index
        last = (key, index)
        try sink.name(Self.safe(name(), index), ofLUN: index)
        return index
    }

    /// The number of the device that the bytes `range` of `line` name, likewise. A comma between
    /// the fields of a name is shown as `_`: `usr_0`.
    mutating func index(
        ofName range: Range<Int>, in line: Span<UInt8>, into sink: inout some TraceSink
    ) throws -> UInt16? {
        let name = line.extracting(range.prefix(Self.byteLimit))
        var key = Self.hash(name)
        // Names whose hashes meet take the next free one, as in any open hash table.
        while let known = indexes[key], !Self.isEqual(names[Int(known)], name) { key &+= 1 }
        if let known = indexes[key] { return known }
        guard let index = UInt16(exactly: indexes.count) else { return nil }
        indexes[key] = index
        var bytes: [UInt8] = []
        for at in 0..<name.count { bytes.append(name[at]) }
        names.append(bytes)
        let shown = bytes.map { $0 == UInt8(ascii: ",") ? UInt8(ascii: "_") : $0 }
        try sink.name(Self.safe(String(decoding: shown, as: UTF8.self), index), ofLUN: index)
        return index
    }

    /// FNV-1a.
    private static func hash(_ name: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for at in 0..<name.count { hash = (hash ^ UInt64(name[at])) &* 0x100_0000_01B3 }
        return hash
    }

    private static func isEqual(_ known: [UInt8], _ name: Span<UInt8>) -> Bool {
        guard known.count == name.count else { return false }
        for at in 0..<name.count where known[at] != name[at] { return false }
        return true
    }

    /// A name that a terminal shows and does not obey, of bounded length.
    static func safe(_ name: String, _ index: UInt16) -> String {
        let safe = name.harmless(limit: nameLimit, replacement: nil)
        return safe.isEmpty ? "lun \(index)" : safe
    }
}
