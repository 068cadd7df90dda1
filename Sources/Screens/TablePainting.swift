internal import Grid
internal import Telemetry

extension Painter {
    /// The table of a screen that has nothing else, or why it is empty.
    mutating func drawTable<Row: TableRow>(of type: Row.Type) {
        let rows = Row.rows(of: snapshot)
        if rows.isEmpty { return drawReason(of: Row.metrics) }
        drawTable(rows, plan: plan(rows))
    }

    /// The columns for `rows`.
    func plan<Row: TableRow>(_ rows: [Row]) -> ColumnPlan<Row> {
        let longest = rows.reduce(0) { max($0, $1.name(state.nameForm).utf8.count) }
        return ColumnPlan(
            Row.columns(of: snapshot), width: Layout.tableWidth(grid.size, state.screen),
            nameWidth: longest, blank: state.table.blank)
    }

    /// Draws the headings and the visible rows of a table; the rows drawn are given back as indices
    /// into `rows`.
    @discardableResult
    mutating func drawTable<Row: TableRow>(
        _ rows: [Row], plan: ColumnPlan<Row>
    ) -> ArraySlice<Int> {
        if let line = layout.header {
            drawHeadings(plan, line: line, sortedBy: state.table.sortedBy)
        }
        let table = state.table
        let first = table.firstRow(showing: layout.table.count)
        let shown = table.visible.dropFirst(first).prefix(layout.table.count)
        for (line, index) in zip(layout.table, shown) where index < rows.count {
            let row = rows[index]
            let isSelected = first + line - layout.table.lowerBound == table.selected
            let isTagged = state.screen == .luns && state.tagged.contains(row.key)
            grid.put(isSelected ? ">" : isTagged ? "*" : " ", row: line, column: 0)
            drawCells(
                row, plan, index: index, line: line, name: row.name(state.nameForm),
                bold: isTagged)
            let area = Rectangle(
                row: line, column: 0, rows: 1,
                columns: Layout.tableWidth(grid.size, state.screen))
            if Row.isFromMonitor, !staleVMs.isEmpty, staleVMs.contains(row.vm) {
                // What is old is not judged.
                grid.put("~", row: line, column: 1, style: Style(.warning))
                grid.restyle(area) { $0.isDim = true }
            } else {
                let worst = row.severity(options.thresholds)
                grid.put(
                    String(worst.mark), row: line, column: 1,
                    style: Style(worst.role, bold: worst == .critical))
            }
            if isSelected { grid.restyle(area) { $0.isSelected = true } }
        }
        return shown
    }

    /// The headings, right-aligned over numbers; the sorted one is marked.
    mutating func drawHeadings<Row: TableRow>(
        _ plan: ColumnPlan<Row>, line: Int, sortedBy: String?
    ) {
        for (index, column) in plan.columns.enumerated() {
            let isSorted = column.word == sortedBy
            let style = Style(isSorted ? .key : .title, bold: true)
            let title = column.title(
                state.words, latency: state.latencyUnit, micro: symbols.micro)
            let (start, width) = (plan.starts[index], plan.widths[index])
            if column.unit == nil {
                putCut(title, row: line, column: start, width: width, style: style)
            } else {
                putRight(title, row: line, end: start + width, width: width, style: style)
            }
        }
    }

    /// The cells of one row; `index` is its place among all rows, `nil` for a sum, which has no
    /// pictures.
    mutating func drawCells<Row: TableRow>(
        _ row: Row, _ plan: ColumnPlan<Row>, index: Int? = nil, line: Int, name: String,
        bold: Bool = false
    ) {
        for place in plan.columns.indices {
            let (start, width) = (plan.starts[place], plan.widths[place])
            switch plan.columns[place].content {
            case .text where plan.columns[place].weight == 100:
                putCut(
                    name, row: line, column: start, width: width, style: Style(bold: bold))
            case .text(let text):
                if let text = text(row) {
                    putCut(text, row: line, column: start, width: width)
                } else {
                    grid.put("-", row: line, column: start, style: Style(.muted))
                }
            case .number(let unit, let value):
                let number = value(row)
                let severity = plan.columns[place].gauge.map {
                    options.thresholds.severity(number, of: $0)
                }
                putNumber(
                    number, unit, row: line, end: start + width, width: width,
                    style: Style(severity?.role ?? .normal, bold: severity == .critical))
            case .drawn(let picture, let value):
                if let index {
                    draw(
                        picture, value(row), of: row, index: index, line: line, start: start,
                        width: width)
                }
            }
        }
    }

    private mutating func draw<Row: TableRow>(
        _ picture: Column<Row>.Picture, _ value: Double?, of row: Row, index: Int, line: Int,
        start: Int, width: Int
    ) {
        if picture == .fill {
            drawFill(value, line: line, start: start, width: width)
            return
        }
        if picture == .clock {
            let text = value.flatMap { Int64(exactly: $0.rounded()) }.map(preciseClockText)
            putCut(text ?? missing, row: line, column: start, width: width)
            return
        }
        if picture == .severity, let flag = row as? FlagRow {
            putCut(
                flag.severityWord, row: line, column: start, width: width,
                style: flag.severityStyle)
            return
        }
        guard let lun = row as? LUN else { return }
        switch picture {
        case .depth: drawDepth(lun, line: line, start: start, width: width)
        case .stages: drawStages(lun.rates.stages, line: line, start: start, width: width)
        default: drawTrend(ofLUN: index, line: line, start: start, width: width)
        }
    }

    /// `[####    ]` with the share of a queue that is in flight.
    private mutating func drawFill(_ percent: Double?, line: Int, start: Int, width: Int) {
        guard let percent, width > 2 else { return }
        let severity = options.thresholds.severity(percent, of: .depth)
        grid.put("[", row: line, column: start, style: Style(.muted))
        grid.put("]", row: line, column: start + width - 1, style: Style(.muted))
        putBar(
            percent / 100, row: line, column: start + 1, width: width - 2, symbol: symbols.bar,
            style: Style(severity == .none ? .graph1 : severity.role))
    }

    /// `118/128`
    private mutating func drawDepth(_ lun: LUN, line: Int, start: Int, width: Int) {
        let size = lun.ringCapacity.flatMap { NumberText.fixed($0, decimals: 0) } ?? "-"
        guard let depth = lun.rates.queueDepth else {
            putRight(missing, row: line, end: start + width, width: width, style: Style(.muted))
            return
        }
        let severity = options.thresholds.severity(lun.depthPercent, of: .depth)
        let both = (NumberText.fixed(depth.nowOrMean, decimals: 0) ?? "-") + "/" + size
        putRight(
            both.utf8.count <= width ? both : NumberText.compact(depth.nowOrMean), row: line,
            end: start + width, width: width, style: Style(severity.role))
    }
}
