internal import Libraries
public import Telemetry

/// Packs samples into chunks: every so often one that stands for itself, the others as differences
/// from it. One damaged chunk costs one sample at most, and reading any takes two chunks.
public struct SnapshotEncoder: ~Copyable {
    /// Samples from one key to the next.
    public static let keyInterval = 360
    /// Zstd is tried where lists of rows take at least so many bytes.
    private static let worthCompressing = 128

    private var zstd: ZstdCompressor
    private var key: SnapshotContext?
    private var name = SnapshotHead.name(0, 0)
    private var keyByteCount = 0
    /// Bytes that lists of rows took since the key.
    private var rowByteCount = 0
    /// Samples since the key, itself included.
    private var age = 0
    private var copy: Chunk?
    /// The facts that were compared with the key's last.
    private var packed: (sheet: FactSheet, bytes: [UInt8]?)?

    /// An encoder that begins with a key. Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try ZstdCompressor(level: 3) } catch { throw RecordingError(error) }
    }

    /// The chunks of one sample: its own, and after a key the copy of it, which counts no records.
    /// Throws `malformed` for a sample of more than 65,536 rows of a kind, and `system` from zstd.
    public mutating func encode(_ snapshot: Snapshot) throws(RecordingError) -> [Chunk] {
        let context = SnapshotContext(snapshot)
        // A first sample has no rates, and nothing to compare those after it with.
        let isBare = key?.snapshot.interval == nil && snapshot.interval != nil
        if let key, age < Self.keyInterval, !isBare {
            var parts = SnapshotPartWriter(
                context, key: key, facts: packedFacts(snapshot.facts, key: key.snapshot.facts))
            try parts.write()
            // Rows that differ from the key's for long are cheaper in a new one.
            if rowByteCount + parts.rowBytes <= keyByteCount {
                age += 1
                rowByteCount += parts.rowBytes
                let chunk = try pack(
                    .difference(name), parts.writer.bytes, snapshot,
                    isCompressed: parts.rowBytes + parts.listBytes >= Self.worthCompressing)
                return flush() + [chunk]
            }
        }
        packed = nil
        var parts = SnapshotPartWriter(
            context, key: nil, facts: FactList.encode(snapshot.facts, key: FactSheet()))
        try parts.write()
        let before = flush()
        name = SnapshotHead.name(snapshot.monotonic, crc32c(parts.writer.bytes))
        key = context
        key?.becomeKey()
        keyByteCount = parts.writer.bytes.count
        rowByteCount = 0
        age = 1
        let chunk = try pack(.key(name), parts.writer.bytes, snapshot, isCompressed: true)
        copy = chunk.keyCopy()
        return before + [chunk]
    }

    /// What `sheet` has that the `key`'s has not. Samples one after the other mostly share a sheet,
    /// and it is compared once.
    private mutating func packedFacts(_ sheet: FactSheet, key: FactSheet) -> [UInt8]? {
        if sheet.isIdentical(to: key) { return nil }
        if let packed, packed.sheet.isIdentical(to: sheet) { return packed.bytes }
        let bytes = FactList.encode(sheet, key: key)
        packed = (sheet, bytes)
        return bytes
    }

    /// What is left to be written before the file is closed: the copy of a key that no sample
    /// followed, or nothing.
    public mutating func flush() -> [Chunk] {
        defer { copy = nil }
        return copy.map { [$0] } ?? []
    }

    /// Makes the next sample a key, as after chunks that could not be written.
    public mutating func restart() {
        key = nil
        copy = nil
    }

    private mutating func pack(
        _ role: SnapshotRole, _ body: [UInt8], _ snapshot: Snapshot, isCompressed: Bool
    ) throws(RecordingError) -> Chunk {
        var writer = ByteWriter()
        SnapshotHead.write(role, time: snapshot.monotonic, to: &writer)
        let plainByteCount = writer.bytes.count + body.count
        guard plainByteCount <= PackedBody.limit else {
            throw RecordingError(.malformed, reason: "a sample takes \(plainByteCount) bytes")
        }
        var codec = ChunkCodec.columns
        var packed = body
        if isCompressed {
            do {
                let smaller = try zstd.compress(body)
                if smaller.count < body.count { (codec, packed) = (.columnsZstd, smaller) }
            } catch {
                throw RecordingError(error)
            }
        }
        writer.append(packed)
        var chunk = Chunk(
            kind: .snapshots, codec: codec, first: snapshot.monotonic, last: snapshot.monotonic,
            count: 1, plainByteCount: UInt32(clamping: plainByteCount), payload: writer.bytes)
        chunk.minReader = 4
        return chunk
    }
}

/// Reads the samples that a `SnapshotEncoder` packed, in any order.
public struct SnapshotDecoder: ~Copyable {
    private var zstd: ZstdDecompressor
    /// The key that was used last.
    private var known: (name: SnapshotKey, context: SnapshotContext)?
    private var lastSheet: FactSheet?

    /// Throws `system` where there is no memory for zstd.
    public init() throws(RecordingError) {
        do { zstd = try ZstdDecompressor() } catch { throw RecordingError(error) }
    }

    /// The sample in `chunk`. `key` gives the chunk of a key, or its copy, by name, and is asked
    /// only for another key than the last one used; where it has none this throws `empty`. Bytes
    /// that no encoder writes throw `malformed`.
    public mutating func decode(
        _ chunk: Chunk, key: (SnapshotKey) -> Chunk?
    ) throws(RecordingError) -> Snapshot {
        switch try role(of: chunk) {
        case (.key(let name), let head), (.copy(let name), let head):
            return try readKey(chunk, name, head).snapshot
        case (.difference(let name), let head):
            if known?.name != name {
                guard let chunk = key(name) else {
                    throw RecordingError(
                        .empty, reason: "the sample that this one is compared with is missing")
                }
                try learn(chunk, name)
            }
            guard let known else { throw malformed("a key that is none") }
            let body = try PackedBody.unpack(chunk, headLength: head, &zstd)
            let parts = try SnapshotPartReader(body, time: chunk.first, key: known.context)
            var snapshot = try parts.read()
            snapshot.facts = try sheet(of: parts) ?? known.context.snapshot.facts
            return snapshot
        }
    }

    /// The facts of a sample that differ from the key's. Samples of one key one after the other
    /// mostly have the same ones: they share a sheet.
    private mutating func sheet(of parts: SnapshotPartReader) throws(RecordingError) -> FactSheet? {
        guard let facts = try parts.facts() else { return nil }
        let sheet = FactSheet(facts.compactMap { $0 })
        if let lastSheet, lastSheet == sheet { return lastSheet }
        lastSheet = sheet
        return sheet
    }

    private func role(of chunk: Chunk) throws(RecordingError) -> (SnapshotRole, Int) {
        guard chunk.kind == .snapshots else { throw malformed("a chunk holds no sample") }
        var reader = ByteReader(chunk.payload[...])
        let role = try SnapshotHead.read(&reader, time: chunk.first)
        return (role, chunk.payload.count - reader.left)
    }

    /// Makes `chunk` the key called `name`.
    private mutating func learn(_ chunk: Chunk, _ name: SnapshotKey) throws(RecordingError) {
        switch try role(of: chunk) {
        case (.key(let its), let head) where its == name: _ = try readKey(chunk, its, head)
        case (.copy(let its), let head) where its == name: _ = try readKey(chunk, its, head)
        default: throw malformed("a sample is not the key that it was taken for")
        }
    }

    private mutating func readKey(
        _ chunk: Chunk, _ name: SnapshotKey, _ head: Int
    ) throws(RecordingError) -> SnapshotContext {
        if let known, known.name == name { return known.context }
        let body = try PackedBody.unpack(chunk, headLength: head, &zstd)
        guard crc32c(body) == name.checksum else {
            throw malformed("a key is not what its name says")
        }
        let parts = try SnapshotPartReader(body, time: chunk.first, key: nil)
        var snapshot = try parts.read()
        let facts = try parts.facts() ?? []
        snapshot.facts = FactSheet(facts.compactMap { $0 })
        var context = SnapshotContext(snapshot)
        context.facts = facts
        parts.prepare(&context)
        known = (name, context)
        return context
    }
}
