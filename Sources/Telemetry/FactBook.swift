/// Facts of several readers, each of which brings all of its own whenever one of them changed;
/// bound to a sheet that is made anew only then, and only in the parts where it is another.
public struct FactBook: Sendable {
    private var chapters: [(title: String, parts: [FactPart])] = []
    private var bound: FactSheet?

    /// An empty book.
    public init() {}

    /// Puts `facts` in the place of the reader's last ones; `nil`: it has no news.
    public mutating func write(_ title: String, _ facts: [Fact]?) {
        guard let facts else { return }
        guard let index = chapters.firstIndex(where: { $0.title == title }) else {
            chapters.append((title, FactPart.split(facts)))
            bound = nil
            return
        }
        let parts = FactPart.split(facts, as: chapters[index].parts)
        guard !parts.isIdentical(to: chapters[index].parts) else { return }
        chapters[index].parts = parts
        bound = nil
    }

    /// All facts, in the order in which readers first wrote.
    public mutating func sheet() -> FactSheet {
        if let bound { return bound }
        let sheet = FactSheet(parts: chapters.flatMap(\.parts))
        bound = sheet
        return sheet
    }
}
