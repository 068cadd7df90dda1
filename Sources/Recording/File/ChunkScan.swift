/// A walk from header to header, over what is damaged to the next header that is whole.
struct ChunkScan {
    /// A header and where it stands.
    typealias Found = (offset: UInt64, header: ChunkHeader)

    var window: ByteWindow
    /// Where the next header is looked for.
    private(set) var offset: UInt64
    /// Where the damage began that the walk is in, if it is in any.
    private(set) var damageStart: UInt64?
    private(set) var found: [Found] = []
    /// What was stepped over.
    private(set) var skipped: [Range<UInt64>] = []

    init(_ window: ByteWindow, from offset: UInt64) {
        self.window = window
        self.offset = offset
    }

    /// Walks on to `end`, where the file ends at the moment. A chunk that reaches beyond is left:
    /// `offset` is then its start, and a later call with a later `end` takes it.
    mutating func run(to end: UInt64) throws(RecordingError) {
        while offset < end, end - offset >= UInt64(ChunkHeader.byteCount) {
            if let header = try window.header(at: offset) {
                let length = header.chunkByteCount
                if let start = damageStart {
                    skipped.append(start..<offset)
                    damageStart = nil
                }
                guard length <= end - offset else { return }
                found.append((offset, header))
                offset += length
            } else {
                if damageStart == nil { damageStart = offset }
                let next = offset + ChunkHeader.alignment
                if let header = try window.nextHeader(from: next, to: end) {
                    offset = header
                } else {
                    // The last places that were too short for a header may yet get one.
                    let places = (end - offset - UInt64(ChunkHeader.byteCount)) / 8 + 1
                    offset += places * ChunkHeader.alignment
                }
            }
        }
    }

    /// What was found and stepped over since it was last taken.
    mutating func take() -> (found: [Found], skipped: [Range<UInt64>]) {
        defer {
            found = []
            skipped = []
        }
        return (found, skipped)
    }
}
