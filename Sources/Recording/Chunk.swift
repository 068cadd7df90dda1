public import Telemetry

/// What a chunk holds, as its header says.
public enum ChunkKind: UInt8, Sendable, CaseIterable {
    case header = 1
    case schema, strings, sync, snapshots, events, requests, marks, index, end
}

/// How a chunk's payload is packed.
public enum ChunkCodec: UInt8, Sendable {
    case plain = 0
    case columns = 1
    /// Columns, then zstd.
    case columnsZstd = 3
}

/// A run of records with its payload packed, as it goes into a file and comes out of it.
public struct Chunk: Sendable, Equatable {
    public var kind: ChunkKind
    public var codec: ChunkCodec
    /// Which of several streams of one kind it belongs to (a ring, a VM); 0 where there is one.
    public var stream: UInt32 = 0
    /// The version of the payload's layout.
    public var schema: UInt16 = 1
    /// The lowest version of the file format that a reader must know to make sense of it; raised
    /// only by a change that an older reader would misread.
    public var minReader: UInt16 = 1
    /// Time of its first and last record, `CLOCK_MONOTONIC` nanoseconds.
    public var first: Nanoseconds
    public var last: Nanoseconds
    /// Records in it.
    public var count: UInt32
    /// Records of its stream lost since the chunk before it, exact.
    public var lost: UInt32 = 0
    /// Bytes of the payload once unpacked.
    public var plainByteCount: UInt32
    public var payload: [UInt8]

    /// A chunk of `kind` with its packed `payload`.
    public init(
        kind: ChunkKind, codec: ChunkCodec, first: Nanoseconds, last: Nanoseconds, count: UInt32,
        plainByteCount: UInt32, payload: [UInt8]
    ) {
        self.kind = kind
        self.codec = codec
        self.first = first
        self.last = last
        self.count = count
        self.plainByteCount = plainByteCount
        self.payload = payload
    }
}
