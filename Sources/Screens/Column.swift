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
    enum Picture: Sendable { case depth, stages, trend, fill, severity, clock }

    /// How sort and filter call it, and its title: `p99`.
    let word: String
    /// The title where it is not the word.
    let heading: String?
    /// The title when the user prefers esxtop's words.
    let esxtopWord: String?
    /// Cells it takes, the gap before it not counted.
    let width: Int
    /// The higher, the longer it stays when the screen gets narrow.
    let weight: Int
    /// More cells a text can make good use of.
    let growth: Int
    let meaning: String
    /// Where the number comes from.
    let source: String
    let gauge: Gauge?
    let content: Content

    init(
        _ word: String, heading: String? = nil, esxtop: String? = nil, width: Int, weight: Int,
        growth: Int = 0, _ content: Content, gauge: Gauge? = nil, meaning: String, source: String
    ) {
        self.growth = growth
        self.word = word
        self.heading = heading
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

    /// Whether it has something to show in every sample, as far as can be said of it.
    var isAlwaysKnown: Bool { isText || picture == .trend }

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
        let word = (words == .esxtop ? esxtopWord : nil) ?? heading ?? self.word
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
    /// The columns every source has.
    static var columns: [Column<Self>] { get }
    /// The columns of a sample: those, and what its source adds.
    static func columns(of snapshot: Snapshot) -> [Column<Self>]
    /// Those of them the help explains.
    static func helpColumns(of snapshot: Snapshot) -> [Column<Self>]
    /// All rows of a sample, in the source's order.
    static func rows(of snapshot: Snapshot) -> [Self]
    /// Metrics, as `Snapshot.unavailable` names them, whose lack leaves the table empty.
    static var metrics: [String] { get }
    /// Whether the VM's monitor tells what is in it, so that it gets old when that falls silent.
    static var isFromMonitor: Bool { get }
    /// What stays the same from sample to sample; unique in its table.
    var key: String { get }
    /// The VM it belongs to, `nil` for the host's own and where only one is watched.
    var vm: String? { get }
    /// Qualified ids of the LUNs it belongs to; `nil` for what is nothing of single LUNs.
    var lunIDs: [String]? { get }
    /// Texts that find and filter look at.
    var names: [String] { get }
    /// It did nothing at all, as far as known.
    var isIdle: Bool { get }
    /// What its first column says.
    func name(_ form: NameForm) -> String
    /// How bad it is: the worst of its judged columns.
    func severity(_ thresholds: Thresholds) -> Severity
}

/// How a LUN is called.
enum NameForm: Sendable, CaseIterable { case id, node, file }

extension TableRow {
    static func columns(of snapshot: Snapshot) -> [Column<Self>] { columns }
    static func helpColumns(of snapshot: Snapshot) -> [Column<Self>] { columns(of: snapshot) }
    static var isFromMonitor: Bool { false }
    var lunIDs: [String]? { nil }
    func name(_ form: NameForm) -> String { names.first ?? key }

    /// The VM's column, for a sample of several VMs.
    static func columns(_ columns: [Column<Self>], withVMOf snapshot: Snapshot) -> [Column<Self>] {
        guard snapshot.vms.count > 1 else { return columns }
        let vm = Column<Self>(
            "VM", width: 10, weight: 91, .text { $0.vm }, meaning: "the VM it belongs to",
            source: "the source")
        return columns.prefix(1) + [vm] + columns.dropFirst()
    }
}

/// The column called `word`, in either vocabulary, letter case aside.
func column<Row>(_ word: String, in columns: [Column<Row>]) -> Column<Row>? {
    // As the program itself spells it: needed for each row that is filtered.
    if let index = columns.firstIndex(where: { $0.word == word }) { return columns[index] }
    let word = word.lowercased()
    return columns.first { $0.word.lowercased() == word }
        ?? columns.first { $0.esxtopWord?.lowercased() == word }
}
