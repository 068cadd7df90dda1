/// Commands of a shell script as their words. Quotes and backslashes are understood, variables and
/// substitutions stay as they are written: what they stand for only their shell knows.
struct ShellWords: Sendable, Equatable {
    /// Each with at least one word.
    private(set) var commands: [[String]] = []

    /// Reads `text`. Throws with the line on which a quotation begins that does not end.
    init(_ text: String) throws(ConfigurationError) {
        var reader = Reader(text)
        while let command = try reader.command() {
            if !command.isEmpty { commands.append(command) }
        }
    }

    private struct Reader {
        private var rest: Substring.UnicodeScalarView
        private var line = 1

        init(_ text: String) { rest = text[...].unicodeScalars }

        private mutating func next() -> Unicode.Scalar? {
            guard let scalar = rest.popFirst() else { return nil }
            if scalar == "\n" { line += 1 }
            return scalar
        }

        /// The words up to the end of the command; `nil` at the end of the text.
        mutating func command() throws(ConfigurationError) -> [String]? {
            guard !rest.isEmpty else { return nil }
            var words: [String] = []
            var word: String.UnicodeScalarView?
            func end() {
                if let done = word { words.append(String(done)) }
                word = nil
            }
            while let scalar = next() {
                switch scalar {
                case "'", "\"":
                    word = (word ?? .init()) + (try quotation(endedBy: scalar))
                case "\\": escape(into: &word)
                case " ", "\t", "\r", "\0": end()
                case "#" where word == nil: skipLine()
                case "\n":
                    end()
                    if !isContinued { return words }
                case ";", "|", "&":
                    end()
                    return words
                case ">", "<":
                    // The number of a descriptor belongs to the redirection.
                    if word.map({ $0.allSatisfy { ("0"..."9").contains($0) } }) ?? false {
                        word = nil
                    }
                    end()
                    try skipRedirection()
                default: word = (word ?? .init()) + [scalar]
                }
            }
            end()
            return words
        }

        /// A backslash keeps the next character from meaning anything, and joins lines.
        private mutating func escape(into word: inout String.UnicodeScalarView?) {
            guard let scalar = next() else { return }
            if scalar == "\r", rest.first == "\n" {
                _ = next()
            } else if scalar != "\n" {
                word = (word ?? .init()) + [scalar]
            }
        }

        /// No command begins with a hyphen: whoever pastes options line by line has lost the
        /// backslashes.
        private var isContinued: Bool {
            rest.first { !" \t\r\n".unicodeScalars.contains($0) } == "-"
        }

        private mutating func skipLine() {
            while let scalar = rest.first, scalar != "\n" { rest.removeFirst() }
        }

        private mutating func skipRedirection() throws(ConfigurationError) {
            let marks = "<>&|".unicodeScalars
            while let scalar = rest.first, marks.contains(scalar) { _ = next() }
            while let scalar = rest.first, scalar == " " || scalar == "\t" { _ = next() }
            while let scalar = rest.first, !" \t\r\n;|&<>".unicodeScalars.contains(scalar) {
                _ = next()
                if scalar == "'" || scalar == "\"" { _ = try quotation(endedBy: scalar) }
            }
        }

        /// What stands up to `mark`; in double quotes a backslash may keep one from ending it.
        private mutating func quotation(
            endedBy mark: Unicode.Scalar
        ) throws(ConfigurationError) -> String.UnicodeScalarView {
            let start = line
            var text = String.UnicodeScalarView()
            while let scalar = next() {
                if scalar == mark { return text }
                if mark == "\"", scalar == "\\", let escaped = rest.first,
                    "\"\\$`\n".unicodeScalars.contains(escaped)
                {
                    _ = next()
                    if escaped != "\n" { text.append(escaped) }
                } else {
                    text.append(scalar)
                }
            }
            throw ConfigurationError("a quotation that begins with \(mark) has no end", line: start)
        }
    }
}
