/// How often a thread stopped running since it started.
public struct ThreadSwitches: Sendable, Equatable {
    /// Times it gave up its CPU.
    public let voluntary: UInt64
    /// Times its CPU was taken from it.
    public let involuntary: UInt64
}

/// A thread's context switches (/proc/PID/task/TID/status).
///
/// The dearest of a thread's files (5 µs a reading, most of it spent by the kernel on lines not
/// used).
public struct ThreadStatus: Sendable, Equatable {
    /// The thread's name (`Name`), as the kernel escapes it; control characters are U+FFFD.
    public let name: String
    /// `voluntary_ctxt_switches` and `nonvoluntary_ctxt_switches`.
    public let switches: ThreadSwitches

    /// Parses the file's text. Throws for a line that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "status")
        guard fields.find(key: "Name", in: text) else { throw fields.error("Name") }
        fields.skipBlanks(in: text)
        let start = fields.position
        guard let end = (start..<text.count).first(where: { text[$0] == .newline }) else {
            throw fields.error("Name")
        }
        name = fields.text(upTo: end, in: text)
        switches = ThreadSwitches(
            voluntary: try fields.number(key: "voluntary_ctxt_switches", in: text),
            involuntary: try fields.number(key: "nonvoluntary_ctxt_switches", in: text))
    }
}
