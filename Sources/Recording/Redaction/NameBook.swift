/// Names and the words that stand for them, and where those names stand in texts.
///
/// A text is read once from its beginning: at each token the names that begin with that token are
/// looked up, so that it does not matter how many names there are.
struct NameBook: Sendable {
    /// What may touch a name in a text without being part of a longer one.
    enum Edges {
        /// All but letters, digits, `-` and `_`: for texts that rules read, in which a part of
        /// `pc-q35-7.2` is no name.
        case whole
        /// `-` and `_` too, for names of four bytes and more: for texts that people read, where
        /// `web01-data` would tell what `web01` is.
        case joints
    }

    private var words: [String: String] = [:]
    private var counts: [String: Int] = [:]
    /// What is looked for in texts, and the word for it.
    private var spellings: [Substring: String] = [:]
    /// How many bytes the spellings have that begin with a token, the most first: a name may be
    /// part of another.
    private var lengths: [Substring: [Int]] = [:]
    /// Grows with the names: what was made of a text holds as long as it stays.
    private(set) var revision = 0

    /// The word that stands for `name`, `nil` if none does.
    func known(_ name: some StringProtocol) -> String? { words[String(name)] }

    /// The word that stands for `name`, a new one of `kind` if there is none.
    mutating func word(_ name: String, _ kind: String) -> String {
        if let known = words[name] { return known }
        if name.isEmpty { return name }
        let number = (counts[kind] ?? 0) + 1
        counts[kind] = number
        let word = "\(kind)-\(number)"
        words[name] = word
        revision += 1
        // A digit or a letter betrays nobody, and `vm-1 %` for 100 % would be a lie.
        if name.utf8.count > 1, !name.utf8.allSatisfy(\.isDigit) {
            look(for: name[...], word)
            // As systemd writes it in the name of a cgroup.
            let escaped = name.split(separator: "-", omittingEmptySubsequences: false)
                .joined(separator: "\\x2d")
            look(for: escaped[...], word)
        }
        return word
    }

    private mutating func look(for spelling: Substring, _ word: String) {
        spellings[spelling] = word
        var known = lengths[Self.head(of: spelling)] ?? []
        let length = spelling.utf8.count
        if known.contains(length) { return }
        known.insert(length, at: known.firstIndex { $0 < length } ?? known.endIndex)
        lengths[Self.head(of: spelling)] = known
    }

    // MARK: Texts

    /// `text` with the known names and the paths in it replaced.
    func replaceNames(in text: String, _ edges: Edges) -> String {
        let utf8 = text.utf8
        var (result, copied) = ("", text.startIndex)
        var (next, before) = (text.startIndex, UInt8(ascii: " "))
        while next < text.endIndex {
            let rest = text[next...]
            let head = Self.head(of: rest)
            var end = head.endIndex
            if let hit = name(at: rest, head, after: before, edges) {
                result += text[copied..<next] + hit.word
                (end, copied) = (hit.end, hit.end)
            } else if utf8[next] == UInt8(ascii: "/") {
                end = utf8.index(after: next)
                if let path = PathInText(rest, head, after: before) {
                    result += text[copied..<next] + path.shown
                    (end, copied) = (path.end, path.end)
                }
            }
            before = Self.isEscape(head) ? UInt8(ascii: " ") : utf8[utf8.index(before: end)]
            next = end
        }
        return copied == text.startIndex ? text : result + text[copied...]
    }

    /// The longest name that `rest` begins with, and where it ends.
    private func name(
        at rest: Substring, _ head: Substring, after before: UInt8, _ edges: Edges
    ) -> (word: String, end: String.Index)? {
        guard let lengths = lengths[head] else { return nil }
        for length in lengths {
            let isJoint = edges == .joints && length >= 4
            guard !before.isPartOfName(isJoint),
                let end = rest.utf8.index(
                    rest.startIndex, offsetBy: length, limitedBy: rest.endIndex),
                rest.utf8[end...].first.map({ !$0.isPartOfName(isJoint) }) ?? true
            else { continue }
            if let word = spellings[rest[..<end]] { return (word, end) }
        }
        return nil
    }

    /// What `text` begins with: a path, letters and digits, an escape of systemd, or one other
    /// character.
    private static func head(of text: Substring) -> Substring {
        let utf8 = text.utf8
        guard let first = utf8.first else { return text }
        if first == UInt8(ascii: "/") { return PathInText.run(of: text) }
        if first.isLetterOrDigit { return Substring(utf8.prefix(while: \.isLetterOrDigit)) }
        let escape = Substring(utf8.prefix(4))
        return isEscape(escape) ? escape : Substring(utf8.prefix(1))
    }

    /// Whether it is a byte as systemd writes it: `\x2d`.
    private static func isEscape(_ head: Substring) -> Bool {
        let utf8 = Array(head.utf8.prefix(5))
        return utf8.count == 4 && utf8.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "x")])
            && utf8[2...].allSatisfy(\.isHexDigit)
    }
}

extension UInt8 {
    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    /// Every byte of a character beyond ASCII counts as one.
    var isLetterOrDigit: Bool {
        isDigit || self >= 0x80
            || (self | 0x20 >= UInt8(ascii: "a") && self | 0x20 <= UInt8(ascii: "z"))
    }

    fileprivate var isHexDigit: Bool {
        isDigit || (self | 0x20 >= UInt8(ascii: "a") && self | 0x20 <= UInt8(ascii: "f"))
    }

    fileprivate func isPartOfName(_ isJoint: Bool) -> Bool {
        isLetterOrDigit
            || (!isJoint && (self == UInt8(ascii: "-") || self == UInt8(ascii: "_")))
    }
}

/// A path in a text that nobody knows as a name, and what is shown of it.
struct PathInText {
    let shown: String
    let end: String.Index

    /// The path that `rest` begins with, which is `run` up to its end; `nil` if it is none, or one
    /// of the kernel's, in which only names are private. It has two parts at least, so that
    /// `read/s` is none.
    init?(_ rest: Substring, _ run: Substring, after before: UInt8) {
        guard !before.isWordOfPath, run.utf8.count > 1 else { return nil }
        let cgroups = "/sys/fs/cgroup/"
        if run.hasPrefix(cgroups) {
            // Commas are in the names of hierarchies; names of groups tell of VMs and their owners.
            let path = Self.trimmed(rest.prefix { !$0.isWhitespace && !";'\"()".contains($0) })
            let file = path.split(separator: "/").last ?? ""
            shown = cgroups + "…" + (Self.isControlFile(file) ? "/" + file : "")
            end = path.endIndex
        } else if run.hasPrefix("/proc/") || run.hasPrefix("/sys/") {
            // As a process sees files.
            let links = ["root", "cwd"].lazy.compactMap { run.firstRange(of: "/\($0)/") }
            guard let root = links.first else { return nil }
            shown = run[..<root.upperBound] + "…"
            end = run.endIndex
        } else if KernelName.isDevice(run) {
            return nil
        } else {
            shown = "/…"
            end = run.endIndex
        }
    }

    /// `text` up to the end of the path or `//host:port/path` that it begins with.
    static func run(of text: Substring) -> Substring {
        let isAddress = text.utf8.starts(with: "//".utf8)
        return trimmed(
            Substring(text.utf8.prefix { !$0.endsPath && (isAddress || $0 != UInt8(ascii: ":")) }))
    }

    /// Without the end of a sentence.
    private static func trimmed(_ path: Substring) -> Substring {
        var path = path
        while path.utf8.count > 1, let last = path.utf8.last, ".,:".utf8.contains(last) {
            path = path.dropLast()
        }
        return path
    }

    /// Whether it is a file of a cgroup, and no group: `cpu.max`.
    private static func isControlFile(_ name: Substring) -> Bool {
        ["cpu.", "cpuacct.", "cpuset.", "io.", "blkio.", "memory.", "pids.", "cgroup."]
            .contains(where: name.hasPrefix)
            && name.utf8.allSatisfy { $0.isLetterOrDigit || "._".utf8.contains($0) }
    }
}

extension UInt8 {
    /// Whether a path after it is a part of something longer: of `read/s`, or of a path.
    fileprivate var isWordOfPath: Bool { isPartOfName(false) || self == UInt8(ascii: "/") }

    fileprivate var endsPath: Bool { self <= UInt8(ascii: " ") || Self.pathEnds.contains(self) }

    private static let pathEnds = Array(",;'\"()<>[]{}|".utf8)
}
