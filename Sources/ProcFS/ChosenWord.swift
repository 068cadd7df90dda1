/// A setting of /sys that shows its choices, with the one in use in brackets:
/// `always [madvise] never`.
public struct ChosenWord: Sendable, Equatable {
    /// The one in use, fit for a screen.
    public let word: String

    /// Parses the text of a file called `file`. Throws if none of its first line's words is in
    /// brackets.
    public init(_ text: Span<UInt8>, file: String) throws(ProcFSError) {
        var fields = FieldScanner(file: file)
        guard let word = fields.wordInBrackets(in: text) else { throw fields.error("choice") }
        self.word = word
    }
}

extension FieldScanner {
    /// The first word in brackets of this line, without them, at whose end the position is then;
    /// `nil`, and at the line's end, if there is none.
    mutating func wordInBrackets(in text: Span<UInt8>) -> String? {
        while !isAtLineEnd(in: text) {
            let end = fieldEnd(in: text)
            if text[position] == UInt8(ascii: "["), text[end - 1] == UInt8(ascii: "]"),
                end - position > 2
            {
                move(to: position + 1)
                return self.text(upTo: end - 1, in: text)
            }
            move(to: end)
        }
        return nil
    }
}
