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
}

/// Goes through a script byte by byte: what means something to a shell is ASCII.
private struct Reader {
    private var rest: ArraySlice<UInt8>
    private var line = 1

    init(_ text: String) { rest = Array(text.utf8)[...] }

    private mutating func next() -> UInt8? {
        guard let byte = rest.popFirst() else { return nil }
        if byte == .newline { line += 1 }
        return byte
    }

    /// The words up to the end of the command; `nil` at the end of the text.
    mutating func command() throws(ConfigurationError) -> [String]? {
        guard !rest.isEmpty else { return nil }
        var words: [String] = []
        // A word may be empty, which is not the same as none begun.
        var word: [UInt8]?
        func end() {
            if let done = word { words.append(String(decoding: done, as: UTF8.self)) }
            word = nil
        }
        while let byte = next() {
            switch byte {
            case .quote, .doubleQuote:
                word = word ?? []
                word?.append(contentsOf: try quotation(endedBy: byte))
            case .backslash:
                guard let escaped = escaped() else { continue }
                word = word ?? []
                word?.append(escaped)
            case _ where byte.isBlank || byte == 0: end()
            case UInt8(ascii: "#") where word == nil: skipLine()
            case .newline:
                end()
                if !isContinued { return words }
            case UInt8(ascii: ";"), UInt8(ascii: "|"), UInt8(ascii: "&"):
                end()
                return words
            case UInt8(ascii: ">"), UInt8(ascii: "<"):
                // The number of a descriptor belongs to the redirection.
                if word?.allSatisfy({ (48...57).contains($0) }) ?? false { word = nil }
                end()
                try skipRedirection()
            default:
                word = word ?? []
                word?.append(byte)
            }
        }
        end()
        return words
    }

    /// A backslash keeps the next character from meaning anything, and joins lines.
    private mutating func escaped() -> UInt8? {
        if rest.first == .carriageReturn, rest.dropFirst().first == .newline { _ = next() }
        return next().flatMap { $0 == .newline ? nil : $0 }
    }

    /// No command begins with a hyphen: whoever pastes options line by line has lost the
    /// backslashes.
    private var isContinued: Bool {
        rest.first { !$0.isBlank && $0 != .newline } == UInt8(ascii: "-")
    }

    private mutating func skipLine() {
        while let byte = rest.first, byte != .newline { rest.removeFirst() }
    }

    private mutating func skipRedirection() throws(ConfigurationError) {
        while let byte = rest.first, "<>&|".utf8.contains(byte) { rest.removeFirst() }
        while let byte = rest.first, byte.isBlank { rest.removeFirst() }
        while let byte = rest.first, !byte.isBlank, !"\n;|&<>".utf8.contains(byte) {
            _ = next()
            if byte == .quote || byte == .doubleQuote { _ = try quotation(endedBy: byte) }
        }
    }

    /// What stands up to `mark`; in double quotes a backslash may keep one from ending it.
    private mutating func quotation(
        endedBy mark: UInt8
    ) throws(ConfigurationError) -> [UInt8] {
        let start = line
        var text: [UInt8] = []
        while let byte = next() {
            if byte == mark { return text }
            if mark == .doubleQuote, byte == .backslash, let escaped = rest.first,
                "\"\\$`\n".utf8.contains(escaped)
            {
                _ = next()
                if escaped != .newline { text.append(escaped) }
            } else {
                text.append(byte)
            }
        }
        let word = mark == .quote ? "'" : "\""
        throw ConfigurationError("a quotation that begins with \(word) has no end", line: start)
    }
}

extension UInt8 {
    fileprivate static let newline = UInt8(ascii: "\n")
    fileprivate static let carriageReturn = UInt8(ascii: "\r")
    fileprivate static let quote = UInt8(ascii: "'")
    fileprivate static let doubleQuote = UInt8(ascii: "\"")
    fileprivate static let backslash = UInt8(ascii: "\\")

    fileprivate var isBlank: Bool {
        self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") || self == .carriageReturn
    }
}
