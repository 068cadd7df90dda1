/// Whom a process belongs to (/proc/PID/status).
public struct ProcessStatus: Sendable, Equatable {
    /// The user it acts as (`Uid`, the second of four numbers: real, effective, saved, file
    /// system).
    public let effectiveUser: UInt32

    /// Parses the file's text. Throws if the line is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "status")
        guard fields.find(key: "Uid", in: text) else { throw fields.error("Uid") }
        try fields.skip(1, before: "Uid", in: text)
        guard let user = UInt32(exactly: try fields.number("Uid", in: text)) else {
            throw fields.error("Uid")
        }
        effectiveUser = user
    }
}
