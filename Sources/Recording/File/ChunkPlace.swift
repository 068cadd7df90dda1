public import Telemetry

/// Where a chunk stands in its file and what its header says: a line of the table of contents.
public struct ChunkPlace: Sendable, Equatable {
    /// Bytes from the start of the file to its header, a multiple of 8.
    public let offset: UInt64
    public let kind: ChunkKind
    public let codec: ChunkCodec
    let header: ChunkHeader

    /// The place of the chunk with `header`; `nil` if its kind or codec is unknown here or it needs
    /// a newer reader.
    init?(_ header: ChunkHeader, at offset: UInt64) {
        guard header.minReader <= ChunkHeader.version, let kind = ChunkKind(rawValue: header.kind),
            let codec = ChunkCodec(rawValue: header.codec)
        else { return nil }
        self.kind = kind
        self.codec = codec
        self.offset = offset
        self.header = header
    }

    /// Which of several streams of one kind it belongs to.
    public var stream: UInt32 { header.stream }
    /// The version of the payload's layout.
    public var schema: UInt16 { header.schema }
    /// Its number in the session: one more than the chunk's before it, in the segment before too.
    public var sequence: UInt64 { header.sequence }
    /// Time of its first and last record, `CLOCK_MONOTONIC` nanoseconds of the recording host;
    /// `first` is never the later.
    public var first: Nanoseconds { header.first }
    /// See `first`.
    public var last: Nanoseconds { header.last }
    /// Records in it.
    public var count: UInt32 { header.count }
    /// Records of its kind and stream lost since the chunk before it.
    public var lost: UInt32 { header.lost }
    /// Bytes of the packed payload, at most 256 MiB.
    public var payloadByteCount: UInt32 { header.payloadByteCount }
    /// Bytes of the payload once unpacked, at most 256 MiB.
    public var plainByteCount: UInt32 { header.plainByteCount }
    /// Bytes it takes in the file: header, payload and padding.
    public var byteCount: UInt64 { header.chunkByteCount }

    /// The chunk with its `payload`.
    func chunk(_ payload: [UInt8]) -> Chunk {
        var chunk = Chunk(
            kind: kind, codec: codec, first: first, last: last, count: count,
            plainByteCount: plainByteCount, payload: payload)
        chunk.stream = stream
        chunk.schema = schema
        chunk.lost = lost
        chunk.minReader = header.minReader
        return chunk
    }
}
