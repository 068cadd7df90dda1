internal import Libraries
public import Telemetry

/// Packs marks: few, so that they are written one after the other.
public enum MarkCodec {
    private static let part: UInt64 = 1

    /// The chunk of `marks`, `nil` without any.
    public static func encode(_ marks: [Mark]) -> Chunk? {
        guard let first = marks.map(\.monotonic).min(), let last = marks.map(\.monotonic).max()
        else { return nil }
        var (writer, list) = (ByteWriter(), ByteWriter())
        list.number(marks.count)
        for mark in marks {
            var (mark, walker) = (mark, FieldWalker())
            mark.walkFields(&walker)
            list.number(walker.writer.bytes.count)
            list.append(walker.writer.bytes)
        }
        Section.write(part, form: 1, list.bytes, to: &writer)
        return Chunk(
            kind: .marks, codec: .columns, first: first, last: last,
            count: UInt32(clamping: marks.count),
            plainByteCount: UInt32(clamping: writer.bytes.count), payload: writer.bytes)
    }

    /// The marks of `chunk`. Throws `malformed`.
    public static func decode(_ chunk: Chunk) throws(RecordingError) -> [Mark] {
        guard chunk.kind == .marks else { throw malformed("a chunk holds no marks") }
        var reader = ByteReader(chunk.payload[...])
        var marks: [Mark] = []
        for section in try Section.all(&reader) where section.id == part && section.form == 1 {
            var list = ByteReader(section.bytes)
            let count = list.count()
            for _ in 0..<count {
                let length = list.count()
                var walker = FieldWalker(reading: list.take(length))
                var mark = Mark(monotonic: 0, kind: .note, text: "")
                mark.walkFields(&walker)
                guard !list.isBroken, !walker.isBroken else {
                    throw malformed("a mark is cut short")
                }
                marks.append(mark)
            }
        }
        return marks
    }
}

extension Mark {
    mutating func walkFields(_ walker: inout FieldWalker) {
        walker.visit(&monotonic)
        walker.visit(&kind, else: .note)
        walker.visit(&severity, else: .info)
        walker.visit(&scope)
        walker.visit(&text)
    }
}

/// Reads a chunk of whatever kind and forgets it: what a fuzzer calls.
public enum AnyPayload {
    /// Reads `chunk`, a difference as one from `key`. Throws what its decoder throws; kinds without
    /// records are passed over.
    public static func decode(_ chunk: Chunk, key: Chunk? = nil) throws(RecordingError) {
        switch chunk.kind {
        case .snapshots:
            var decoder = try SnapshotDecoder()
            _ = try decoder.decode(chunk) { _ in key }
        case .requests:
            var decoder = try RequestDecoder()
            var events: [IOEvent] = []
            _ = try decoder.decode(chunk, into: &events)
        case .events:
            var decoder = try EventDecoder()
            var events: [KernelEvent] = []
            try decoder.decode(chunk, into: &events)
        case .marks: _ = try MarkCodec.decode(chunk)
        default: break
        }
    }
}
