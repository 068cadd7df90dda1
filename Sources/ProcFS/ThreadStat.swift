/// A thread's identity, state and place (/proc/PID/task/TID/stat; numbers of fields as in proc(5)).
public struct ThreadStat: Sendable, Equatable {
    /// The thread's name (field 2, `comm`, at most 15 bytes), fit for a screen: what is not UTF-8
    /// and control characters are U+FFFD.
    public let name: String
    /// `R` running, `S` sleeping, `D` in uninterruptible sleep, `Z` zombie, … (field 3).
    public let state: Character
    /// Page faults that had to wait for a disk since it started (field 12, `majflt`); in
    /// /proc/PID/stat those of all threads.
    public let majorFaults: UInt64
    /// When it started, clock ticks since boot (field 22): tells a reused thread id from the old
    /// thread.
    public let startTime: UInt64
    /// The CPU it last ran on (field 39).
    public let lastCPU: Int

    /// Parses the file's text. Throws for a field that is missing, cut short or not of its kind.
    ///
    /// The name stands in parentheses and may itself hold blanks and parentheses; it ends at the
    /// last one in the text, since all that follows are numbers and one letter.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "stat")
        try fields.skip(1, before: "comm", in: text)
        fields.skipBlanks(in: text)
        guard
            fields.position < text.count, text[fields.position] == UInt8(ascii: "("),
            let end = text.indices.last(where: { text[$0] == UInt8(ascii: ")") }),
            end > fields.position
        else { throw fields.error("comm") }
        fields.move(to: fields.position + 1)
        name = fields.text(upTo: end, in: text)
        fields.move(to: end + 1)
        state = try fields.letter("state", in: text)
        try fields.skip(8, before: "majflt", in: text)
        majorFaults = try fields.number("majflt", in: text)
        try fields.skip(9, before: "starttime", in: text)
        startTime = try fields.number("starttime", in: text)
        try fields.skip(16, before: "processor", in: text)
        guard let cpu = Int(exactly: try fields.number("processor", in: text)) else {
            throw fields.error("processor")
        }
        lastCPU = cpu
    }
}
