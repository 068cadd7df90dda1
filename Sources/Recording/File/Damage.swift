/// What a recording's file has lost, as far as its reader has looked.
public struct Damage: Sendable, Equatable {
    /// Bytes that are no chunk, with whole ones behind them.
    public internal(set) var skipped: [Range<UInt64>] = []
    /// Bytes at the end that are no whole chunk: one that is being written at the moment, or was
    /// when the writer ended or the disk was full.
    public internal(set) var tail: Range<UInt64>?
    /// Numbers of chunks that should be there and are not.
    public internal(set) var missing: [ClosedRange<UInt64>] = []
    /// Offsets of chunks whose payload fails its checksum; only `ChunkReader.verify` looks.
    public internal(set) var unreadable: [UInt64] = []
    /// Offsets where the numbers of chunks go back, as in files put behind each other.
    public internal(set) var restarts: [UInt64] = []
    /// Chunks of a kind or codec this reader does not know.
    public internal(set) var unknownCount = 0
    /// Chunks that need a newer reader.
    public internal(set) var tooNewCount = 0

    /// Nothing lost.
    public init() {}

    /// Whether something that was written cannot be read; a torn tail alone, as every crash and
    /// every recording under way has it, is not meant.
    public var isLoss: Bool {
        !skipped.isEmpty || !missing.isEmpty || !unreadable.isEmpty || !restarts.isEmpty
            || tooNewCount > 0
    }

    /// A sentence for each kind of damage there is.
    public var sentences: [String] {
        var sentences: [String] = []
        if !skipped.isEmpty {
            let bytes = skipped.reduce(0) { $0 + UInt64($1.count) }
            let places = list(skipped.map { "\($0.lowerBound)–\($0.upperBound - 1)" })
            sentences.append("\(bytes) bytes are damaged and were skipped: \(places)")
        }
        if !missing.isEmpty {
            let places = list(
                missing.map {
                    $0.lowerBound == $0.upperBound
                        ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)"
                })
            sentences.append("chunks are missing, by their numbers: \(places)")
        }
        if !unreadable.isEmpty {
            let places = list(unreadable.map { "\($0)" })
            sentences.append("chunks fail their checksum, at byte: \(places)")
        }
        if !restarts.isEmpty {
            let places = list(restarts.map { "\($0)" })
            sentences.append("the numbers of chunks go back, at byte: \(places)")
        }
        if tooNewCount > 0 {
            sentences.append("\(tooNewCount) chunks need a newer vblktop and were skipped")
        }
        if unknownCount > 0 {
            sentences.append("\(unknownCount) chunks are of an unknown kind and were skipped")
        }
        if let tail {
            sentences.append(
                "the last \(tail.count) bytes are no whole chunk: the writer is at work, or ended"
                    + " there")
        }
        return sentences
    }

    /// The first few of `places`, and how many more there are.
    private func list(_ places: [String]) -> String {
        let shown = 8
        let more = places.count > shown ? " and \(places.count - shown) more" : ""
        return places.prefix(shown).joined(separator: ", ") + more
    }
}
