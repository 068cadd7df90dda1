/// What a process's mappings tell of its I/O (/proc/PID/maps).
public struct MemoryMaps: Sendable, Equatable {
    /// Linux AIO contexts: each has one mapping called `/[aio]`.
    public let aioContexts: Int

    /// Counts in the file's text; a last line that was cut short is left out.
    public init(_ text: Span<UInt8>) {
        var fields = FieldScanner(file: "maps")
        var count = 0
        while fields.position < text.count {
            let end = fields.lineEnd(in: text)
            if end < text.count, Self.isContext(fields.position..<end, in: text) { count += 1 }
            fields.move(to: min(end + 1, text.count))
        }
        aioContexts = count
    }

    /// Whether a line's name, behind five fields and blanks, is `/[aio]`. No file can be called so:
    /// its path would have the directory before it, but for one in `/`, which has an inode's number
    /// and a device that is not anonymous.
    private static func isContext(_ line: Range<Int>, in text: Span<UInt8>) -> Bool {
        let line = text.extracting(line)
        var fields = FieldScanner(file: "maps")
        guard (try? fields.skip(3, before: "dev", in: line)) != nil else { return false }
        fields.skipBlanks(in: line)
        guard isAt(fields.position, "00:", in: line),
            (try? fields.skip(2, before: "name", in: line)) != nil
        else { return false }
        fields.skipBlanks(in: line)
        return isAt(fields.position, "/[aio]", in: line)
    }

    private static func isAt(_ start: Int, _ word: String, in text: Span<UInt8>) -> Bool {
        let word = word.utf8.span
        guard text.count - start >= word.count else { return false }
        return word.indices.allSatisfy { text[start + $0] == word[$0] }
    }
}
