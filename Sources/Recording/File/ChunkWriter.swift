public import Kernel
public import Telemetry

/// Appends chunks to a file or a pipe: numbers them, indexes them, repeats the header, and closes
/// with an END. Never seeks. Time is handed in.
///
/// The first write that fails is thrown, and what is left of the chunk is cut off again where the
/// file is the writer's own, so that all that stands in it is whole. After that nothing is written
/// any more (unless `resume` is called) and nothing is thrown: `unwritten` counts.
public struct ChunkWriter {
    /// Where the chunks go.
    public let output: AppendFile
    /// Bytes in the file.
    public private(set) var byteCount: UInt64 = 0
    /// The number of the next chunk.
    public private(set) var nextSequence: UInt64
    /// The failure that stopped it.
    public private(set) var failure: RecordingError?
    /// What was handed in and is not in the file.
    public private(set) var unwritten = Unwritten()
    private let options: ChunkWriterOptions
    private let header: [UInt8]
    private var lossOf = LossLedger()
    private var index = IndexBuilder()
    private var clockAt: Nanoseconds?
    private var durableAt: Nanoseconds
    private var hasUnsafeBytes = false
    private var headerEnd: UInt64 = 0
    /// Whether the file ends with something that is no whole chunk.
    private var isTorn = false

    /// A writer to `output` that begins with the header `info` and `clocks`. `sequence` is the
    /// first number, `nextSequence` of the segment before. Throws the failure of the first write.
    public init(
        output: AppendFile, info: RecordingInfo, clocks: ClockReading, sequence: UInt64 = 0,
        options: ChunkWriterOptions = ChunkWriterOptions()
    ) throws(RecordingError) {
        self.output = output
        self.options = options
        nextSequence = sequence
        header = try info.payload()
        durableAt = clocks.monotonic
        try writeHeader(at: clocks.monotonic)
        try tick(clocks)
    }

    /// A writer to `output`, the next segment of the session that `previous` wrote: numbers go on,
    /// and so does the account of what was not written.
    init(
        output: AppendFile, info: RecordingInfo, clocks: ClockReading, after previous: ChunkWriter
    ) throws(RecordingError) {
        try self.init(
            output: output, info: info, clocks: clocks, sequence: previous.nextSequence,
            options: previous.options)
        unwritten = previous.unwritten
        lossOf = previous.lossOf
    }

    /// Appends `chunk` and what is due. Throws the failure that stops the writer, once;
    /// `.malformed` for a payload over 256 MiB, which is not written.
    public mutating func append(
        _ chunk: Chunk, at clocks: ClockReading
    ) throws(RecordingError) {
        guard failure == nil else { return noteUnwritten(chunk) }
        do throws(RecordingError) {
            try put(chunk, at: clocks.monotonic)
        } catch {
            noteUnwritten(chunk)
            throw error
        }
        try tick(clocks)
    }

    /// Writes `chunk`, and the header before it if that is due; one that fails is not counted, as
    /// it may be tried again.
    mutating func put(_ chunk: Chunk, at now: Nanoseconds) throws(RecordingError) {
        guard chunk.payload.count <= Int(ChunkHeader.longestPayload),
            chunk.plainByteCount <= ChunkHeader.longestPayload
        else {
            throw RecordingError(
                .malformed, path: output.path, reason: "a chunk over 256 MiB is not written")
        }
        if byteCount - headerEnd >= options.headerInterval { try writeHeader(at: now) }
        var told = chunk
        let lost = lossOf.settle(&told)
        do throws(RecordingError) {
            try write(told)
        } catch {
            lossOf.note(lost, of: chunk)
            throw error
        }
    }

    /// What is due by the clocks or by what was written: a SYNC chunk, an index. Throws the failure
    /// that stops the writer, once.
    public mutating func tick(_ clocks: ClockReading) throws(RecordingError) {
        guard failure == nil else { return }
        let now = clocks.monotonic
        if clockAt.map({ isPast($0, options.clockInterval, now) }) ?? true {
            let record = clocks.record
            try write(
                Chunk(
                    kind: .sync, codec: .plain, first: now, last: now, count: 1,
                    plainByteCount: UInt32(record.count), payload: record))
            clockAt = now
        }
        let limit = min(max(1, options.indexedChunks), IndexPayload.longest / 2)
        if index.count >= limit || index.byteCount >= options.indexedBytes {
            try writeIndex(at: now)
        }
    }

    /// Writes the last index and the END. Nothing may be appended after it. Throws the failure of a
    /// write; does nothing after one.
    public mutating func close(at now: Nanoseconds) throws(RecordingError) {
        guard failure == nil else { return }
        try writeIndex(at: now)
        guard let last = index.last else { return }
        let trailer = Trailer(indexDistance: byteCount - last.offset).payload
        try write(
            Chunk(
                kind: .end, codec: .plain, first: now, last: now, count: 0,
                plainByteCount: UInt32(trailer.count), payload: trailer))
    }

    /// The file, if it is time to call `makeDurable()` on it, from this thread or any other; `nil`
    /// if not. The duty counts as done.
    public mutating func takeDurabilityDuty(at now: Nanoseconds) -> AppendFile? {
        guard hasUnsafeBytes, output.isOwned else { return nil }
        switch options.durability {
        case .never: return nil
        case .every(let interval): guard isPast(durableAt, interval, now) else { return nil }
        case .eachChunk: break
        }
        hasUnsafeBytes = false
        durableAt = now
        return output
    }

    /// Takes up writing after a failure, if the file ends with a whole chunk: whether it does. The
    /// next chunk of each stream tells in its `lost` what was not written.
    public mutating func resume() -> Bool {
        if failure != nil, !isTorn { failure = nil }
        return failure == nil
    }
}

extension ChunkWriter {
    private func isPast(_ start: Nanoseconds, _ interval: Nanoseconds, _ now: Nanoseconds) -> Bool {
        now >= start && now - start >= interval
    }

    private mutating func writeHeader(at now: Nanoseconds) throws(RecordingError) {
        try write(
            Chunk(
                kind: .header, codec: .plain, first: now, last: now, count: 1,
                plainByteCount: UInt32(header.count), payload: header))
        headerEnd = byteCount
    }

    private mutating func writeIndex(at now: Nanoseconds) throws(RecordingError) {
        let payload = index.payload
        try write(
            Chunk(
                kind: .index, codec: .columns, first: now, last: now, count: UInt32(index.count),
                plainByteCount: UInt32(payload.count), payload: payload))
    }

    private mutating func write(_ chunk: Chunk) throws(RecordingError) {
        let header = ChunkHeader(of: chunk, sequence: nextSequence)
        let bytes = header.encoded(with: chunk.payload)
        do {
            try output.write(bytes)
        } catch {
            throw stopped(by: error)
        }
        index.note(header, at: byteCount, isIndex: chunk.kind == .index)
        byteCount += UInt64(bytes.count)
        nextSequence += 1
        hasUnsafeBytes = true
    }

    private mutating func stopped(by error: AppendFile.WriteFailure) -> RecordingError {
        isTorn = error.written > 0
        if isTorn, output.isOwned, (try? output.cut(to: byteCount)) != nil { isTorn = false }
        let failure = RecordingError(error.cause, path: output.path)
        self.failure = failure
        return failure
    }

    /// Counts `chunk` as one that is not in the file; its number is left out, which proves it.
    mutating func noteUnwritten(_ chunk: Chunk) {
        unwritten.chunks += 1
        unwritten.records += UInt64(chunk.count)
        unwritten.bytes += UInt64(ChunkHeader.byteCount + chunk.payload.count)
        lossOf.note(UInt64(chunk.count) + UInt64(chunk.lost), of: chunk)
        nextSequence += 1
    }
}
