/// Walks forward through the text of one /proc file, field by field.
///
/// The scanner is a position only; the text is handed to each call, so that nothing is copied. A
/// field ends with a blank or a newline, never with the text: a number that was cut in the middle
/// by a short read is refused instead of being taken for a smaller one.
struct FieldScanner {
    /// What errors name.
    let file: String
    /// The next byte to look at, `0...text.count`.
    private(set) var position = 0

    init(file: String) { self.file = file }

    /// The next field as a number.
    mutating func number(
        _ field: String, in text: Span<UInt8>
    ) throws(ProcFSError) -> UInt64 {
        skipBlanks(in: text)
        var value: UInt64 = 0
        let start = position
        while position < text.count, let digit = text[position].digit {
            let (tens, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = tens.addingReportingOverflow(digit)
            guard !overflows, !carries else { throw error(field) }
            value = sum
            position += 1
        }
        guard position > start, position < text.count, text[position].isSeparator else {
            throw error(field)
        }
        return value
    }

    /// The next field as one ASCII letter.
    mutating func letter(
        _ field: String, in text: Span<UInt8>
    ) throws(ProcFSError) -> Character {
        skipBlanks(in: text)
        guard position + 1 < text.count, text[position].isLetter, text[position + 1].isSeparator
        else { throw error(field) }
        position += 1
        return Character(Unicode.Scalar(text[position - 1]))
    }

    /// Passes over `count` fields, whatever they hold.
    mutating func skip(
        _ count: Int, before field: String, in text: Span<UInt8>
    ) throws(ProcFSError) {
        for _ in 0..<count {
            skipBlanks(in: text)
            let start = position
            while position < text.count, !text[position].isSeparator { position += 1 }
            guard position > start else { throw error(field) }
        }
    }

    /// Moves behind the colon of the next line `key:`, or leaves the position where it is.
    mutating func find(key: String, in text: Span<UInt8>) -> Bool {
        let key = key.utf8.span
        var line = position
        while line < text.count {
            if let colon = colon(after: key, at: line, in: text) {
                position = colon + 1
                return true
            }
            while line < text.count, text[line] != .newline { line += 1 }
            line += 1
        }
        return false
    }

    /// The number behind the next line's `key:`.
    mutating func number(
        key: String, in text: Span<UInt8>
    ) throws(ProcFSError) -> UInt64 {
        guard find(key: key, in: text) else { throw error(key) }
        return try number(key, in: text)
    }

    /// The bytes from here up to `end`, which becomes the position, as text fit for a screen.
    ///
    /// A thread may call itself anything: what is not UTF-8, and control characters, which would
    /// otherwise reach a terminal, become U+FFFD.
    mutating func text(upTo end: Int, in text: Span<UInt8>) -> String {
        let range = position..<max(position, min(end, text.count))
        position = range.upperBound
        // Nearly all names are plain, and disks and interrupts have thousands of them.
        if range.allSatisfy({ text[$0] >= 0x20 && text[$0] < 0x7F }),
            let plain = try? UTF8Span(validating: text.extracting(range))
        {
            return String(copying: plain)
        }
        var name = ""
        for scalar in String(decoding: range.map { text[$0] }, as: UTF8.self).unicodeScalars {
            let isControl = scalar.properties.generalCategory == .control
            name.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
        }
        return name
    }

    /// Index of the end of the field at the position, which is moved to its start.
    mutating func fieldEnd(in text: Span<UInt8>) -> Int {
        skipBlanks(in: text)
        var end = position
        while end < text.count, !text[end].isSeparator { end += 1 }
        return end
    }

    /// The next field as text fit for a screen.
    mutating func word(_ field: String, in text: Span<UInt8>) throws(ProcFSError) -> String {
        let end = fieldEnd(in: text)
        guard end > position, end < text.count else { throw error(field) }
        return self.text(upTo: end, in: text)
    }

    /// Whether the line has no more fields.
    mutating func isAtLineEnd(in text: Span<UInt8>) -> Bool {
        skipBlanks(in: text)
        return position >= text.count || text[position] == .newline
    }

    /// Index of the newline that ends this line, `text.count` if it is cut short.
    func lineEnd(in text: Span<UInt8>) -> Int {
        var end = position
        while end < text.count, text[end] != .newline { end += 1 }
        return end
    }

    /// Moves to the next line's first byte, or to the end of the text.
    mutating func skipLine(in text: Span<UInt8>) {
        position = min(lineEnd(in: text) + 1, text.count)
    }

    /// Moves to `position`, which must lie inside the text or at its end.
    mutating func move(to position: Int) { self.position = position }

    /// An error that names this file and `field`.
    func error(_ field: String) -> ProcFSError { ProcFSError(file: file, field: field) }

    /// Blanks only: a line's missing field is never taken from the next line.
    mutating func skipBlanks(in text: Span<UInt8>) {
        while position < text.count, text[position].isBlank { position += 1 }
    }

    /// Index of the colon if `key`, blanks and a colon stand at `start`.
    private func colon(after key: Span<UInt8>, at start: Int, in text: Span<UInt8>) -> Int? {
        guard start + key.count < text.count else { return nil }
        for offset in 0..<key.count where text[start + offset] != key[offset] { return nil }
        var next = start + key.count
        while next < text.count, text[next].isBlank { next += 1 }
        return next < text.count && text[next] == UInt8(ascii: ":") ? next : nil
    }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
    var isSeparator: Bool { isBlank || self == .newline }
    var isLetter: Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self & 0xDF)
    }
    /// The value of a decimal digit.
    var digit: UInt64? {
        let value = self &- UInt8(ascii: "0")
        return value < 10 ? UInt64(value) : nil
    }
}
