internal import Grid
internal import Telemetry

/// Draws one screen: the grid under construction and everything that is drawn from. Each part of
/// the screen is an extension in a file of its own.
struct Painter {
    var grid: Grid
    let snapshot: Snapshot
    let history: SnapshotHistory
    let state: ViewState
    let options: DisplayOptions
    let layout: Layout
    /// VMs whose monitor does not answer: what it said last is old.
    let staleVMs: Set<String?>
    /// The LUNs' rates of the last samples, as far back as a trend can reach.
    let trail: RateTrail
    /// The column the LUNs are sorted by; field and trends show it.
    let sortedColumn: Column<LUN>?

    init(
        snapshot: Snapshot, history: SnapshotHistory, state: ViewState, size: Size,
        options: DisplayOptions
    ) {
        self.grid = Grid(size: size)
        self.snapshot = snapshot
        self.history = history
        self.state = state
        self.options = options
        self.staleVMs = Set(
            snapshot.sources.filter { $0.name == "qmp" && $0.state.isOld }.map(\.vm))
        self.layout = Layout(size, state, snapshot)
        self.sortedColumn = column(state.luns.sortedBy, in: LUN.columns)
        self.trail = history.trail(state.screen == .luns ? Self.longestTrend : 0)
    }

    private static let longestTrend = 40

    var symbols: Symbols { options.symbols }
    var columns: Int { grid.size.columns }

    /// In place of a number that is not known: the first interval has no rates yet.
    var missing: String { snapshot.interval == nil ? symbols.notYet : "-" }

    /// Writes `text` so that its last cell is left of `end`, cut to `width` cells.
    mutating func putRight(_ text: String, row: Int, end: Int, width: Int, style: Style) {
        let cells = text.cellWidth
        if cells <= width {
            grid.put(text, row: row, column: end - cells, style: style)
        } else {
            putCut(text, row: row, column: end - width, width: width, style: style)
        }
    }

    /// Writes `text` in at most `width` cells; where it is cut, the last cell says so.
    @discardableResult
    mutating func putCut(
        _ text: String, row: Int, column: Int, width: Int, style: Style = .normal
    ) -> Int {
        // A name of kilobytes is not measured to its end.
        guard width > 0 else { return column }
        let shown = text.unicodeScalars.prefix(width * 4 + 8)
        if shown.endIndex == text.unicodeScalars.endIndex, text.cellWidth <= width {
            return grid.put(text, row: row, column: column, style: style, limit: width)
        }
        let end = grid.put(
            String(shown), row: row, column: column, style: style, limit: width - 1)
        grid.put(String(symbols.cut), row: row, column: end, style: style, limit: 1)
        return end + 1
    }

    /// A number in its column's form, right-aligned; `nil` as what is missing.
    mutating func putNumber(
        _ value: Double?, _ unit: Unit, row: Int, end: Int, width: Int, style: Style = .normal
    ) {
        guard let value, value.isFinite else {
            putRight(missing, row: row, end: end, width: width, style: Style(.muted))
            return
        }
        let text = unit.text(
            value, width: width, latency: state.latencyUnit, micro: symbols.micro)
        putRight(text, row: row, end: end, width: width, style: style)
    }

    /// A bar over `width` cells of which `share` (0…1) is filled; anything above 0 is seen.
    mutating func putBar(
        _ share: Double, row: Int, column: Int, width: Int, symbol: Unicode.Scalar, style: Style
    ) {
        guard width > 0, share > 0, share.isFinite else { return }
        let cells = max(1, Int((min(1, share) * Double(width)).rounded()))
        grid.fill(
            Rectangle(row: row, column: column, rows: 1, columns: cells), symbol, style: style)
    }

    /// A latency outside a table, with its unit.
    func latencyText(_ microseconds: Double?) -> String {
        microseconds.map { NumberText.duration($0, micro: symbols.micro) } ?? missing
    }

    /// A rate outside a table, with a suffix.
    func rateText(_ value: Double?) -> String { value.map(NumberText.compact) ?? missing }
}

extension SourceStatus.State {
    /// Whether numbers from such a source are not this sample's.
    var isOld: Bool { self == .stale || self == .failed }
}
