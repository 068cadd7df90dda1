internal import Kernel

/// A recording's file opened for reading: its table of contents at once, payloads on demand.
///
/// A file that was closed is opened along its index; one that was cut or is still being written,
/// along the last index that is left and header by header from there. What is damaged is stepped
/// over and told in `damage`.
public struct ChunkReader: Sendable {
    /// Where the bytes are.
    public let source: ByteSource
    /// Every chunk this reader understands, in the order of the file. Those of kinds `index` and
    /// `end`, which serve the reader only, are left out.
    public private(set) var contents: [ChunkPlace] = []
    /// What the first readable header of the file says; `nil` if there is none (yet).
    public private(set) var info: RecordingInfo?
    /// What is lost, as far as opening and refreshing have seen.
    public private(set) var damage = Damage()
    /// Whether the writer closed it: its last chunk is an END.
    public private(set) var isClosed = false
    /// Bytes the file had when it was last looked at.
    public private(set) var byteCount: UInt64 = 0
    private var scan: ChunkScan
    private var sequenceCheck = SequenceCheck()
    /// From the lowest number of a chunk to the highest, of whatever kind; `nil` without a chunk.
    private(set) var sequences: ClosedRange<UInt64>?
    private var last: ChunkScan.Found?

    /// Opens the file `path`. Throws `.notARecording` if no chunk is in its first 256 MiB,
    /// `.tooNew` if all of its chunks need a newer reader, `.system` if the kernel refuses.
    ///
    /// An empty file and the beginning of a first chunk open without contents, as their writer may
    /// be about to write them.
    public init(path: String) throws(RecordingError) {
        let file: RandomReadFile
        do {
            file = try RandomReadFile(path: path)
        } catch { throw RecordingError(error, path: path) }
        try self.init(source: .file(file))
    }

    /// Likewise, of `source`.
    public init(source: ByteSource) throws(RecordingError) {
        try self.init(source: source, isIndexUsed: true)
    }

    /// Likewise; without the index every header is visited, with the same result.
    init(source: ByteSource, isIndexUsed: Bool) throws(RecordingError) {
        self.source = source
        let window = ByteWindow(source)
        scan = ChunkScan(window, from: 0)
        byteCount = try source.byteCount()
        guard try Self.beginsLikeARecording(window, byteCount) else {
            throw RecordingError(
                .notARecording, path: source.path, reason: "this is no recording of vblktop")
        }
        if isIndexUsed { try takeIndexed(window) }
        try scanOn()
        if contents.isEmpty, damage.tooNewCount > 0 {
            throw RecordingError(
                .tooNew, path: source.path, reason: "it was written by a newer vblktop; update")
        }
    }

    private static func beginsLikeARecording(
        _ window: ByteWindow, _ end: UInt64
    ) throws(RecordingError) -> Bool {
        var window = window
        if end < UInt64(ChunkHeader.byteCount) {
            let bytes = try window.bytes(at: 0, least: Int(end), readAhead: 0)
            return "VBC1".utf8.starts(with: bytes.prefix(4))
        }
        let limit = UInt64(ChunkHeader.longestPayload) + 2 * UInt64(ChunkHeader.byteCount)
        return try window.nextHeader(from: 0, to: min(end, limit)) != nil
    }

    /// Takes what the file's indexes list and what is before, if they fit the file.
    private mutating func takeIndexed(_ window: ByteWindow) throws(RecordingError) {
        var walk = IndexWalk(window)
        guard let listed = try walk.run(fileByteCount: byteCount), let first = listed.first,
            let last = listed.last
        else { return }
        var front = ChunkScan(window, from: 0)
        try front.run(to: first.offset)
        // A chunk that reaches over the border is not the one that the index was made for.
        guard front.offset == first.offset || front.damageStart != nil else { return }
        let before = front.take()
        damage.skipped += before.skipped
        if let start = front.damageStart { damage.skipped.append(start..<first.offset) }
        try take(before.found)
        try take(listed)
        scan = ChunkScan(window, from: last.offset + last.header.chunkByteCount)
    }

    /// Walks on to the end of the file.
    private mutating func scanOn() throws(RecordingError) {
        try scan.run(to: byteCount)
        let news = scan.take()
        damage.skipped += news.skipped
        try take(news.found)
        let whole = scan.damageStart ?? scan.offset
        damage.tail = whole < byteCount ? whole..<byteCount : nil
    }

    private mutating func take(_ found: [ChunkScan.Found]) throws(RecordingError) {
        contents.reserveCapacity(contents.count + found.count)
        for chunk in found {
            let sequence = chunk.header.sequence
            sequences =
                min(
                    sequences?.lowerBound ?? sequence, sequence)...max(
                    sequences?.upperBound ?? sequence, sequence)
            switch sequenceCheck.take(sequence) {
            case .next: break
            case .gap(let numbers): damage.missing.append(numbers)
            case .back: damage.restarts.append(chunk.offset)
            }
            last = chunk
            isClosed = chunk.header.isReadable(.end, .plain)
            guard let place = ChunkPlace(chunk.header, at: chunk.offset) else {
                if chunk.header.minReader > ChunkHeader.version {
                    damage.tooNewCount += 1
                } else {
                    damage.unknownCount += 1
                }
                continue
            }
            if place.kind == .header, info == nil { info = try readInfo(place) }
            if place.kind != .index && place.kind != .end { contents.append(place) }
        }
    }

    /// What the header chunk at `place` says, `nil` if it is damaged or makes no sense.
    private func readInfo(_ place: ChunkPlace) throws(RecordingError) -> RecordingInfo? {
        guard place.payloadByteCount <= UInt32(RecordingInfo.longestPayload) else { return nil }
        do throws(RecordingError) {
            return try RecordingInfo(payload: try chunk(at: place).payload)
        } catch {
            if error.kind == .system { throw error }
            return nil
        }
    }
}

extension ChunkReader {
    /// The chunk at `place`, which `contents` gave, with its payload. Throws `.damaged` if its
    /// bytes are not those that were written, `.system` if the kernel refuses.
    public func chunk(at place: ChunkPlace) throws(RecordingError) -> Chunk {
        guard let payload = try source.payload(of: place.header, at: place.offset) else {
            throw RecordingError(
                .damaged, path: source.path,
                reason: "the chunk at byte \(place.offset) is damaged: its checksum fails")
        }
        return place.chunk(payload)
    }

    /// Reads every chunk and notes in `damage` those that fail their checksums: the time of reading
    /// the whole file. Throws `.system` if the kernel refuses.
    public mutating func verify() throws(RecordingError) {
        damage.unreadable = []
        for place in contents {
            do throws(RecordingError) {
                _ = try chunk(at: place)
            } catch {
                guard error.kind == .damaged else { throw error }
                damage.unreadable.append(place.offset)
            }
        }
    }

    /// Every reading of the clocks that the file carries, in its order; what is damaged is left
    /// out.
    public func clockReadings() throws(RecordingError) -> [ClockReading] {
        var readings: [ClockReading] = []
        if let started = info?.started { readings.append(started) }
        for place in contents where place.kind == .sync && place.codec == .plain {
            do throws(RecordingError) {
                readings += ClockReading.readings(try chunk(at: place).payload[...])
            } catch {
                guard error.kind == .damaged else { throw error }
            }
        }
        return readings
    }
}

extension ChunkReader {
    /// What became of a file since it was last looked at.
    public enum Change: Sendable, Equatable {
        case none
        /// That many more chunks are in `contents`.
        case grown(Int)
        /// It has fewer bytes than before.
        case shrunk
        /// Its name is another file's, or what was read of it was written over.
        case replaced
    }

    /// Takes what was appended since. A chunk that is not whole yet is left for the next time.
    ///
    /// After `.shrunk` or `.replaced` this reader is as it was, and good for nothing more than a
    /// message: open the file again. A file whose name was removed is read on.
    public mutating func refresh() throws(RecordingError) -> Change {
        let count = try source.byteCount()
        guard count >= byteCount else { return .shrunk }
        if case .file(let file) = source, let current = try? FileIdentity(of: file.path),
            current != file.identity
        {
            return .replaced
        }
        scan.window.forget()
        if let last, try scan.window.header(at: last.offset) != last.header { return .replaced }
        guard count > byteCount else { return .none }
        byteCount = count
        let before = contents.count
        try scanOn()
        return contents.count > before ? .grown(contents.count - before) : .none
    }
}
