public import Kernel

/// Where a reader has its bytes from: a file, or memory that holds one.
public enum ByteSource: Sendable {
    case file(RandomReadFile)
    case memory([UInt8])

    /// What to call it in a message.
    var path: String? {
        switch self {
        case .file(let file): file.path
        case .memory: nil
        }
    }

    func byteCount() throws(RecordingError) -> UInt64 {
        switch self {
        case .file(let file):
            do {
                return try file.byteCount()
            } catch { throw RecordingError(error, path: file.path) }
        case .memory(let bytes): return UInt64(bytes.count)
        }
    }

    /// `count` bytes from `offset` on, or as many as there are.
    func read(at offset: UInt64, count: Int) throws(RecordingError) -> [UInt8] {
        switch self {
        case .file(let file):
            do {
                return try file.read(at: offset, count: count)
            } catch { throw RecordingError(error, path: file.path) }
        case .memory(let bytes):
            let start = Int(clamping: offset)
            guard start < bytes.count else { return [] }
            return Array(bytes[start...].prefix(count))
        }
    }

    /// The payload of the chunk with `header` at `offset`, `nil` unless the chunk stands there as
    /// it was written.
    func payload(of header: ChunkHeader, at offset: UInt64) throws(RecordingError) -> [UInt8]? {
        let count = ChunkHeader.byteCount + Int(header.payloadByteCount)
        return header.payload(in: try read(at: offset, count: count)[...])
    }
}

/// A look at a source through one buffer: what is near what was read last costs no system call.
struct ByteWindow {
    let source: ByteSource
    private var start: UInt64 = 0
    private var bytes: [UInt8] = []

    init(_ source: ByteSource) { self.source = source }

    /// At least `least` bytes from `offset` on, and whatever else is at hand, or as many as there
    /// are; a read takes `readAhead` bytes.
    mutating func bytes(
        at offset: UInt64, least: Int, readAhead: Int
    ) throws(RecordingError) -> ArraySlice<UInt8> {
        if offset >= start, offset - start <= UInt64(bytes.count),
            bytes.count - Int(offset - start) >= least
        {
            return bytes[Int(offset - start)...]
        }
        bytes = try source.read(at: offset, count: max(least, readAhead))
        start = offset
        return bytes[...]
    }

    /// Forgets what it has, as the file may have changed.
    mutating func forget() { bytes = [] }

    /// The header at `offset`, `nil` if there is none.
    mutating func header(at offset: UInt64) throws(RecordingError) -> ChunkHeader? {
        // A page: next to the cost of the call nothing, and headers of small chunks share one.
        ChunkHeader(try bytes(at: offset, least: ChunkHeader.byteCount, readAhead: 4096))
    }

    /// The first place from `offset` on, in steps of 8 bytes, where a header stands; `nil` if there
    /// is none whose 64 bytes end by `end`.
    mutating func nextHeader(from offset: UInt64, to end: UInt64) throws(RecordingError) -> UInt64?
    {
        var offset = offset
        let size = ChunkHeader.byteCount
        while offset < end, end - offset >= UInt64(size) {
            let slice = try bytes(at: offset, least: size, readAhead: 256 << 10)
            guard slice.count >= size else { return nil }
            var index = slice.startIndex
            while slice.endIndex - index >= size, end - offset >= UInt64(size) {
                if slice[index] == UInt8(truncatingIfNeeded: ChunkHeader.magic),
                    ChunkHeader(slice[index...]) != nil
                {
                    return offset
                }
                index += Int(ChunkHeader.alignment)
                offset += ChunkHeader.alignment
            }
        }
        return nil
    }
}
