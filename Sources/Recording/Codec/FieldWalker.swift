internal import Telemetry

/// Goes through what rows are (names, texts, settings): it writes the fields, or reads them back.
/// A reader that knows fewer fields than were written skips the rest, and one that knows more finds
/// the further ones empty.
struct FieldWalker {
    private(set) var writer = ByteWriter()
    private var reader: ByteReader
    let reads: Bool

    /// A walker that writes.
    init() {
        reads = false
        reader = ByteReader([])
    }

    /// A walker that reads.
    init(reading bytes: ArraySlice<UInt8>) {
        reads = true
        reader = ByteReader(bytes)
    }

    var isBroken: Bool { reader.isBroken }

    /// Whether there is no further field: the writer did not know it.
    private var isOver: Bool { reads && reader.left == 0 }

    mutating func visit(_ text: inout String) {
        if isOver { return }
        if reads { text = reader.text() } else { writer.text(text) }
    }

    mutating func visit(_ text: inout String?) {
        var isThere = text != nil
        visit(&isThere)
        guard isThere else { return text = nil }
        var value = text ?? ""
        visit(&value)
        text = value
    }

    mutating func visit(_ flag: inout Bool) {
        if isOver { return flag = false }
        if reads { flag = reader.byte() != 0 } else { writer.byte(flag ? 1 : 0) }
    }

    mutating func visit(_ flag: inout Bool?) {
        var isThere = flag != nil
        visit(&isThere)
        guard isThere else { return flag = nil }
        var value = flag ?? false
        visit(&value)
        flag = value
    }

    mutating func visit(_ number: inout Int) {
        if isOver { return }
        if reads { number = Int(reader.signed()) } else { writer.signed(Int64(number)) }
    }

    mutating func visit(_ number: inout UInt64) {
        if isOver { return }
        if reads { number = reader.number() } else { writer.number(number) }
    }

    mutating func visit(_ number: inout Int?) {
        var isThere = number != nil
        visit(&isThere)
        guard isThere else { return number = nil }
        var value = number ?? 0
        visit(&value)
        number = value
    }

    mutating func visit(_ number: inout UInt64?) {
        var isThere = number != nil
        visit(&isThere)
        guard isThere else { return number = nil }
        var value = number ?? 0
        visit(&value)
        number = value
    }

    mutating func visit(_ texts: inout [String]) {
        let count = visit(count: texts.count)
        if reads { texts = Array(repeating: "", count: count) }
        for index in 0..<count { visit(&texts[index]) }
    }

    /// How many of something follow, a byte each at least.
    mutating func visit(count: Int) -> Int {
        guard reads else {
            writer.number(count)
            return count
        }
        return isOver ? 0 : reader.count()
    }

    /// One of a fixed set of words. A word that this reader does not know becomes `fallback`.
    mutating func visit<Word: RawRepresentable>(_ word: inout Word, else fallback: Word)
    where Word.RawValue == String {
        var text = word.rawValue
        visit(&text)
        if reads { word = Word(rawValue: text) ?? fallback }
    }
}
