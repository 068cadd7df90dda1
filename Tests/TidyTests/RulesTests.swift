import Testing

/// Every rule can fail: each is fed a text that breaks it, and one that only looks like it.
@Suite struct RulesTests {
    private func rules(_ path: String, _ text: String) -> [Breach] {
        Rules.all(path: path, text: text)
    }

    @Test(arguments: [
        ("Telemetry", "import Kernel"), ("Grid", "public import Telemetry"),
        ("ProcFS", "private import Foundation"), ("Screens", "import FoundationEssentials"),
        ("Host", "internal import Glibc"), ("Terminal", "@preconcurrency import Screens"),
        ("Virtio", "  import struct Kernel.Lock"), ("Nowhere", "let a = 1"),
    ])
    func aForbiddenImport(room: String, line: String) {
        #expect(rules("Sources/\(room)/A.swift", line + "\n").count == 1)
    }

    @Test(arguments: [
        ("Host", "public import Telemetry"), ("Kernel", "private import Glibc"),
        ("Grid", "// import Telemetry"), ("Grid", "let text = \"\"\"\nimport Telemetry\n\"\"\""),
        ("Grid", "let important = 1"),
    ])
    func anAllowedImport(room: String, text: String) {
        #expect(rules("Sources/\(room)/A.swift", text + "\n") == [])
    }

    @Test func aLongFile() {
        let lines = { String(repeating: "//\n", count: $0) }
        #expect(rules("Tests/A.swift", lines(Rules.fileLimit)) == [])
        #expect(rules("Tests/A.swift", lines(Rules.fileLimit + 1)).map(\.line) == [0])
    }

    @Test func aLongLine() {
        let line = { "// " + String(repeating: "é", count: $0 - 3) + "\n" }
        #expect(rules("Tests/A.swift", line(Rules.columnLimit)) == [])
        #expect(rules("Tests/A.swift", "\n" + line(Rules.columnLimit + 1)).map(\.line) == [2])
        #expect(rules("Sources/CKernel/a.c", line(Rules.columnLimit + 1)).map(\.line) == [1])
    }

    @Test(arguments: ["func f() {", "init?(from a: Int) {", "private func f(\n    a: Int\n) {"])
    func aLongFunction(head: String) {
        let function = { (count: Int) in
            let lines = head.split(separator: "\n").count + 1
            let body = String(repeating: "    if a { \"{\" }\n", count: count - lines)
            return "struct S {\n\(head)\n\(body)}\n}\n"
        }
        #expect(rules("Tests/A.swift", function(Rules.functionLimit)) == [])
        #expect(rules("Tests/A.swift", function(Rules.functionLimit + 1)).map(\.line) == [2])
    }

    @Test(arguments: [
        ("Sources/Grid/A.swift", "let a = try! b()"), ("Tests/A.swift", "let a = b as! C"),
        ("Sources/Grid/A.swift", "fatalError(\"no\")"), ("Tests/A.swift", "Thread.sleep(1)"),
        ("Tests/A.swift", "usleep(5)"), ("Sources/Grid/A.swift", "print(1)"),
        ("Tests/A.swift", "/// TODO later"), ("Tests/A.swift", "/* FIXME */"),
    ])
    func aBannedWord(path: String, text: String) {
        #expect(rules(path, text + "\n").count == 1)
    }

    @Test(arguments: [
        ("Sources/vblktop/A.swift", "print(1)"), ("Tests/A.swift", "print(1)"),
        ("Sources/Grid/A.swift", "let a = \"try! print( TODO\""),
        ("Sources/Grid/A.swift", "// try! fatalError( as!"),
        ("Sources/Grid/A.swift", "footprint(1)\nlet a = #\"\\\"try!\"#"),
        ("Sources/Grid/A.swift", "let todo = 1"),
        ("Sources/DataPlane/A.swift", "sleep(until: due)"),
        ("Tests/Benchmarks/Sources/A.swift", "Thread.sleep(forTimeInterval: 1)"),
    ])
    func aWordThatOnlyLooksBanned(path: String, text: String) {
        #expect(rules(path, text + "\n") == [])
    }

    @Test(arguments: [
        "let a = unsafe b()", "unsafe (a + 1).f()", "@unsafe struct A {}",
        "struct A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1",
    ])
    func unsafeCode(line: String) {
        #expect(rules("Sources/Grid/A.swift", "// SAFETY: no\n\(line)\n").map(\.line) == [2])
        #expect(rules("Sources/Kernel/A.swift", line + "\n").map(\.line) == [1])
        #expect(rules("Sources/Kernel/A.swift", "// SAFETY: yes\n\(line)\n") == [])
        #expect(rules("Sources/Grid/A.swift", "// \(line)\nlet unsafely = 1\n") == [])
    }

    /// Names are not the keyword.
    @Test(arguments: ["case a, unsafe", "f(mode == .unsafe, 1)", "case .unsafe: f()"])
    func whatIsOnlyCalledUnsafe(line: String) {
        #expect(rules("Sources/Grid/A.swift", line + "\n") == [])
    }

    @Test func aLargeFile() {
        #expect(Rules.size(path: "a", byteCount: Rules.byteLimit) == [])
        #expect(Rules.size(path: "a", byteCount: Rules.byteLimit + 1).count == 1)
    }

    @Test(arguments: ["work", "root", "home/ann", "Users/ann"])
    func aMachinePath(folder: String) {
        let planted = "see \u{2F}\(folder)/images\n"
        #expect(rules("README.md", "\n" + planted).map(\.line) == [2])
        #expect(rules("Makefile", "A=\u{2F}\(folder)/images\n").map(\.line) == [1])
        #expect(rules("README.md", "see net\(planted.dropFirst(4))") == [])
    }

    @Test func aThemeNobodyIsToldOf() {
        #expect(
            Rules.undocumentedThemes(["mono", "dusk"], in: "`mono`").map(\.path) == [
                "themes/dusk.toml"
            ])
    }

    @Test func aKeyNobodyIsToldOf() {
        let encoder = "try object.number(\"iops\", a)\ntry object.value(\"id\", b)\n"
        #expect(Rules.undocumentedKeys(encoder: encoder, document: "`iops`, `id`") == [])
        #expect(Rules.undocumentedKeys(encoder: encoder, document: "`iops`").count == 1)
    }
}
