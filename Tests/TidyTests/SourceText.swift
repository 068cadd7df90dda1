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
        code = String(decoding: lexer.code, as: UTF8.self).lines
        comments = String(decoding: lexer.comments, as: UTF8.self).lines
    }
}

extension String {
    /// The lines without their ends; one more, empty, after the last newline.
    var lines: [String] {
        split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}

/// Works on bytes: all that matters is ASCII.
private struct Lexer {
    private let source: [UInt8]
    private var position = 0
    private(set) var code: [UInt8]
    private(set) var comments: [UInt8]

    /// What the byte taken is part of.
    private enum Kind { case code, comment }

    init(_ source: String) {
        self.source = Array(source.utf8)
        code = self.source.map { $0 == UInt8(ascii: "\n") ? $0 : UInt8(ascii: " ") }
        comments = code
    }

    mutating func run() {
        while position < source.count {
            switch source[position] {
            case UInt8(ascii: "/") where starts(with: "//"): takeLineComment()
            case UInt8(ascii: "/") where starts(with: "/*"): takeBlockComment()
            case UInt8(ascii: "\""): takeString(hashes: 0)
            case UInt8(ascii: "#"):
                let hashes = source[position...].prefix { $0 == UInt8(ascii: "#") }.count
                if starts(with: "\"", at: position + hashes) {
                    takeString(hashes: hashes)
                } else {
                    take(.code)
                }
            default: take(.code)
            }
        }
    }

    private func starts(with word: String, at start: Int? = nil) -> Bool {
        let start = start ?? position
        return start < source.count && source[start...].starts(with: word.utf8)
    }

    private mutating func take(_ kind: Kind) {
        switch kind {
        case .code: code[position] = source[position]
        case .comment: comments[position] = source[position]
        }
        position += 1
    }

    private mutating func takeLineComment() {
        while position < source.count, source[position] != UInt8(ascii: "\n") { take(.comment) }
    }

    private mutating func takeBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") { depth += 1 }
            if starts(with: "*/") { depth -= 1 }
            take(.comment)
        } while position < source.count && depth > 0
        if position < source.count { take(.comment) }
    }

    private mutating func takeString(hashes: Int) {
        position += hashes
        let quotes = starts(with: "\"\"\"") ? 3 : 1
        position += quotes
        let end = String(repeating: "\"", count: quotes) + String(repeating: "#", count: hashes)
        while position < source.count {
            let byte = source[position]
            if byte == UInt8(ascii: "\""), starts(with: end) { break }
            if byte == UInt8(ascii: "\n"), quotes == 1 { return }
            position += hashes == 0 && byte == UInt8(ascii: "\\") ? 2 : 1
        }
        position = min(position + end.utf8.count, source.count)
    }
}
