internal import Libraries
public import Telemetry

/// Names the sample that others are compared with.
public struct SnapshotKey: Sendable, Hashable {
    /// When it was at the earliest, `CLOCK_MONOTONIC` nanoseconds, by the time of its chunk.
    public var monotonic: Nanoseconds
    /// Its number in the source's count; 0 in samples of form 3, which do not tell.
    public var sequence: UInt64
    /// CRC-32C of its content, so that another sample of the same name is never taken for it.
    public var checksum: UInt32
    /// By how much later it may have been.
    public var slack: Nanoseconds = 0

    /// The time of its chunk is in this range.
    public var times: ClosedRange<Nanoseconds> { monotonic...(monotonic | slack) }
}

/// What a chunk of kind `snapshots` is to a reader.
public enum SnapshotRole: Sendable, Equatable {
    /// It can be read by itself, and others are compared with it.
    case key(SnapshotKey)
    /// The key once more, for when its chunk is damaged: no further sample.
    case copy(SnapshotKey)
    /// It needs the key with this name.
    case difference(SnapshotKey)
}

extension Chunk {
    /// What this chunk of kind `snapshots` is; throws `malformed` if it is none.
    public func snapshotRole() throws(RecordingError) -> SnapshotRole {
        var reader = ByteReader(payload[...])
        return try SnapshotHead.read(&reader, time: first)
    }
}

extension Chunk {
    /// This key once more, as a copy that counts no record; `nil` if it is none.
    func keyCopy() -> Chunk? {
        guard kind == .snapshots, let role = try? snapshotRole(), case .key(let name) = role else {
            return nil
        }
        // The two differ in the first byte alone, which is never compressed.
        var head = ByteWriter()
        SnapshotHead.write(.copy(name), time: first, to: &head)
        var copy = self
        copy.payload.replaceSubrange(0..<1, with: head.bytes.prefix(1))
        copy.count = 0
        copy.lost = 0
        return copy
    }
}

/// The beginning of a snapshot's payload, which is never compressed.
enum SnapshotHead {
    private static let (key, difference, copy): (UInt8, UInt8, UInt8) = (4, 5, 6)
    /// What earlier versions wrote is so much less.
    private static let old: UInt8 = 3
    /// Times are told in 2²⁵ ns, some 34 ms: few keys are so near to each other.
    private static let tick: Nanoseconds = 1 << 25

    /// The name of a key taken at `time`.
    static func name(_ time: Nanoseconds, _ checksum: UInt32) -> SnapshotKey {
        SnapshotKey(
            monotonic: time & ~(tick - 1), sequence: 0, checksum: checksum, slack: tick - 1)
    }

    /// `time` is the sample's own.
    static func write(_ role: SnapshotRole, time: Nanoseconds, to writer: inout ByteWriter) {
        let name: SnapshotKey
        switch role {
        case .key(let key): (name, _) = (key, writer.byte(Self.key))
        case .copy(let key): (name, _) = (key, writer.byte(copy))
        case .difference(let key): (name, _) = (key, writer.byte(difference))
        }
        writer.number(time / tick &- name.monotonic / tick)
        writer.word32(name.checksum)
    }

    static func read(
        _ reader: inout ByteReader, time: Nanoseconds
    ) throws(RecordingError) -> SnapshotRole {
        let kind = reader.byte()
        let key: SnapshotKey
        if kind <= old {
            key = SnapshotKey(
                monotonic: reader.number(), sequence: reader.number(), checksum: reader.word32())
        } else {
            let ticks = time / tick &- reader.number()
            key = name(ticks &* tick, reader.word32())
        }
        guard !reader.isBroken else { throw malformed("a sample's head is cut short") }
        switch kind {
        case Self.key, Self.key - old: return .key(key)
        case difference, difference - old: return .difference(key)
        case copy, copy - old: return .copy(key)
        default: throw malformed("a sample is of kind \(kind), which this version does not know")
        }
    }
}

/// A payload's head and its body, which is compressed where that makes it shorter.
enum PackedBody {
    /// The most bytes that a body can have.
    static let limit = 64 << 20

    /// `bytes` is the head and the body after it.
    static func unpack(
        _ chunk: Chunk, headLength: Int, _ zstd: inout ZstdDecompressor
    ) throws(RecordingError) -> ArraySlice<UInt8> {
        let packed = chunk.payload.dropFirst(headLength)
        switch chunk.codec {
        case .columns: return packed
        case .plain: throw malformed("a payload is packed in an unexpected way")
        case .columnsZstd:
            let count = Int(chunk.plainByteCount) - headLength
            guard count >= 0, count <= limit else {
                throw malformed("a payload says that it is \(count) bytes long")
            }
            do {
                return try zstd.decompress(packed, count: count)[...]
            } catch {
                throw malformed(error.description)
            }
        }
    }
}

extension RecordingError {
    /// A library's refusal to pack.
    init(_ error: LibraryError) { self.init(.system, reason: error.description) }
}
