/// How a process has a file open (/proc/PID/fdinfo/FD).
public struct DescriptorInfo: Sendable, Equatable {
    /// The flags of open(2), whose numbers depend on the architecture (`flags`, octal).
    public let flags: UInt64
    /// The mount it was opened through (`mnt_id`): the `id` of one of the process's `MountTable`.
    public let mountID: Int

    /// Parses the file's text. Throws for a line that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "fdinfo")
        guard fields.find(key: "flags", in: text) else { throw fields.error("flags") }
        flags = try fields.octal("flags", in: text)
        guard let id = Int(exactly: try fields.number(key: "mnt_id", in: text)) else {
            throw fields.error("mnt_id")
        }
        mountID = id
    }
}

extension FieldScanner {
    /// The next field as an octal number.
    mutating func octal(_ field: String, in text: Span<UInt8>) throws(ProcFSError) -> UInt64 {
        let end = fieldEnd(in: text)
        guard end > position, end < text.count else { throw error(field) }
        var value: UInt64 = 0
        for index in position..<end {
            guard let digit = text[index].octalDigit, value >> 61 == 0 else { throw error(field) }
            value = value << 3 | digit
        }
        move(to: end)
        return value
    }
}

extension UInt8 {
    /// The value of an octal digit.
    var octalDigit: UInt64? { digit.flatMap { $0 < 8 ? $0 : nil } }
}
