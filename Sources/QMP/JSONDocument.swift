/// One JSON message, checked as a whole and indexed, so that its values are read where they lie.
///
/// The index takes one pass, sixteen bytes a value and no recursion, whatever the other side
/// nests. Strings and numbers become Swift values only when somebody asks for them.
final class JSONDocument: Sendable {
    let bytes: [UInt8]
    let tokens: [JSONToken]

    /// Checks and indexes `bytes`. Throws for anything but one whole JSON value, for more than
    /// `JSONIndexer.depthLimit` levels and for more than `JSONIndexer.tokenLimit` values.
    init(_ bytes: [UInt8]) throws(JSONError) {
        var indexer = JSONIndexer(bytes)
        try indexer.run()
        self.bytes = bytes
        self.tokens = indexer.tokens
    }

    /// The value that is the whole message.
    var root: JSONValue { JSONValue(document: self, index: 0) }
}

/// Why a message is not taken as JSON.
enum JSONError: Error, Equatable {
    /// The byte at this offset cannot stand there, or the text ends there too early.
    case unexpected(offset: Int)
    case tooDeep
    case tooMany
}

/// Where a value, or the key of an object's member, stands in the text.
struct JSONToken {
    enum Kind: UInt8 { case object, array, text, escapedText, number, yes, no, null }
    /// First byte: of a string, the one behind its quote.
    var start: UInt32
    /// Behind the last byte: of a string, its closing quote.
    var end: UInt32
    /// Index of the token behind this value and all that is in it.
    var next: UInt32
    var kind: Kind
}

/// The pass that makes the index of a `JSONDocument`.
struct JSONIndexer {
    /// QEMU's replies have some ten levels, and another one for each image of a backing chain.
    static let depthLimit = 256
    /// The replies of a thousand disks have some hundred thousand values.
    static let tokenLimit = 8 << 20

    private(set) var tokens: [JSONToken] = []
    private let bytes: [UInt8]
    private var position = 0
    /// Indices of the objects and arrays that are open.
    private var open: [Int] = []
    private var expected = Expected.value

    private enum Expected { case value, firstItem, firstKey, key, separator, end }

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        tokens.reserveCapacity(min(bytes.count / 12 + 1, 1 << 16))
    }

    mutating func run() throws(JSONError) {
        guard bytes.count < UInt32.max else { throw .tooMany }
        while true {
            while position < bytes.count, bytes[position].isBlank { position += 1 }
            guard position < bytes.count else { break }
            guard tokens.count < Self.tokenLimit else { throw .tooMany }
            switch expected {
            case .value: try value()
            case .firstItem: try bytes[position] == .closingBracket ? close() : value()
            case .firstKey: try bytes[position] == .closingBrace ? close() : key()
            case .key: try key()
            case .separator: try separator()
            case .end: throw unexpected
            }
        }
        guard expected == .end else { throw unexpected }
    }

    private var unexpected: JSONError { .unexpected(offset: position) }

    private mutating func value() throws(JSONError) {
        switch bytes[position] {
        case .openingBrace: try enter(.object)
        case .openingBracket: try enter(.array)
        case .quote:
            try text()
            complete()
        case UInt8(ascii: "t"): try literal("true", .yes)
        case UInt8(ascii: "f"): try literal("false", .no)
        case UInt8(ascii: "n"): try literal("null", .null)
        default: try number()
        }
    }

    /// A value is over: what may follow depends on what it stands in.
    private mutating func complete() { expected = open.isEmpty ? .end : .separator }

    private mutating func append(_ kind: JSONToken.Kind, from start: Int, to end: Int) {
        tokens.append(
            JSONToken(
                start: UInt32(truncatingIfNeeded: start), end: UInt32(truncatingIfNeeded: end),
                next: UInt32(truncatingIfNeeded: tokens.count + 1), kind: kind))
    }

    private mutating func enter(_ kind: JSONToken.Kind) throws(JSONError) {
        guard open.count < Self.depthLimit else { throw .tooDeep }
        open.append(tokens.count)
        append(kind, from: position, to: position)
        position += 1
        expected = kind == .object ? .firstKey : .firstItem
    }

    private mutating func close() throws(JSONError) {
        guard let container = open.popLast() else { throw unexpected }
        position += 1
        tokens[container].end = UInt32(truncatingIfNeeded: position)
        tokens[container].next = UInt32(truncatingIfNeeded: tokens.count)
        complete()
    }

    private mutating func separator() throws(JSONError) {
        guard let container = open.last else { throw unexpected }
        let isObject = tokens[container].kind == .object
        switch bytes[position] {
        case UInt8(ascii: ","):
            position += 1
            expected = isObject ? .key : .value
        case isObject ? .closingBrace : .closingBracket: try close()
        default: throw unexpected
        }
    }

    private mutating func key() throws(JSONError) {
        guard bytes[position] == .quote else { throw unexpected }
        try text()
        while position < bytes.count, bytes[position].isBlank { position += 1 }
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { throw unexpected }
        position += 1
        expected = .value
    }

    private mutating func text() throws(JSONError) {
        position += 1
        let start = position
        var kind = JSONToken.Kind.text
        while position < bytes.count, bytes[position] != .quote {
            if bytes[position] == .backslash {
                kind = .escapedText
                position += 1
            }
            position += 1
        }
        guard position < bytes.count else { throw .unexpected(offset: bytes.count) }
        append(kind, from: start, to: position)
        position += 1
    }

    private mutating func number() throws(JSONError) {
        let start = position
        while position < bytes.count, bytes[position].isInNumber { position += 1 }
        guard position > start else { throw unexpected }
        append(.number, from: start, to: position)
        complete()
    }

    private mutating func literal(_ word: String, _ kind: JSONToken.Kind) throws(JSONError) {
        let start = position
        for byte in word.utf8 {
            guard position < bytes.count, bytes[position] == byte else { throw unexpected }
            position += 1
        }
        append(kind, from: start, to: position)
        complete()
    }
}

extension UInt8 {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openingBrace = UInt8(ascii: "{")
    static let closingBrace = UInt8(ascii: "}")
    static let openingBracket = UInt8(ascii: "[")
    static let closingBracket = UInt8(ascii: "]")

    /// JSON's white space.
    var isBlank: Bool { self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09 }

    /// A sign, a digit, a point or an exponent's letter; the value is checked where it is read.
    var isInNumber: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
            UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }
}
