internal import Libraries
internal import Telemetry

/// The 64 bytes before every payload, their checksums left out; docs/recording.md has the table.
struct ChunkHeader: Sendable, Equatable {
    var kind: UInt8
    var codec: UInt8
    /// The lowest format version a reader must know to make sense of the chunk.
    var minReader: UInt16
    var stream: UInt32
    var sequence: UInt64
    var first: Nanoseconds
    var last: Nanoseconds
    var count: UInt32
    var payloadByteCount: UInt32
    var plainByteCount: UInt32
    var lost: UInt32
    var schema: UInt16
    /// Zero; a reader ignores it.
    var reserved: UInt16 = 0

    static let byteCount = 64
    /// "VBC1".
    static let magic: UInt32 = 0x3143_4256
    /// The format version this code reads and writes.
    static let version: UInt16 = 4
    /// Chunks begin at multiples of it.
    static let alignment: UInt64 = 8
    /// The longest payload, and the longest once unpacked.
    static let longestPayload: UInt32 = 256 << 20

    /// The header of `chunk`, the one of number `sequence`.
    init(of chunk: Chunk, sequence: UInt64) {
        kind = chunk.kind.rawValue
        codec = chunk.codec.rawValue
        minReader = chunk.minReader
        stream = chunk.stream
        self.sequence = sequence
        first = chunk.first
        last = max(chunk.first, chunk.last)
        count = chunk.count
        payloadByteCount = UInt32(clamping: chunk.payload.count)
        plainByteCount = chunk.plainByteCount
        lost = chunk.lost
        schema = chunk.schema
    }

    /// The header that `bytes` begin with, `nil` if they do not: magic, checksum and lengths must
    /// be right.
    init?(_ bytes: ArraySlice<UInt8>) {
        let bytes = bytes.prefix(Self.byteCount)
        guard bytes.count == Self.byteCount, LittleEndian.read32(bytes, at: 0) == Self.magic,
            LittleEndian.read32(bytes, at: 4) == crc32c(bytes.dropFirst(8))
        else { return nil }
        self.init(body: bytes.dropFirst(8))
    }

    /// The header whose bytes 8 to 63 are `body`, as indexes of the first form repeat them; `nil`
    /// if its lengths are out of bounds.
    init?(body: ArraySlice<UInt8>) {
        guard body.count >= Self.byteCount - 8 else { return nil }
        kind = body[body.startIndex]
        codec = body[body.startIndex + 1]
        minReader = LittleEndian.read16(body, at: 2)
        stream = LittleEndian.read32(body, at: 4)
        sequence = LittleEndian.read64(body, at: 8)
        first = LittleEndian.read64(body, at: 16)
        last = LittleEndian.read64(body, at: 24)
        count = LittleEndian.read32(body, at: 32)
        payloadByteCount = LittleEndian.read32(body, at: 36)
        plainByteCount = LittleEndian.read32(body, at: 40)
        lost = LittleEndian.read32(body, at: 48)
        schema = LittleEndian.read16(body, at: 52)
        reserved = LittleEndian.read16(body, at: 54)
        guard isPossible else { return nil }
    }

    /// A header of zeros, before the first of an index.
    init() {
        (kind, codec, minReader, stream, sequence, first, last) = (0, 0, 0, 0, 0, 0, 0)
        (count, payloadByteCount, plainByteCount, lost, schema) = (0, 0, 0, 0, 0)
    }

    /// Whether its lengths are within bounds and its times in order.
    var isPossible: Bool {
        payloadByteCount <= Self.longestPayload && plainByteCount <= Self.longestPayload
            && first <= last
    }

    /// Bytes of the whole chunk in the file: header, payload and padding.
    var chunkByteCount: UInt64 {
        let length = UInt64(Self.byteCount) + UInt64(payloadByteCount)
        return (length + Self.alignment - 1) & ~(Self.alignment - 1)
    }

    /// Bytes 8 to 63, before a payload of that CRC-32C.
    func appendBody(payloadChecksum: UInt32, to bytes: inout [UInt8]) {
        bytes.append(kind)
        bytes.append(codec)
        LittleEndian.append(minReader, to: &bytes)
        LittleEndian.append(stream, to: &bytes)
        LittleEndian.append(sequence, to: &bytes)
        LittleEndian.append(first, to: &bytes)
        LittleEndian.append(last, to: &bytes)
        LittleEndian.append(count, to: &bytes)
        LittleEndian.append(payloadByteCount, to: &bytes)
        LittleEndian.append(plainByteCount, to: &bytes)
        LittleEndian.append(payloadChecksum, to: &bytes)
        LittleEndian.append(lost, to: &bytes)
        LittleEndian.append(schema, to: &bytes)
        LittleEndian.append(reserved, to: &bytes)
    }

    /// The chunk as it stands in the file: this header, then `payload` padded with zeros.
    func encoded(with payload: [UInt8]) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(Self.byteCount)
        appendBody(payloadChecksum: crc32c(payload), to: &body)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(chunkByteCount))
        LittleEndian.append(Self.magic, to: &bytes)
        LittleEndian.append(crc32c(body), to: &bytes)
        bytes += body
        bytes += payload
        bytes += repeatElement(0, count: Int(chunkByteCount) - bytes.count)
        return bytes
    }
}

extension ChunkHeader {
    /// The payload of the chunk that `bytes` begin with; `nil` unless it has this header and both
    /// checksums hold.
    func payload(in bytes: ArraySlice<UInt8>) -> [UInt8]? {
        let payload = bytes.dropFirst(Self.byteCount).prefix(Int(payloadByteCount))
        guard payload.count == Int(payloadByteCount), ChunkHeader(bytes) == self,
            crc32c(payload) == LittleEndian.read32(bytes, at: 52)
        else { return nil }
        return Array(payload)
    }

    /// Whether the chunk is of `kind` and this reader may look into it.
    func isReadable(_ kind: ChunkKind, _ codecs: ChunkCodec...) -> Bool {
        self.kind == kind.rawValue && minReader <= Self.version
            && codecs.contains { $0.rawValue == codec }
    }
}
