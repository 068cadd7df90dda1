/// The walk along the index chunks, from the last one of a file to its front.
struct IndexWalk {
    private var window: ByteWindow

    init(_ window: ByteWindow) { self.window = window }

    /// How far from the end of a file that was not closed its last index is looked for: more than
    /// is written between two of them.
    static let searchedByteCount: UInt64 = 8 << 20
    /// Where it nearly always is. To look through it all takes longer than all else at opening.
    private static let nearByteCount: UInt64 = 384 << 10
    /// How many chunks that look like the last index are tried.
    static let triedCount = 16

    /// What the indexes list, in the order of the file, the last index included as the last; `nil`
    /// if no index is found. The first may stand anywhere: what is before it the indexes do not
    /// say.
    mutating func run(fileByteCount end: UInt64) throws(RecordingError) -> [ChunkScan.Found]? {
        if let closing = try closingIndex(end), let found = try listed(from: closing) {
            return found
        }
        for nearness in [Self.nearByteCount, Self.searchedByteCount] {
            for candidate in try lastIndexes(end, within: nearness) {
                if let found = try listed(from: candidate) { return found }
            }
        }
        return nil
    }

    /// The index that the END chunk at the end of the file names.
    private mutating func closingIndex(_ end: UInt64) throws(RecordingError) -> UInt64? {
        let length = UInt64(ChunkHeader.byteCount + Trailer.byteCount)
        guard end >= length, let header = try window.header(at: end - length),
            header.isReadable(.end, .plain), header.payloadByteCount == UInt32(Trailer.byteCount),
            let payload = try window.source.payload(of: header, at: end - length),
            let trailer = Trailer(payload[...]), trailer.indexDistance <= end - length
        else { return nil }
        return end - length - trailer.indexDistance
    }

    /// Places in the last `nearness` bytes of the file with the header of an index, the last first.
    private mutating func lastIndexes(
        _ end: UInt64, within nearness: UInt64
    ) throws(RecordingError) -> [UInt64] {
        var offset = (end - min(end, nearness)) / ChunkHeader.alignment * ChunkHeader.alignment
        var places: [UInt64] = []
        while let place = try window.nextHeader(from: offset, to: end) {
            offset = place + ChunkHeader.alignment
            guard let header = try window.header(at: place) else { continue }
            if header.isReadable(.index, .plain, .columns) { places.append(place) }
            // A chunk is stepped over only if a header follows it: what is found may be junk.
            let next = place + header.chunkByteCount
            if next < end, try window.header(at: next) != nil { offset = next }
        }
        return places.suffix(Self.triedCount).reversed()
    }

    private mutating func listed(from last: UInt64) throws(RecordingError) -> [ChunkScan.Found]? {
        var blocks: [[ChunkScan.Found]] = []
        var place = last
        var expected: ChunkHeader?
        while let (header, index) = try index(at: place), expected ?? header == header,
            let listed = index.places(before: place), let first = listed.first
        {
            if blocks.isEmpty { blocks.append([(place, header)]) }
            blocks.append(listed)
            // The list begins with the index before, so the walk always gets nearer to the front.
            guard first.header.kind == ChunkKind.index.rawValue else { break }
            place = first.offset
            expected = first.header
        }
        return blocks.isEmpty ? nil : Array(blocks.reversed().joined())
    }

    private mutating func index(
        at offset: UInt64
    ) throws(RecordingError) -> (ChunkHeader, IndexPayload)? {
        // A file that bytes were put into or taken out of may hold a whole index elsewhere.
        guard offset.isMultiple(of: ChunkHeader.alignment),
            let header = try window.header(at: offset),
            header.isReadable(.index, .plain, .columns),
            header.payloadByteCount <= UInt32(IndexPayload.longestPayload),
            let payload = try window.source.payload(of: header, at: offset)
        else { return nil }
        let isOld = header.codec == ChunkCodec.plain.rawValue
        let index = isOld ? IndexPayload(old: payload[...]) : IndexPayload(payload[...])
        return index.map { (header, $0) }
    }
}
