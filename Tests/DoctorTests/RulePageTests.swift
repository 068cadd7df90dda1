import Foundation
import Testing

@testable import Doctor

/// The pages in docs/rules say what the declarations say. With `VBLKTOP_RECORD_RULES` in the
/// environment (`make rules`) they are written anew.
@Suite("Pages of rules", .serialized)
struct RulePageTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs/rules").standardized
    private static let pages: [String: String] = {
        var pages = Dictionary(
            Rule.all.map { ($0.id + ".md", $0.page) }, uniquingKeysWith: { first, _ in first })
        pages["README.md"] = Rule.index
        return pages
    }()

    @Test func pagesAreWrittenWhereThatIsAskedFor() throws {
        guard ProcessInfo.processInfo.environment["VBLKTOP_RECORD_RULES"] != nil else { return }
        let files = FileManager.default
        try? files.removeItem(at: Self.folder)
        try files.createDirectory(at: Self.folder, withIntermediateDirectories: true)
        for (name, page) in Self.pages {
            try Data(page.utf8).write(to: Self.folder.appendingPathComponent(name))
        }
    }

    @Test(arguments: pages.keys.sorted())
    func aPageIsThatOfItsRule(_ name: String) throws {
        let data = try Data(contentsOf: Self.folder.appendingPathComponent(name))
        #expect(String(decoding: data, as: UTF8.self) == Self.pages[name], "run `make rules`")
    }

    @Test func noPageIsLeftOver() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(files) == Set(Self.pages.keys), "run `make rules`")
    }

    /// Each recommendation of the talk has a rule.
    @Test(arguments: DeckRow.all.map(\.row))
    func everyRecommendationHasARule(_ row: Int) {
        #expect(Rule.all.contains { $0.deck.contains(row) }, "row \(row)")
    }
}
