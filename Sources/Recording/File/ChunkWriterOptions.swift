public import Telemetry

/// When what was written is made durable (fdatasync(2)).
public enum DurabilityPolicy: Sendable, Equatable {
    /// Left to the kernel, which writes back within half a minute or so.
    case never
    /// Once so many nanoseconds have passed.
    case every(Nanoseconds)
    /// After each chunk.
    case eachChunk
}

/// What a writer does besides appending.
public struct ChunkWriterOptions: Sendable, Equatable {
    /// Chunks after which an index is written, 1…16,000.
    public var indexedChunks = 128
    /// Bytes of chunks after which one is written though they are fewer. A reader of a file that
    /// was not closed looks for the last index from the end, and walks on from there.
    public var indexedBytes: UInt64 = 4 << 20
    /// Bytes after which the header is repeated.
    public var headerInterval: UInt64 = 256 << 20
    /// Nanoseconds between readings of the clocks: a second where events are recorded, else two
    /// minutes do.
    public var clockInterval: Nanoseconds = 120_000_000_000
    public var durability = DurabilityPolicy.every(5_000_000_000)

    /// The defaults.
    public init() {}
}

/// What could not be written.
public struct Unwritten: Sendable, Equatable {
    public var chunks: UInt64 = 0
    public var records: UInt64 = 0
    /// As they would have stood in the file.
    public var bytes: UInt64 = 0
}
