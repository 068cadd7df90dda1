/// Records that were not written, until a chunk of their kind and stream tells of them.
struct LossLedger {
    private struct Key: Hashable {
        var kind: ChunkKind
        var stream: UInt32
    }
    private var open: [Key: UInt64] = [:]

    /// Notes `count` records like those of `chunk`.
    mutating func note(_ count: UInt64, of chunk: Chunk) {
        guard count > 0 else { return }
        open[Key(kind: chunk.kind, stream: chunk.stream), default: 0] += count
    }

    /// Adds what was lost before `chunk` to it, and returns how many. What does not fit is left for
    /// the next.
    mutating func settle(_ chunk: inout Chunk) -> UInt64 {
        let key = Key(kind: chunk.kind, stream: chunk.stream)
        guard let lost = open.removeValue(forKey: key) else { return 0 }
        let told = min(lost, UInt64(UInt32.max - chunk.lost))
        chunk.lost += UInt32(told)
        note(lost - told, of: chunk)
        return told
    }
}

/// The headers since the last index.
struct IndexBuilder {
    private var headers: [ChunkHeader] = []
    /// Bytes of those chunks.
    private(set) var byteCount: UInt64 = 0
    /// The last index.
    private(set) var last: (offset: UInt64, header: ChunkHeader)?

    /// Chunks that the next index would list, the last index left out.
    var count: Int { headers.count }

    mutating func note(_ header: ChunkHeader, at offset: UInt64, isIndex: Bool) {
        if isIndex {
            headers = []
            byteCount = 0
            last = (offset, header)
        } else {
            headers.append(header)
            byteCount += header.chunkByteCount
        }
    }

    /// The payload of the index that is to follow.
    var payload: [UInt8] {
        IndexPayload(headers: (last.map { [$0.header] } ?? []) + headers).payload
    }
}
