/// The file systems a process sees (/proc/PID/mountinfo).
public struct MountTable: Sendable, Equatable {
    /// One mount.
    public struct Mount: Sendable, Equatable {
        /// What /proc/PID/fdinfo calls `mnt_id` (field 1).
        public let id: Int
        /// The device of its files, `st_dev` (field 3); major 0 has no block device behind it.
        public let major, minor: Int
        /// The directory of its file system that is mounted there (field 4): `/` for all of it.
        public let root: String
        /// Where it is mounted, as the process sees it (field 5).
        public let point: String
        /// `ext4`, `xfs`, `nfs4`, … (the first field behind the dash).
        public let type: String
        /// The device, the server's export or a mere word (the second one).
        public let source: String
        /// Its own options (field 6), then those of its file system (the third one) that are not
        /// among them, joined by commas; `rw` of a file system does not make a mount writable.
        public let options: String
    }

    /// In the order of mounting. All texts are fit for a screen.
    public let mounts: [Mount]

    /// Parses the file's text. Throws for a field that is missing, cut short or not of its kind.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "mountinfo")
        var mounts: [Mount] = []
        while fields.position < text.count {
            mounts.append(try Self.mount(&fields, in: text))
        }
        self.mounts = mounts
    }

    private static func mount(
        _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) -> Mount {
        guard fields.lineEnd(in: text) < text.count else { throw fields.error("newline") }
        guard let id = Int(exactly: try fields.number("mount ID", in: text)) else {
            throw fields.error("mount ID")
        }
        try fields.skip(1, before: "major:minor", in: text)
        let device = try fields.word("major:minor", in: text).split(separator: ":")
        guard device.count == 2, let major = Int(device[0]), let minor = Int(device[1]),
            major >= 0, minor >= 0
        else { throw fields.error("major:minor") }
        let root = try escapedWord("root", &fields, in: text)
        let point = try escapedWord("mount point", &fields, in: text)
        let own = try escapedWord("mount options", &fields, in: text)
        // Any number of optional fields ends with a dash.
        while try fields.word("separator", in: text) != "-" {}
        let type = try escapedWord("filesystem type", &fields, in: text)
        let source = try source(&fields, in: text)
        let further =
            fields.isAtLineEnd(in: text) ? "" : try escapedWord("options", &fields, in: text)
        fields.skipLine(in: text)
        return Mount(
            id: id, major: major, minor: minor, root: root, point: point, type: type,
            source: source, options: joined(own, further))
    }

    private static func joined(_ own: String, _ further: String) -> String {
        let first = own.split(separator: ",")
        let known = Set(first)
        let isReadOnly = known.contains("ro")
        let rest = further.split(separator: ",").filter {
            !known.contains($0) && !(isReadOnly && $0 == "rw")
        }
        return (first + rest).joined(separator: ",")
    }

    /// A source that is the empty string leaves two blanks where it would stand.
    private static func source(
        _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) -> String {
        let next = fields.position + 1
        if next < text.count, text[fields.position].isBlank, text[next].isBlank { return "" }
        return try escapedWord("mount source", &fields, in: text)
    }

    /// A field in which blanks, newlines and backslashes are written as `\040`: a backslash and
    /// three octal digits.
    static func escapedWord(
        _ field: String, _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) -> String {
        let end = fields.fieldEnd(in: text)
        guard end > fields.position else { throw fields.error(field) }
        var bytes: [UInt8] = []
        var index = fields.position
        while index < end {
            if let byte = escaped(at: index, before: end, in: text) {
                bytes.append(byte)
                index += 4
            } else {
                bytes.append(text[index])
                index += 1
            }
        }
        fields.move(to: end)
        var plain = FieldScanner(file: "mountinfo")
        return plain.text(upTo: bytes.count, in: bytes.span)
    }

    private static func escaped(at index: Int, before end: Int, in text: Span<UInt8>) -> UInt8? {
        guard text[index] == UInt8(ascii: "\\"), end - index > 3 else { return nil }
        var value = 0
        for offset in 1...3 {
            guard let digit = text[index + offset].octalDigit else { return nil }
            value = value << 3 | Int(digit)
        }
        return UInt8(exactly: value)
    }
}
