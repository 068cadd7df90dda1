/// Swift source seen as a lexer sees it: what is code, what is comment, what is text in quotes.
///
/// Line numbers stay as they are: what is taken out is replaced by blanks. Good enough for rules
/// about words, not a parser: code inside a string's interpolation counts as text.
struct SourceText {
    /// Without comments and without what stands in quotes.
    let code: [String]
    /// Comments only.
    let comments: [String]

    init(_ source: String) {
        var lexer = Lexer(source)
        lexer.run()
        code = String(lexer.code).lines
        comments = String(lexer.comments).lines
    }
}

extension String {
    /// The lines without their ends; one more, empty, after the last newline.
    var lines: [String] {
        split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}

private struct Lexer {
    private let source: [Character]
    private var position = 0
    private(set) var code: [Character] = []
    private(set) var comments: [Character] = []

    init(_ source: String) { self.source = Array(source) }

    mutating func run() {
        while position < source.count {
            if starts(with: "//") {
                takeLineComment()
            } else if starts(with: "/*") {
                takeBlockComment()
            } else if source[position] == "\"" {
                takeString(hashes: 0)
            } else if let hashes = rawStringHashes() {
                takeString(hashes: hashes)
            } else {
                take(into: \.code)
            }
        }
    }

    private func starts(with word: String, at start: Int? = nil) -> Bool {
        let start = start ?? position
        return source[start...].starts(with: word)
    }

    /// Moves one character on, into one of the two outputs; both keep the newlines.
    private mutating func take(into output: WritableKeyPath<Lexer, [Character]>?) {
        let character = source[position]
        for path in [\Lexer.code, \.comments] {
            if path == output || character == "\n" {
                self[keyPath: path].append(character)
            } else {
                self[keyPath: path].append(" ")
            }
        }
        position += 1
    }

    private mutating func takeLineComment() {
        while position < source.count, source[position] != "\n" { take(into: \.comments) }
    }

    private mutating func takeBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") { depth += 1 }
            if starts(with: "*/") { depth -= 1 }
            take(into: \.comments)
        } while position < source.count && depth > 0
        if position < source.count { take(into: \.comments) }
    }

    private func rawStringHashes() -> Int? {
        let hashes = source[position...].prefix { $0 == "#" }.count
        return hashes > 0 && starts(with: "\"", at: position + hashes) ? hashes : nil
    }

    private mutating func takeString(hashes: Int) {
        for _ in 0..<hashes { take(into: nil) }
        let quotes = starts(with: "\"\"\"") ? "\"\"\"" : "\""
        let end = quotes + String(repeating: "#", count: hashes)
        for _ in quotes { take(into: nil) }
        while position < source.count, !starts(with: end) {
            if hashes == 0, source[position] == "\\", position + 1 < source.count {
                take(into: nil)
            }
            if quotes.count == 1, source[position] == "\n" { return }
            take(into: nil)
        }
        for _ in end where position < source.count { take(into: nil) }
    }
}
