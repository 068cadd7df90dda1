internal import Libraries
internal import Telemetry

/// Writes whole numbers and texts one after the other.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    @inline(__always)
    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    /// Seven bits a byte, the lowest first; all but the last have the eighth set (LEB128).
    mutating func number(_ number: UInt64) {
        var number = number
        while number >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: number))
    }

    mutating func number(_ number: Int) { self.number(UInt64(bitPattern: Int64(number))) }

    /// A number near 0, of either sign.
    mutating func signed(_ number: Int64) { self.number(zigzag(number)) }

    /// Little-endian.
    mutating func word32(_ word: UInt32) {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
    }

    mutating func text(_ text: String) {
        number(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// Eight bytes each, little-endian.
    mutating func words(_ words: Span<UInt64>) { bytes.append(littleEndian: words) }

    mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }
}

/// Reads what a `ByteWriter` wrote. Beyond the end, or where a number is too long, everything is 0
/// and `isBroken` says so: who reads looks once, when all is read, and bounds loops before.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private var next: Int
    private(set) var isBroken = false

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        next = bytes.startIndex
    }

    /// Bytes not read yet.
    var left: Int { bytes.endIndex - next }

    mutating func byte() -> UInt8 {
        guard next < bytes.endIndex else {
            isBroken = true
            return 0
        }
        next &+= 1
        return bytes[next &- 1]
    }

    mutating func number() -> UInt64 {
        var (result, shift): (UInt64, UInt64) = (0, 0)
        while shift < 64 {
            let byte = byte()
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift &+= 7
        }
        isBroken = true
        return 0
    }

    mutating func signed() -> Int64 { unzigzag(number()) }

    /// A number of things that take a byte each at least: never more than bytes are left.
    mutating func count() -> Int {
        let count = number()
        guard count <= UInt64(left) else {
            isBroken = true
            return 0
        }
        return Int(count)
    }

    mutating func word32() -> UInt32 {
        var word: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 32, by: 8) { word |= UInt32(byte()) << shift }
        return word
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        guard count >= 0, count <= left else {
            isBroken = true
            return []
        }
        defer { next += count }
        return bytes[next..<(next + count)]
    }

    /// A text, without what a terminal would obey: who wrote the file may mean ill.
    mutating func text() -> String {
        let count = count()
        return String(decoding: take(count), as: UTF8.self).harmless()
    }
}

/// Small for a number near 0, whatever its sign.
@inline(__always)
func zigzag(_ number: Int64) -> UInt64 { UInt64(bitPattern: number << 1 ^ number >> 63) }

@inline(__always)
func unzigzag(_ number: UInt64) -> Int64 {
    Int64(bitPattern: number >> 1) ^ (0 &- Int64(bitPattern: number & 1))
}

/// A chunk whose content makes no sense.
func malformed(_ reason: String) -> RecordingError {
    RecordingError(.malformed, reason: reason)
}

/// A part of a payload that says what it is and how long: one that a reader does not know is
/// skipped, and one that is not there leaves what it would say unknown.
struct Section {
    var id: UInt64
    /// How it is packed; a reader skips a form it does not know.
    var form: UInt8
    var bytes: ArraySlice<UInt8>

    /// The id of what stands behind all sections, which needs neither form nor length.
    static let rest: UInt64 = 0

    static func write(_ id: UInt64, form: UInt8, _ bytes: [UInt8], to writer: inout ByteWriter) {
        writer.number(id)
        writer.byte(form)
        writer.number(bytes.count)
        writer.append(bytes)
    }

    /// `bytes` behind all sections.
    static func writeRest(_ bytes: [UInt8], to writer: inout ByteWriter) {
        writer.number(rest)
        writer.append(bytes)
    }

    /// The sections of which `reader` holds a sequence up to its end, what is behind them included.
    static func all(_ reader: inout ByteReader) throws(RecordingError) -> [Section] {
        var sections: [Section] = []
        while reader.left > 0 {
            let id = reader.number()
            if id == rest, !reader.isBroken {
                sections.append(Section(id: id, form: 0, bytes: reader.take(reader.left)))
                break
            }
            let form = reader.byte()
            let count = reader.count()
            sections.append(Section(id: id, form: form, bytes: reader.take(count)))
            guard !reader.isBroken else { throw malformed("a section is cut short") }
        }
        return sections
    }
}
