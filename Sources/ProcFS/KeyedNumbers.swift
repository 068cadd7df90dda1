/// A file of numbers by name, a line each: /proc/meminfo (`MemTotal:  4096 kB`), /proc/vmstat
/// (`pswpin 23`).
public struct KeyedNumbers: Sendable, Equatable {
    private var numbers: [String: UInt64] = [:]

    /// Parses the text of a file called `file`. Throws for a line that is cut short or has no
    /// number; so does a number of kilobytes that is too large to count in bytes.
    public init(_ text: Span<UInt8>, file: String) throws(ProcFSError) {
        var fields = FieldScanner(file: file)
        while fields.position < text.count {
            if fields.isAtLineEnd(in: text) {
                fields.skipLine(in: text)
                continue
            }
            var key = try fields.word("name", in: text)
            if key.utf8.last == UInt8(ascii: ":") { key.removeLast() }
            let number = try fields.number(key, in: text)
            if fields.isAtLineEnd(in: text) {
                numbers[key] = number
            } else {
                guard try fields.word("unit of \(key)", in: text) == "kB" else {
                    throw fields.error("unit of \(key)")
                }
                let (bytes, overflows) = number.multipliedReportingOverflow(by: 1024)
                guard !overflows else { throw fields.error(key) }
                numbers[key] = bytes
            }
            fields.skipLine(in: text)
        }
    }

    /// The number called `key`, bytes where the file has kilobytes; `nil` if there is none.
    public subscript(key: String) -> UInt64? { numbers[key] }
}
