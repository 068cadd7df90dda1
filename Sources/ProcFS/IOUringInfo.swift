/// An io_uring instance, as the kernel shows it to whoever may trace its process
/// (/proc/PID/fdinfo/FD).
public struct IOUringInfo: Sendable, Equatable {
    /// Entries of its submission ring (`SqMask` and one), a power of two.
    public let entries: UInt64
    /// Completions wait because the completion ring is full (`CqOverflowList`).
    public let hasOverflowed: Bool

    /// Parses the file's text. Throws where a line is missing or no number, as before Linux 5.19.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "fdinfo")
        guard fields.find(key: "SqMask", in: text) else { throw fields.error("SqMask") }
        let mask = try fields.word("SqMask", in: text)
        guard mask.hasPrefix("0x"), let value = UInt32(mask.dropFirst(2), radix: 16) else {
            throw fields.error("SqMask")
        }
        entries = UInt64(value) + 1
        guard fields.find(key: "CqOverflowList", in: text) else {
            throw fields.error("CqOverflowList")
        }
        // What is in the list stands indented below its head.
        fields.skipLine(in: text)
        hasOverflowed = fields.position < text.count && text[fields.position].isBlank
    }
}
