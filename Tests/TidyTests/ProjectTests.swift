import Foundation
import Testing

/// The project as it stands, held against the rules.
@Suite struct ProjectTests {
    private let project = Project()

    @Test func everyFileKeepsTheRules() {
        let count = project.paths.count
        #expect(count > 30, "the project was not found at \(project.root.path())")
        var breaches: [Breach] = []
        for path in project.paths {
            guard let data = project.data(path) else { continue }
            breaches += Rules.size(path: path, byteCount: data.count)
            guard let text = String(data: data, encoding: .utf8) else { continue }
            breaches += Rules.all(path: path, text: text)
        }
        let report = breaches.map(\.description).joined(separator: "\n")
        #expect(report == "")
    }

    @Test func theTableOfLayersIsThatOfTheRooms() {
        let rooms = project.paths.filter { $0.hasSuffix(".swift") }.compactMap(Rules.room(of:))
        #expect(Set(rooms) == Set(Rules.layers.keys))
    }

    @Test func everyThemeIsDocumented() {
        let themes = project.paths.filter { $0.hasPrefix("themes/") && $0.hasSuffix(".toml") }
            .map { String($0.dropFirst("themes/".count).dropLast(".toml".count)) }
        let documents = project.paths.filter { $0 == "README.md" || $0.hasPrefix("docs/") }
            .compactMap(project.text).joined()
        #expect(Rules.undocumentedThemes(themes, in: documents) == [])
    }

    @Test(arguments: ["Snapshot+JSON.swift", "Sources+JSON.swift"])
    func everyKeyOfTheJSONIsDocumented(file: String) throws {
        let texts = ["Sources/Telemetry/" + file, "docs/json.md"].map(project.text)
        let encoder = try #require(texts[0])
        let document = try #require(texts[1])
        #expect(Rules.undocumentedKeys(encoder: encoder, document: document) == [])
    }

    @Test(arguments: ["ReportResult+JSON.swift", "Comparison+JSON.swift"])
    func everyKeyOfAReportIsDocumented(file: String) throws {
        let texts = ["Sources/Analysis/" + file, "docs/report.md"].map(project.text)
        let encoder = try #require(texts[0])
        let document = try #require(texts[1])
        #expect(Rules.undocumentedKeys(encoder: encoder, document: document) == [])
    }

    @Test func everyKeyOfABenchIsDocumented() throws {
        let texts = ["Sources/Bench/BenchResult+JSON.swift", "docs/bench.md"].map(project.text)
        let encoder = try #require(texts[0])
        let document = try #require(texts[1])
        #expect(Rules.undocumentedKeys(encoder: encoder, document: document) == [])
    }

    /// Both documents have a row for every room.
    @Test(arguments: ["README.md", "docs/ARCHITECTURE.md"])
    func everyRoomIsInTheTable(document: String) throws {
        let found = project.text(document)
        let text = try #require(found)
        for room in Rules.layers.keys.sorted() {
            let hasRow = text.contains("| `\(room)`")
            #expect(hasRow, "\(document) has no row for \(room)")
        }
    }
}

/// The files of the project, as they lie in the folder this test was built from.
private struct Project {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// Relative to the root, sorted; build products and version control left out.
    let paths: [String]

    init() {
        let skipped: Set = [".git", ".build", ".build-tsan", ".swiftpm", "Package.resolved"]
        let prefix = root.path().count
        var paths: [String] = []
        let walk = FileManager.default.enumerator(
            at: root, includingPropertiesForKeys: [.isRegularFileKey])
        while let file = walk?.nextObject() as? URL {
            if skipped.contains(file.lastPathComponent) {
                walk?.skipDescendants()
            } else if (try? file.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile
                == true
            {
                paths.append(String(file.path().dropFirst(prefix)))
            }
        }
        self.paths = paths.sorted()
    }

    func data(_ path: String) -> Data? { try? Data(contentsOf: root.appending(path: path)) }

    func text(_ path: String) -> String? {
        data(path).flatMap { String(data: $0, encoding: .utf8) }
    }
}
