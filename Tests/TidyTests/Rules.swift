/// A rule that a file breaks, and what to do instead.
struct Breach: Equatable, CustomStringConvertible {
    var path: String
    /// 1-based; 0 for the file as a whole.
    var line: Int
    var rule: String

    var description: String { "\(path):\(line): \(rule)" }
}

/// The house rules that a compiler does not know. Each takes a path relative to the project, and
/// text.
enum Rules {
    static func all(path: String, text: String) -> [Breach] {
        var breaches = machinePaths(path: path, text: text)
        let isSwift = path.hasSuffix(".swift")
        guard isSwift || path.hasSuffix(".c") || path.hasSuffix(".h") else { return breaches }
        breaches += lengths(path: path, text: text)
        guard isSwift else { return breaches }
        let source = SourceText(text)
        return breaches
            + functionLengths(path: path, source: source) + layering(path: path, source: source)
            + words(path: path, source: source) + unsafeCode(path: path, source: source)
    }

    /// The room a source file belongs to, `nil` for tests and the rest.
    static func room(of path: String) -> String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    // MARK: Lengths

    static let fileLimit = 700
    static let functionLimit = 70
    static let columnLimit = 100

    static func lengths(path: String, text: String) -> [Breach] {
        let lines = text.lines
        var breaches: [Breach] = []
        if lines.count - 1 > fileLimit {
            breaches.append(Breach(path: path, line: 0, rule: "over \(fileLimit) lines: split it"))
        }
        for (index, line) in lines.enumerated()
        where line.utf8.count > columnLimit && line.count > columnLimit {
            breaches.append(
                Breach(path: path, line: index + 1, rule: "over \(columnLimit) columns"))
        }
        return breaches
    }

    /// A function is what stands between the braces after `func` or `init`.
    static func functionLengths(path: String, source: SourceText) -> [Breach] {
        var depth = 0
        var pending: Int?
        var open: [(line: Int, depth: Int)] = []
        var breaches: [Breach] = []
        for (index, line) in source.code.enumerated() {
            if line.contains("func ") || line.contains("init"),
                line.contains(/\b(func [^ ]|init[?]?[(<])/), !line.contains(/[.]init\(/)
            {
                pending = index + 1
            }
            for byte in line.utf8 {
                if byte == UInt8(ascii: "{") {
                    depth += 1
                    if let start = pending { open.append((start, depth)) }
                    pending = nil
                } else if byte == UInt8(ascii: "}") {
                    // What a protocol asks for has no braces.
                    pending = nil
                    if let last = open.last, last.depth == depth {
                        open.removeLast()
                        if index + 2 - last.line > functionLimit {
                            breaches.append(
                                Breach(
                                    path: path, line: last.line,
                                    rule: "a function over \(functionLimit) lines: split it"))
                        }
                    }
                    depth -= 1
                }
            }
        }
        return breaches
    }

    // MARK: Layers

    /// What each room may import, besides the standard library. Package.swift says it to the
    /// compiler, docs/ARCHITECTURE.md to people.
    static let layers: [String: Set<String>] = [
        "Telemetry": ["Histogram"],
        "Grid": [],
        "ProcFS": ["Telemetry"],
        "QMP": ["Telemetry", "FoundationEssentials"],
        "Doctor": ["Telemetry", "TOMLKit"],
        "Analysis": ["Telemetry", "FoundationEssentials"],
        "Exchange": ["Telemetry", "FoundationEssentials"],
        // Glibc for its mathematics.
        "Bench": ["Telemetry", "Glibc"],
        "Qcow2": [],
        "Libraries": ["CLibraries"],
        "Recording": [
            "Telemetry", "Kernel", "Libraries", "SystemPackage", "FoundationEssentials",
        ],
        "Query": ["Telemetry", "Libraries"],
        "Virtio": ["Telemetry", "CKernel", "Synchronization"],
        "Screens": ["Grid", "Telemetry", "TOMLKit", "DequeModule"],
        "Kernel": ["Telemetry", "CKernel", "SystemPackage", "Glibc", "Synchronization"],
        "Host": ["Telemetry", "ProcFS", "Kernel", "SystemPackage"],
        // Glibc for its mathematics; system calls stay in Kernel.
        "DataPlane": [
            "Telemetry", "Virtio", "Kernel", "Qcow2", "SystemPackage", "Glibc", "Synchronization",
        ],
        "Demo": [
            "Telemetry", "Bench", "DataPlane", "Host", "Rings", "Virtio", "Kernel",
            "Synchronization",
        ],
        "Probes": ["Telemetry", "ProcFS", "Kernel", "TOMLKit", "SystemPackage"],
        "Rings": ["Telemetry", "Virtio", "Kernel", "SystemPackage"],
        "KernelProbes": ["Telemetry", "Kernel", "Libraries"],
        "Attach": [
            "Telemetry", "QMP", "ProcFS", "Virtio", "Kernel", "Host", "Probes", "Libraries",
            "KernelProbes", "Rings", "SystemPackage",
        ],
        "Terminal": ["Grid", "Kernel", "CTerminal", "SystemPackage", "Glibc"],
        "vblktop": [
            "Telemetry", "Grid", "Screens", "Kernel", "Host", "DataPlane", "Demo", "Probes",
            "Attach", "Rings", "Terminal", "Libraries", "Recording", "Exchange", "Analysis",
            "Query", "Doctor", "Bench",
            "ArgumentParser", "FoundationEssentials", "Glibc",
            "Synchronization",
            "SystemPackage",
        ],
    ]

    static func layering(path: String, source: SourceText) -> [Breach] {
        guard let room = room(of: path) else { return [] }
        guard let allowed = layers[room] else {
            return [Breach(path: path, line: 0, rule: "room \(room) is not in the table of layers")]
        }
        return source.code.enumerated().compactMap { index, line in
            guard let module = importedModule(line), !allowed.contains(module) else { return nil }
            return Breach(
                path: path, line: index + 1,
                rule: "\(room) must not import \(module): it may import \(allowed.sorted())")
        }
    }

    /// `Kernel` for `@testable public import struct Kernel.Lock`.
    static func importedModule(_ line: String) -> String? {
        let modifiers = /(@\w+(\([^)]*\))?\s+)*((public|package|internal|fileprivate|private)\s+)?/
        let kinds = /((struct|class|enum|protocol|func|var|let|typealias)\s+)?/
        guard line.contains("import"), let head = line.prefixMatch(of: /\s*/),
            let rest = line[head.range.upperBound...].prefixMatch(of: modifiers),
            let keyword = line[rest.range.upperBound...].prefixMatch(of: /import\s+/),
            let kind = line[keyword.range.upperBound...].prefixMatch(of: kinds)
        else { return nil }
        return line[kind.range.upperBound...].prefixMatch(of: /\w+/).map { String($0.output) }
    }

    // MARK: Words

    /// Where a word is banned.
    enum Scope { case everywhere, butBenchmarks, sources, sourcesBut(String) }

    /// Words that are not to be written, and what to write instead.
    static var banned: [(word: Regex<Substring>, name: String, scope: Scope, instead: String)] {
        [
            (/\btry!/, "try!", .everywhere, "throw, or handle it"),
            (/\bas!/, "as!", .everywhere, "as?"),
            (/\bfatalError\(/, "fatalError(", .sources, "throw; precondition for our own bugs"),
            (
                /\b(?:Thread|Task)\.sleep\(|\b(?:u|nano)?sleep\((?!until)/, "sleep(",
                .butBenchmarks, "wait for a condition, by poll(2)"
            ),
            (/\bprint\(/, "print(", .sourcesBut("vblktop"), "return a value; vblktop prints"),
        ]
    }

    static func words(path: String, source: SourceText) -> [Breach] {
        let room = room(of: path)
        var breaches: [Breach] = []
        for rule in banned {
            switch rule.scope {
            case .everywhere: break
            case .butBenchmarks: if path.hasPrefix("Tests/Benchmarks/") { continue }
            case .sources: if room == nil { continue }
            case .sourcesBut(let exempt): if room == nil || room == exempt { continue }
            }
            breaches += lines(of: source.code, containing: rule.word).map {
                Breach(path: path, line: $0, rule: "\(rule.name) is banned: \(rule.instead)")
            }
        }
        let left = /\b(TODO|FIXME|XXX)\b/
        breaches += lines(of: source.comments, containing: left).map {
            Breach(path: path, line: $0, rule: "unfinished work belongs to an issue, not a comment")
        }
        return breaches
    }

    private static func lines<Output>(
        of text: [String], containing word: Regex<Output>
    ) -> [Int] {
        // A word of code, not of prose: in prose `Thread.sleep` would be one.
        let word = word.wordBoundaryKind(.simple)
        guard text.joined(separator: "\n").contains(word) else { return [] }
        return text.indices.filter { text[$0].contains(word) }.map { $0 + 1 }
    }

    // MARK: Unsafe code

    /// The only rooms with unsafe code.
    static let unsafeRooms: Set = ["Kernel", "Virtio", "DataPlane", "Terminal", "Libraries"]

    static func unsafeCode(path: String, source: SourceText) -> [Breach] {
        guard let room = room(of: path) else { return [] }
        // The keyword stands before what it marks; `.unsafe` and `case unsafe` are names, such as
        // that of a cache mode.
        let word = /(?:^|[^.\w])unsafe\s+[^\s=]|@unsafe\b|@unchecked Sendable|nonisolated\(unsafe\)/
        let found = lines(of: source.code, containing: word)
        guard let first = found.first else { return [] }
        if !unsafeRooms.contains(room) {
            return found.map {
                Breach(path: path, line: $0, rule: "unsafe code belongs to \(unsafeRooms.sorted())")
            }
        }
        if source.comments.contains(where: { $0.contains("SAFETY:") }) { return [] }
        return [Breach(path: path, line: first, rule: "unsafe code without a SAFETY: comment")]
    }

    // MARK: Any file

    static let byteLimit = 200_000

    static func size(path: String, byteCount: Int) -> [Breach] {
        byteCount > byteLimit
            ? [
                Breach(
                    path: path, line: 0, rule: "over \(byteLimit) bytes: generate it or fetch it")
            ]
            : []
    }

    /// Paths that exist on one machine only.
    static func machinePaths(path: String, text: String) -> [Breach] {
        let word = /(?m)(^|[\s"'`=:(\[])\/(work|root|home\/\w+|Users\/\w+)\//
        return lines(of: text.lines, containing: word).map {
            Breach(path: path, line: $0, rule: "a path of one machine")
        }
    }

    /// Every theme is told to users by name.
    static func undocumentedThemes(_ themes: [String], in documents: String) -> [Breach] {
        themes.filter { !documents.contains("`\($0)`") }.map {
            Breach(
                path: "themes/\($0).toml", line: 0, rule: "not named in README.md or docs/")
        }
    }

    /// Every key of the JSON form is explained.
    static func undocumentedKeys(encoder: String, document: String) -> [Breach] {
        encoder.matches(of: /object\.(?:number|value)\("(\w+)"/).map { String($0.output.1) }
            .filter { !document.contains("`\($0)`") }
            .map { Breach(path: "docs/json.md", line: 0, rule: "does not explain `\($0)`") }
    }
}
