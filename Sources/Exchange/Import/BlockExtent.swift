internal import Telemetry

/// What a step of the block layer is about, as text: `RWBS sector + sectors`.
struct BlockExtent {
    var kind: BlockOperation
    var sector: UInt64
    var bytes: UInt32
    /// The sector after a `/`: where the second part of a split begins, where a bio came from.
    var second: UInt64 = 0

    /// What stands in a line.
    enum Reading {
        case request(BlockExtent)
        /// Something that is no request of a disk.
        case other
        case unreadable
    }

    /// Reads on behind the action. A flush without data has no `+ sectors`, and perhaps no sector;
    /// so has a command that is passed through.
    static func read(_ line: Span<UInt8>, _ fields: inout Fields) -> Reading {
        let rwbs = fields.word(line)
        if rwbs.isEmpty { return .unreadable }
        var (sector, sectors, second): (UInt64, UInt64, UInt64) = (0, 0, 0)
        fields.skipBlanks(line)
        // perf puts the bytes (of an issue) and the command in brackets before the sector.
        let start = fields.at
        if fields.number(line) != nil, fields.accept("(", in: line), fields.accept(")", in: line) {
        } else {
            fields.at = start
            if fields.accept("(", in: line), !fields.accept(")", in: line) { return .other }
        }
        fields.skipBlanks(line)
        if let byte = fields.peek(line), byte != UInt8(ascii: "[") {
            guard let number = fields.number(line) else { return .unreadable }
            sector = number
            if fields.accept("+", in: line) {
                guard let number = fields.number(line) else { return .unreadable }
                sectors = number
            } else if fields.accept("/", in: line) {
                guard let number = fields.number(line) else { return .unreadable }
                second = number
                // The length is not told; that of the request is.
                sectors = 1
            }
        }
        guard sectors <= UInt64(UInt32.max) / 512 else { return .unreadable }
        let bytes = UInt32(sectors) * 512
        guard let kind = BlockOperation(rwbs: rwbs, in: line, bytes: bytes) else { return .other }
        return .request(BlockExtent(kind: kind, sector: sector, bytes: bytes, second: second))
    }

    /// Whether a number other than 0 stands in the last brackets of the line, a completion's error.
    static func hasError(_ line: Span<UInt8>, _ fields: inout Fields) -> Bool {
        var at = line.count
        while at > fields.at, line[at - 1] != UInt8(ascii: "[") { at -= 1 }
        fields.at = at
        _ = fields.accept("-", in: line)
        return (fields.number(line) ?? 0) != 0
    }
}
