/// One value inside a `JSONDocument`. What is asked of it and is not there, or is of another
/// type or out of range, is `nil`.
struct JSONValue {
    let document: JSONDocument
    let index: Int

    private var token: JSONToken { document.tokens[index] }

    var isObject: Bool { token.kind == .object }
    var isArray: Bool { token.kind == .array }
    var isNull: Bool { token.kind == .null }
    /// This value, all values inside it and the keys of its objects.
    var partCount: Int { Int(token.next) - index }

    /// The member `key` of an object, the first of several.
    subscript(key: String) -> JSONValue? {
        guard isObject else { return nil }
        let name = key.utf8.span
        let end = Int(token.next)
        var member = index + 1
        while member < end {
            let candidate = document.tokens[member]
            let matches =
                candidate.kind == .text
                ? document.bytes.hold(name, from: Int(candidate.start), to: Int(candidate.end))
                : JSONValue(document: document, index: member).text == key
            if matches { return JSONValue(document: document, index: member + 1) }
            member = Int(document.tokens[member + 1].next)
        }
        return nil
    }

    /// An array's items; none for anything else.
    var items: JSONItems {
        JSONItems(
            document: document, index: index + 1, end: isArray ? Int(token.next) : index + 1)
    }

    /// An object's members in the order they were sent; none for anything else.
    var members: JSONMembers {
        JSONMembers(
            document: document, index: index + 1, end: isObject ? Int(token.next) : index + 1)
    }

    var bool: Bool? {
        switch token.kind {
        case .yes: true
        case .no: false
        default: nil
        }
    }

    /// A whole number of 0…2⁶⁴-1, written without a point or an exponent, as QEMU does.
    var uint64: UInt64? {
        guard token.kind == .number, token.end > token.start else { return nil }
        var value: UInt64 = 0
        for position in Int(token.start)..<Int(token.end) {
            let digit = document.bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = tens.addingReportingOverflow(UInt64(digit))
            guard !overflows, !carries else { return nil }
            value = sum
        }
        return value
    }

    /// A whole number of -2⁶³…2⁶³-1.
    var int64: Int64? {
        guard token.kind == .number else { return nil }
        if let positive = uint64 { return Int64(exactly: positive) }
        return Int64(numberText)
    }

    var int: Int? { int64.map { Int($0) } }

    /// Any finite number, rounded to the nearest there is.
    var double: Double? {
        guard token.kind == .number, let number = Double(numberText), number.isFinite else {
            return nil
        }
        return number
    }

    private var numberText: String {
        // No number worth reading is longer, and none may cost more to read.
        guard token.end - token.start <= 400 else { return "" }
        return String(decoding: document.bytes[Int(token.start)..<Int(token.end)], as: UTF8.self)
    }

    /// A string, fit for one line of a screen: what is not UTF-8, and what a terminal would obey,
    /// is U+FFFD.
    var text: String? { string { !$0.isTerminalCommand } }

    /// A string of several lines, its line ends and tabs kept.
    var lines: String? {
        string { $0 == "\n" || $0 == "\r" || $0 == "\t" || !$0.isTerminalCommand }
    }

    private func string(keeping isKept: (Unicode.Scalar) -> Bool) -> String? {
        let range = Int(token.start)..<Int(token.end)
        let text: String
        switch token.kind {
        case .text: text = String(decoding: document.bytes[range], as: UTF8.self)
        case .escapedText: text = JSONEscapes.resolve(document.bytes[range])
        default: return nil
        }
        guard text.unicodeScalars.contains(where: { !isKept($0) }) else { return text }
        var clean = ""
        for scalar in text.unicodeScalars {
            clean.unicodeScalars.append(isKept(scalar) ? scalar : "\u{FFFD}")
        }
        return clean
    }
}

/// Walks over an array.
struct JSONItems: Sequence, IteratorProtocol {
    fileprivate let document: JSONDocument
    fileprivate var index: Int
    fileprivate let end: Int

    mutating func next() -> JSONValue? {
        guard index < end else { return nil }
        defer { index = Int(document.tokens[index].next) }
        return JSONValue(document: document, index: index)
    }
}

/// Walks over an object.
struct JSONMembers: Sequence, IteratorProtocol {
    fileprivate let document: JSONDocument
    fileprivate var index: Int
    fileprivate let end: Int

    mutating func next() -> (key: JSONValue, value: JSONValue)? {
        guard index < end else { return nil }
        defer { index = Int(document.tokens[index + 1].next) }
        return (
            JSONValue(document: document, index: index),
            JSONValue(document: document, index: index + 1)
        )
    }
}

extension [UInt8] {
    /// Whether exactly `text` stands at `start..<end`.
    fileprivate func hold(_ text: Span<UInt8>, from start: Int, to end: Int) -> Bool {
        guard end - start == text.count else { return false }
        for offset in 0..<text.count where self[start + offset] != text[offset] { return false }
        return true
    }
}

extension Unicode.Scalar {
    /// C0, DEL, C1, line and paragraph separators, and the overrides that reorder a line.
    fileprivate var isTerminalCommand: Bool {
        switch value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
