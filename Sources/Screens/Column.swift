internal import Grid
internal import Telemetry

/// One column of a table: everything about it is said in one declaration, from which the table, the
/// sort menu, the filter and the help are made.
struct Column<Row: Sendable>: Sendable {
    /// What a cell holds.
    enum Content: Sendable {
        case number(Unit, @Sendable (Row) -> Double?)
        case text(@Sendable (Row) -> String?)
        /// A picture of its own, drawn by `TableRow.draw`; ordered by the number given, if any.
        case drawn(Picture, @Sendable (Row) -> Double?)
    }
    /// The pictures a cell can hold.
    enum Picture: Sendable { case depth, stages, trend, fill }

    /// How sort and filter call it, and its title: `p99`.
    let word: String
    /// The title when the user prefers esxtop's words.
    let esxtopWord: String?
    /// Cells it takes, the gap before it not counted.
    let width: Int
    /// The higher, the longer it stays when the screen gets narrow.
    let weight: Int
    let meaning: String
    /// Where the number comes from.
    let source: String
    let gauge: Gauge?
    let content: Content

    init(
        _ word: String, esxtop: String? = nil, width: Int, weight: Int, _ content: Content,
        gauge: Gauge? = nil, meaning: String, source: String
    ) {
        self.word = word
        self.esxtopWord = esxtop
        self.width = width
        self.weight = weight
        self.content = content
        self.gauge = gauge
        self.meaning = meaning
        self.source = source
    }

    /// The number it is sorted and filtered by.
    func value(_ row: Row) -> Double? {
        switch content {
        case .number(_, let value), .drawn(_, let value): value(row)
        case .text: nil
        }
    }

    /// The text it is sorted by.
    func text(_ row: Row) -> String? {
        if case .text(let text) = content { text(row) } else { nil }
    }

    var isText: Bool { if case .text = content { true } else { false } }

    /// Whether rows can be ordered by it.
    var isSortable: Bool {
        switch content {
        case .drawn(.stages, _), .drawn(.trend, _): false
        default: true
        }
    }

    var picture: Picture? { if case .drawn(let picture, _) = content { picture } else { nil } }

    var unit: Unit? { if case .number(let unit, _) = content { unit } else { nil } }

    /// Its heading: word and unit, `lat_us`.
    func title(_ words: Words, latency: LatencyUnit, micro: String) -> String {
        let word = words == .esxtop ? esxtopWord ?? self.word : self.word
        guard unit == .latency, latency != .automatic else { return word }
        let title = word + "_" + (latency == .microseconds ? micro + "s" : "ms")
        // All latencies of a screen share the unit: where it does not fit, its neighbours tell.
        return title.cellWidth <= width ? title : word
    }
}

/// Whose words the headings use.
public enum Words: Sendable { case iostat, esxtop }

/// Something a table screen has a row for.
protocol TableRow: Sendable {
    static var columns: [Column<Self>] { get }
    /// All rows of a sample, in the source's order.
    static func rows(of snapshot: Snapshot) -> [Self]
    /// What stays the same from sample to sample; unique in its table.
    var key: String { get }
    /// Ids of the LUNs it belongs to.
    var lunIDs: [String] { get }
    /// Texts that find and filter look at.
    var names: [String] { get }
    /// It did nothing at all, as far as known.
    var isIdle: Bool { get }
}

extension TableRow {
    /// The column called `word`, in either vocabulary, letter case aside.
    static func column(_ word: String) -> Column<Self>? {
        // As the program itself spells it: needed for each row that is filtered.
        if let index = columns.firstIndex(where: { $0.word == word }) { return columns[index] }
        let word = word.lowercased()
        return columns.first { $0.word.lowercased() == word }
            ?? columns.first { $0.esxtopWord?.lowercased() == word }
    }
}
