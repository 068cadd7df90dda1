internal import Kernel

/// Chunks out of bytes that come one after the other, as from a pipe: the same file, the same
/// chunks, without going back.
///
/// A pure step: bytes are handed in with `receive`, chunks are taken with `next`. Memory is bounded
/// by the longest chunk, 256 MiB.
public struct ChunkStream: Sendable {
    /// What is lost so far.
    public private(set) var damage = Damage()
    /// What the first readable header said.
    public private(set) var info: RecordingInfo?
    /// Whether the last chunk was an END.
    public private(set) var isClosed = false
    private var bytes: [UInt8] = []
    /// How much of `bytes` is done with.
    private var used = 0
    /// Bytes received before those in `bytes`.
    private var start: UInt64 = 0
    private var damageStart: UInt64?
    private var sequences = SequenceCheck()
    private var hasChunk = false

    /// A stream that has not begun.
    public init() {}

    /// Where in the stream the next byte to look at stands.
    private var offset: UInt64 { start + UInt64(used) }

    /// Takes the bytes that came.
    public mutating func receive(_ more: some Sequence<UInt8>) {
        // What is done with goes once it is the greater part, so that no byte moves often.
        if used > bytes.count / 2 {
            bytes.removeFirst(used)
            start += UInt64(used)
            used = 0
        }
        bytes += more
    }

    /// The next chunk that is whole and its place, `nil` until more bytes come. Those that serve a
    /// reader only, are unknown or damaged are stepped over.
    ///
    /// Throws `.notARecording` if the first 256 MiB of the stream have no chunk.
    public mutating func next() throws(RecordingError) -> (place: ChunkPlace, chunk: Chunk)? {
        while bytes.count - used >= ChunkHeader.byteCount {
            guard let header = ChunkHeader(bytes[used...]) else {
                if damageStart == nil { damageStart = offset }
                used += Int(ChunkHeader.alignment)
                guard hasChunk || offset <= UInt64(ChunkHeader.longestPayload) else {
                    throw Self.notARecording
                }
                continue
            }
            let count = Int(header.chunkByteCount)
            // The damage ends here, whether the rest of the chunk comes or not.
            if let start = damageStart {
                damage.skipped.append(start..<offset)
                damageStart = nil
            }
            hasChunk = true
            guard bytes.count - used >= count else { return nil }
            let payload = header.payload(in: bytes[used...])
            let place = take(header)
            let here = offset
            used += count
            guard let payload else {
                damage.unreadable.append(here)
                continue
            }
            guard let place else { continue }
            let chunk = place.chunk(payload)
            if place.kind == .header, info == nil {
                info = try? RecordingInfo(payload: chunk.payload)
            }
            if place.kind != .index && place.kind != .end { return (place, chunk) }
        }
        return nil
    }

    /// Says that no more bytes come. Throws `.notARecording` if there was no chunk.
    public mutating func finish() throws(RecordingError) {
        let whole = damageStart ?? offset
        let end = start + UInt64(bytes.count)
        if whole < end { damage.tail = whole..<end }
        guard hasChunk || end == 0 else { throw Self.notARecording }
    }

    private static var notARecording: RecordingError {
        RecordingError(.notARecording, reason: "these bytes are no recording of vblktop")
    }

    /// Notes the chunk at hand: its place, if this reader understands it.
    private mutating func take(_ header: ChunkHeader) -> ChunkPlace? {
        switch sequences.take(header.sequence) {
        case .next: break
        case .gap(let numbers): damage.missing.append(numbers)
        case .back: damage.restarts.append(offset)
        }
        isClosed = header.isReadable(.end, .plain)
        if let place = ChunkPlace(header, at: offset) { return place }
        if header.minReader > ChunkHeader.version {
            damage.tooNewCount += 1
        } else {
            damage.unknownCount += 1
        }
        return nil
    }
}

extension ChunkStream {
    /// Reads from `descriptor` until there is a chunk, and returns it with its place; `nil` at the
    /// end of the stream. Throws `.notARecording`, or `.system` if the kernel refuses.
    public mutating func next(
        from descriptor: Int32
    ) throws(RecordingError) -> (place: ChunkPlace, chunk: Chunk)? {
        while true {
            if let found = try next() { return found }
            let more: [UInt8]
            do {
                more = try readStream(descriptor, count: 256 << 10)
            } catch { throw RecordingError(error, path: nil) }
            if more.isEmpty {
                try finish()
                return nil
            }
            receive(more)
        }
    }
}
