/// A thread's context switches (/proc/PID/task/TID/status).
///
/// The dearest of a thread's files (5 µs a reading, most of it spent by the kernel on lines not
/// used).
public struct ThreadStatus: Sendable, Equatable {
    /// The thread's name (`Name`), as the kernel escapes it; control characters are U+FFFD.
    public let name: String
    /// Times it gave up its CPU since it started (`voluntary_ctxt_switches`).
    public let voluntarySwitches: UInt64
    /// Times its CPU was taken from it (`nonvoluntary_ctxt_switches`).
    public let involuntarySwitches: UInt64

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
        voluntarySwitches = try fields.number(key: "voluntary_ctxt_switches", in: text)
        involuntarySwitches = try fields.number(key: "nonvoluntary_ctxt_switches", in: text)
    }
}
