/// The fields of a tracepoint's records, as its `format` file in tracefs describes them: they
/// differ between kernels, so that nobody can know them beforehand.
public struct TracepointFormat: Sendable, Equatable {
    /// Where a field stands in the record.
    public struct Field: Sendable, Equatable {
        public var name: String
        /// Bytes from the start of the record.
        public var offset: Int
        /// Bytes it takes; numbers have 1, 2, 4 or 8.
        public var size: Int
        public var isSigned: Bool

        /// A field called `name`.
        public init(name: String, offset: Int, size: Int, isSigned: Bool) {
            self.name = name
            self.offset = offset
            self.size = size
            self.isSigned = isSigned
        }

        /// The number of this field in a record's bytes, its bits as they are with the sign
        /// carried on; `nil` where the record is too short or the field is no number.
        public func bits(in record: Span<UInt8>) -> UInt64? {
            guard size == 1 || size == 2 || size == 4 || size == 8, offset >= 0,
                offset <= record.count - size
            else { return nil }
            var value: UInt64 = 0
            for index in 0..<size {
                value |= UInt64(record[offset + index]) << UInt64(index * 8)
            }
            guard isSigned else { return value }
            let unused = Int64(64 - size * 8)
            return UInt64(bitPattern: Int64(bitPattern: value << UInt64(unused)) >> unused)
        }

        /// The same as a number to calculate with.
        public func value(in record: Span<UInt8>) -> Double? {
            bits(in: record).map { isSigned ? Double(Int64(bitPattern: $0)) : Double($0) }
        }
    }

    /// The tracepoint's number, by which perf opens it (`ID`).
    public let id: UInt64
    /// The common fields and its own, in the order of the file.
    public let fields: [Field]

    /// The field called `name`.
    public func field(_ name: String) -> Field? { fields.first { $0.name == name } }

    /// No tracepoint of any kernel has more.
    private static let fieldLimit = 512

    /// Parses the text of a `format` file. Throws for one without an id or with a field line that
    /// is not `field:TYPE NAME; offset:N; size:N; signed:N;`.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        for index in text.indices { bytes.append(text[index]) }
        var id: UInt64?
        var fields: [Field] = []
        for line in bytes.split(separator: .newline) {
            let line = String(decoding: line, as: UTF8.self)
            if line.hasPrefix("ID:") {
                id = UInt64(line.dropFirst(3).filter { $0 != " " && $0 != "\t" })
            } else if line.drop(while: { $0 == " " || $0 == "\t" }).hasPrefix("field:") {
                guard fields.count < Self.fieldLimit, let field = Self.field(in: line) else {
                    throw ProcFSError(file: "format", field: "field \(fields.count + 1)")
                }
                fields.append(field)
            }
        }
        guard let id else { throw ProcFSError(file: "format", field: "ID") }
        self.id = id
        self.fields = fields
    }

    private static func field(in line: String) -> Field? {
        var parts: [Substring: Substring] = [:]
        for part in line.split(separator: ";") {
            let part = part.drop { $0 == " " || $0 == "\t" }
            guard let colon = part.firstIndex(of: ":") else { continue }
            parts[part[..<colon]] = part[part.index(after: colon)...]
        }
        guard let declaration = parts["field"],
            var name = declaration.split(separator: " ").last,
            let offset = parts["offset"].flatMap({ UInt16($0) }),
            let size = parts["size"].flatMap({ UInt16($0) })
        else { return nil }
        // `char rwbs[10]`: the name ends before its length.
        name = name.prefix { $0 != "[" }
        let isWord = name.utf8.allSatisfy {
            $0.isLetter || $0.digit != nil || $0 == UInt8(ascii: "_")
        }
        guard !name.isEmpty, isWord else { return nil }
        return Field(
            name: String(name), offset: Int(offset), size: Int(size),
            isSigned: parts["signed"].map { $0 == "1" } ?? false)
    }
}
