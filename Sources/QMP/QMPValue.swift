/// A value of no type known beforehand: a property of an object in QEMU, the data of an event.
///
/// Texts are fit for one line of a screen.
public indirect enum QMPValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A whole number above 2⁶³-1.
    case unsigned(UInt64)
    /// A number with a point or an exponent, or beyond 64 bits; finite.
    case number(Double)
    case text(String)
    case array([QMPValue])
    case object([String: QMPValue])

    /// Values that one may hold inside; a property has some dozens.
    static let limit = 65_536

    /// The value that `json` stands for, as on QEMU's command line (`-blockdev '{…}'`). Throws
    /// `QMPError.malformed` for what is not JSON.
    public init(parsing json: [UInt8]) throws(QMPError) {
        let root: JSONValue
        do throws(JSONError) { root = try JSONDocument(json).root } catch { throw QMPError(error) }
        guard let value = QMPValue(root) else {
            throw .malformed(reason: "a number that is none, or over \(Self.limit) values")
        }
        self = value
    }

    /// A copy of `value`; `nil` if it has more than `limit` parts or a number that is none.
    init?(_ value: JSONValue) {
        guard value.partCount <= Self.limit, let copy = QMPValue(copying: value) else {
            return nil
        }
        self = copy
    }

    /// Recursion goes no deeper than `JSONIndexer.depthLimit`.
    private init?(copying value: JSONValue) {
        if let bool = value.bool {
            self = .bool(bool)
        } else if let text = value.text {
            self = .text(text)
        } else if value.isNull {
            self = .null
        } else if value.isArray {
            var items: [QMPValue] = []
            for item in value.items {
                guard let copy = QMPValue(copying: item) else { return nil }
                items.append(copy)
            }
            self = .array(items)
        } else if value.isObject {
            var members: [String: QMPValue] = [:]
            for member in value.members {
                guard let copy = QMPValue(copying: member.value) else { return nil }
                members[member.key.text ?? ""] = copy
            }
            self = .object(members)
        } else if let integer = value.int64 {
            self = .integer(integer)
        } else if let unsigned = value.uint64 {
            self = .unsigned(unsigned)
        } else if let number = value.double {
            self = .number(number)
        } else {
            return nil
        }
    }

    /// A whole number of 0…2⁶⁴-1.
    public var uint64: UInt64? {
        switch self {
        case .integer(let value): UInt64(exactly: value)
        case .unsigned(let value): value
        default: nil
        }
    }

    /// Any number.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var text: String? { if case .text(let value) = self { value } else { nil } }
    public var items: [QMPValue]? { if case .array(let value) = self { value } else { nil } }

    /// A member of an object.
    public subscript(key: String) -> QMPValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }
}
