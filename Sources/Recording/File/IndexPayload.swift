internal import Telemetry

/// What an INDEX chunk holds: the headers of the chunks since the index before it, that index
/// included, up to itself.
///
/// Where they stand follows from their lengths, counted back from the index's own start, so an
/// index holds in a file whose front was cut off, behind a pipe, and in files put behind each
/// other.
struct IndexPayload: Equatable {
    /// In the order of the file; the first is that of the index before, if the file has one.
    var headers: [ChunkHeader]

    /// The writer closes an index long before; no reader takes a longer one for an index.
    static let longest = 16384
    static let longestPayload = 16 + longest * 64

    init(headers: [ChunkHeader]) { self.headers = headers }

    /// The chunks it lists where it stands at `offset`; `nil` if they do not fit in front of it.
    func places(before offset: UInt64) -> [(offset: UInt64, header: ChunkHeader)]? {
        // At most 16,384 of some 256 MiB: no sum of them is too large.
        let length = headers.reduce(0) { $0 + $1.chunkByteCount }
        guard length <= offset else { return nil }
        var place = offset - length
        return headers.map { header in
            defer { place += header.chunkByteCount }
            return (place, header)
        }
    }
}

extension IndexPayload {
    /// What an entry need not say, as it follows from the header before.
    private struct Expected: OptionSet {
        var rawValue: UInt8
        /// Kind, codec, lowest version, stream, schema, and what is reserved.
        static let sort = Expected(rawValue: 1)
        static let sequence = Expected(rawValue: 2)
        static let count = Expected(rawValue: 4)
        /// The last record is of the first one's time.
        static let moment = Expected(rawValue: 8)
        /// As long packed as unpacked.
        static let plain = Expected(rawValue: 16)
        static let nothingLost = Expected(rawValue: 32)
    }

    /// As it stands in the file: a few bytes a header, as chunks mostly are like the one before and
    /// come at a steady interval.
    var payload: [UInt8] {
        var writer = ByteWriter()
        writer.number(headers.count)
        var before = ChunkHeader()
        var step: Nanoseconds = 0
        for header in headers {
            Self.write(header, after: before, step: step, to: &writer)
            step = header.first &- before.first
            before = header
        }
        return writer.bytes
    }

    private static func write(
        _ header: ChunkHeader, after before: ChunkHeader, step: Nanoseconds,
        to writer: inout ByteWriter
    ) {
        var expected: Expected = []
        if header.isOfSort(of: before) { expected.insert(.sort) }
        if header.sequence == before.sequence &+ 1 { expected.insert(.sequence) }
        if header.count == before.count { expected.insert(.count) }
        if header.last == header.first { expected.insert(.moment) }
        if header.plainByteCount == header.payloadByteCount { expected.insert(.plain) }
        if header.lost == 0 { expected.insert(.nothingLost) }
        writer.byte(expected.rawValue)
        if !expected.contains(.sort) {
            writer.append([header.kind, header.codec])
            writer.number(UInt64(header.minReader))
            writer.number(UInt64(header.stream))
            writer.number(UInt64(header.schema))
            writer.number(UInt64(header.reserved))
        }
        if !expected.contains(.sequence) { writer.number(header.sequence) }
        if !expected.contains(.count) { writer.number(UInt64(header.count)) }
        writer.signed(Int64(bitPattern: header.first &- before.first &- step))
        if !expected.contains(.moment) { writer.number(header.last &- header.first) }
        writer.signed(Int64(header.payloadByteCount) - Int64(before.payloadByteCount))
        if !expected.contains(.plain) { writer.number(UInt64(header.plainByteCount)) }
        if !expected.contains(.nothingLost) { writer.number(UInt64(header.lost)) }
    }

    /// `nil` for a payload that is no index.
    init?(_ payload: ArraySlice<UInt8>) {
        var reader = ByteReader(payload)
        let count = reader.count()
        guard count <= Self.longest else { return nil }
        headers = []
        headers.reserveCapacity(count)
        var before = ChunkHeader()
        var step: Nanoseconds = 0
        for _ in 0..<count {
            let header = Self.read(&reader, after: before, step: step)
            guard !reader.isBroken, header.isPossible else { return nil }
            step = header.first &- before.first
            before = header
            headers.append(header)
        }
        guard reader.left == 0, !reader.isBroken else { return nil }
    }

    private static func read(
        _ reader: inout ByteReader, after before: ChunkHeader, step: Nanoseconds
    ) -> ChunkHeader {
        let expected = Expected(rawValue: reader.byte())
        var header = before
        if !expected.contains(.sort) {
            (header.kind, header.codec) = (reader.byte(), reader.byte())
            header.minReader = UInt16(truncatingIfNeeded: reader.number())
            header.stream = UInt32(truncatingIfNeeded: reader.number())
            header.schema = UInt16(truncatingIfNeeded: reader.number())
            header.reserved = UInt16(truncatingIfNeeded: reader.number())
        }
        header.sequence =
            expected.contains(.sequence) ? before.sequence &+ 1 : reader.number()
        if !expected.contains(.count) {
            header.count = UInt32(truncatingIfNeeded: reader.number())
        }
        header.first = before.first &+ step &+ Nanoseconds(bitPattern: reader.signed())
        header.last = header.first
        if !expected.contains(.moment) { header.last = header.first &+ reader.number() }
        header.payloadByteCount = UInt32(
            truncatingIfNeeded: Int64(before.payloadByteCount) &+ reader.signed())
        header.plainByteCount =
            expected.contains(.plain)
            ? header.payloadByteCount : UInt32(truncatingIfNeeded: reader.number())
        header.lost =
            expected.contains(.nothingLost) ? 0 : UInt32(truncatingIfNeeded: reader.number())
        return header
    }
}

extension ChunkHeader {
    /// Whether all that a kind of chunks has in common is that of `other`.
    fileprivate func isOfSort(of other: ChunkHeader) -> Bool {
        (kind, codec, minReader) == (other.kind, other.codec, other.minReader)
            && (stream, schema, reserved) == (other.stream, other.schema, other.reserved)
    }
}
