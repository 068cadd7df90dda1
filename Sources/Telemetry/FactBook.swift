/// Facts of several readers, each of which brings all of its own whenever one of them changed;
/// bound to a sheet that is made anew only then.
public struct FactBook: Sendable {
    private var chapters: [(title: String, facts: [Fact])] = []
    private var bound: FactSheet?

    /// An empty book.
    public init() {}

    /// Puts `facts` in the place of the reader's last ones; `nil`: it has no news.
    public mutating func write(_ title: String, _ facts: [Fact]?) {
        guard let facts else { return }
        if let index = chapters.firstIndex(where: { $0.title == title }) {
            guard chapters[index].facts != facts else { return }
            chapters[index].facts = facts
        } else {
            chapters.append((title, facts))
        }
        bound = nil
    }

    /// All facts, in the order in which readers first wrote.
    public mutating func sheet() -> FactSheet {
        if let bound { return bound }
        let sheet = FactSheet(chapters.flatMap(\.facts))
        bound = sheet
        return sheet
    }
}
