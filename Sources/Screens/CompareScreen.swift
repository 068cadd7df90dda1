internal import Grid
internal import Telemetry

/// The columns of the comparison: for each metric A, B and the change.
struct ComparePlan {
    let metrics: [ComparedMetric]
    let nameWidth: Int
    /// Cells of a value.
    let valueWidth: Int

    static let changeWidth = 6

    init(columns: Int, longestName: Int) {
        nameWidth = min(max(6, longestName), max(6, columns / 5))
        let room = columns - 2 - nameWidth
        let narrow = 2 * 7 + 1 + Self.changeWidth
        let count = max(0, min(ComparedMetric.allCases.count, room / (narrow + 1)))
        let chosen = ComparedMetric.byImportance.prefix(max(1, count))
        metrics = ComparedMetric.allCases.filter { chosen.contains($0) }
        let share = room / max(1, metrics.count) - 1 - Self.changeWidth - 1
        valueWidth = max(1, min(10, share / 2))
    }

    /// Cells of one metric.
    var groupWidth: Int { 2 * valueWidth + 1 + Self.changeWidth + 1 }
}

extension Painter {
    /// A against B: the LUN that got worse most first, and the settings that are not the same.
    mutating func drawComparison() {
        guard let first = layout.table.first else { return }
        guard let a = state.markA, let b = state.markB else {
            let text =
                state.markA == nil
                ? "set mark A with m, go elsewhere in time, and set mark B with m"
                : "A is at " + clockText(state.markA?.start.wallClock ?? 0)
                    + "; go elsewhere in time and set mark B with m"
            putCut(text, row: first, column: 1, width: columns - 1, style: Style(.muted))
            return
        }
        let comparison = Comparison(a, b, state.nameForm, arrow: symbols.arrow)
        drawCompareTitle(a, b, row: first)
        let longest = comparison.rows.reduce(5) { max($0, $1.name.cellWidth) }
        let plan = ComparePlan(columns: columns, longestName: longest)
        let body = layout.table.dropFirst()
        guard let header = body.first else { return }
        drawCompareHeadings(plan, row: header)
        let settings = min(comparison.differences.count, body.count / 3)
        let lines = body.dropFirst().dropLast(settings > 0 ? settings + 1 : 0)
        if let line = lines.first { draw(comparison.total, plan, line: line, bold: true) }
        let top = max(0, min(state.compareTop, comparison.rows.count - lines.count + 1))
        for (line, row) in zip(lines.dropFirst(), comparison.rows.dropFirst(top)) {
            draw(row, plan, line: line, bold: false)
        }
        if settings > 0 { drawDifferences(comparison.differences, body.suffix(settings + 1)) }
    }

    private mutating func drawCompareTitle(
        _ a: MarkedStretch, _ b: MarkedStretch, row: Int
    ) {
        func text(_ name: String, _ mark: MarkedStretch) -> String {
            name + " " + clockText(mark.start.wallClock) + " \(mark.count) sample"
                + (mark.count == 1 ? "" : "s")
        }
        put(
            [
                Piece(text("A", a), weight: 99, Style(.key)),
                Piece(text("B", b), weight: 98, Style(.key)),
                Piece("means from the mark on", weight: 50, Style(.muted)),
                Piece("worst change first", weight: 40, Style(.muted)),
            ], row: row, column: 1)
    }

    private func title(_ metric: ComparedMetric) -> String {
        let unit =
            switch state.latencyUnit {
            case .microseconds: "_" + symbols.micro + "s"
            case .milliseconds: "_ms"
            case .automatic: ""
            }
        return switch metric {
        case .iops: "IOPS"
        case .bandwidth: "MiB/s"
        case .latency: "lat" + unit
        case .p99: "p99" + unit
        case .depth: "depth"
        }
    }

    private mutating func drawCompareHeadings(_ plan: ComparePlan, row: Int) {
        let style = Style(.title, bold: true)
        putCut("LUN", row: row, column: 2, width: plan.nameWidth, style: style)
        var end = 2 + plan.nameWidth + 1
        for metric in plan.metrics {
            let name = title(metric)
            let first = name + " A"
            end += plan.valueWidth
            putRight(
                first.cellWidth <= plan.valueWidth + 1 ? first : name, row: row, end: end,
                width: plan.valueWidth + 1, style: style)
            end += plan.valueWidth + 1
            putRight("B", row: row, end: end, width: plan.valueWidth, style: style)
            end += ComparePlan.changeWidth + 1
            putRight("%", row: row, end: end - 1, width: ComparePlan.changeWidth, style: style)
        }
    }

    private mutating func draw(
        _ row: Comparison.Row, _ plan: ComparePlan, line: Int, bold: Bool
    ) {
        let worst = Severity(worsening: row.worsening)
        grid.put(String(worst.mark), row: line, column: 1, style: Style(worst.role))
        putCut(row.name, row: line, column: 2, width: plan.nameWidth, style: Style(bold: bold))
        var end = 2 + plan.nameWidth + 1
        for metric in plan.metrics {
            let (a, b) = row.value(metric)
            end += plan.valueWidth
            putNumber(a, metric.unit, row: line, end: end, width: plan.valueWidth)
            end += plan.valueWidth + 1
            putNumber(b, metric.unit, row: line, end: end, width: plan.valueWidth)
            end += ComparePlan.changeWidth + 1
            let worsening = metric.worsening(a, b)
            let severity = worsening.map { Severity(worsening: $0) } ?? .none
            let isBetter = worsening.map { $0 < 1 / 1.1 } ?? false
            let text = ComparedMetric.change(a, b).map { changeText($0) } ?? "-"
            putRight(
                text, row: line, end: end - 1, width: ComparePlan.changeWidth,
                style: Style(isBetter ? .ok : severity.role, bold: severity == .critical))
        }
    }

    /// `+12`, `-3.4`, `+2.1k`
    private func changeText(_ percent: Double) -> String {
        let sign = percent > 0 ? "+" : ""
        let plain = NumberText.fixed(percent, decimals: abs(percent) < 9.95 ? 1 : 0)
        guard let plain, plain.utf8.count + sign.utf8.count <= ComparePlan.changeWidth else {
            return sign + NumberText.compact(percent)
        }
        return sign + plain
    }

    private mutating func drawDifferences(_ lines: [String], _ rows: Range<Int>) {
        guard let title = rows.first else { return }
        let hidden = lines.count - (rows.count - 1)
        let more = hidden > 0 ? " (\(hidden) more)" : ""
        putCut(
            "settings that differ" + more, row: title, column: 1, width: columns - 1,
            style: Style(.title, bold: true))
        for (row, line) in zip(rows.dropFirst(), lines) {
            putCut(line, row: row, column: 2, width: columns - 2, style: Style(.advice))
        }
    }
}

extension Severity {
    /// How bad it is to be so many times worse: noise stays below a tenth.
    init(worsening: Double) {
        self =
            worsening >= 2
            ? .critical : worsening >= 1.25 ? .warning : worsening >= 1.1 ? .advice : .none
    }
}
