internal import Grid
internal import Telemetry

extension Painter {
    /// Histogram, percentiles and stages of the LUNs chosen, of exactly the interval shown.
    mutating func drawLatency() {
        let chosen = chosenLUNs
        guard !chosen.isEmpty, let first = layout.table.first else {
            return drawReason(of: ["read_latency_us"])
        }
        let rates =
            chosen.count == 1
            ? chosen[0].rates : BlockRates(summing: chosen)
        let isWide = columns >= 120
        let width = isWide ? columns - 42 : columns
        drawScope(chosen, row: first)
        var pen = Pen(row: first + 1, column: 1, width: width - 2, end: layout.table.upperBound)
        drawLatencyTable(rates, &pen)
        let reads = LatencyHistogram.sum(chosen.compactMap(\.readLatencies))
        let writes = LatencyHistogram.sum(chosen.compactMap(\.writeLatencies))
        var side = Pen(
            row: first + 1, column: width + 1, width: 40, end: layout.table.upperBound)
        if isWide {
            drawStageStack(rates, &side)
            drawRanking(&side)
        }
        let reserve = isWide || rates.stages == nil ? 0 : 7
        drawHistogram(
            PowerHistogram(reads: reads, writes: writes),
            quantiles(reads, writes, within: rates.latencyUncertainty),
            &pen, end: pen.end - reserve)
        if !isWide { drawStageStack(rates, &pen) }
        drawOutliers(of: chosen, &pen)
    }

    /// The slowest requests of the interval, where there is room for some.
    private mutating func drawOutliers(of chosen: [LUN], _ pen: inout Pen) {
        let ids = Set(chosen.map(\.qualifiedID))
        let rows = SlowRow.rows(of: snapshot).filter { ids.contains($0.slow.lun) }
        guard !rows.isEmpty, pen.row + 3 <= pen.end else { return }
        putCut(
            "slowest of the interval (O: of all samples)", row: pen.row, column: pen.column,
            width: pen.width, style: Style(.title))
        let longest = rows.reduce(0) { max($0, $1.slow.lun.utf8.count) }
        let plan = ColumnPlan(SlowRow.columns, width: pen.width, nameWidth: longest)
        drawHeadings(plan, line: pen.row + 1, sortedBy: "lat")
        pen.row += 2
        for row in rows.prefix(pen.end - pen.row) {
            let severity = row.severity(options.thresholds)
            grid.put(
                String(severity.mark), row: pen.row, column: pen.column,
                style: Style(severity.role, bold: severity == .critical))
            drawCells(row, plan, index: 0, line: pen.row, name: row.name(state.nameForm))
            pen.row += 1
        }
    }

    /// The LUNs the screen is about.
    var chosenLUNs: [LUN] {
        let luns = snapshot.luns.filter { state.lock?.keeps($0) ?? true }
        switch state.latencyScope {
        case .all: return luns
        case .tagged: return luns.filter { state.tagged.contains($0.key) }
        case .selected: return luns.filter { $0.key == state.luns.selectedKey }
        }
    }

    private mutating func drawScope(_ chosen: [LUN], row: Int) {
        let scope =
            switch state.latencyScope {
            case .selected: chosen[0].name(state.nameForm)
            case .tagged: "\(chosen.count) tagged LUNs"
            case .all: "all \(chosen.count) LUNs"
            }
        let seconds = snapshot.interval.flatMap { NumberText.figures($0, decimals: 1) }
        let interval = seconds.map { ", interval of " + $0 + " s" } ?? ", no interval yet"
        let end = putCut(
            scope, row: row, column: 1, width: min(40, columns - 1),
            style: Style(.title, bold: true))
        putCut(
            interval + " (Tab: selected, tagged, all)", row: row, column: end,
            width: columns - end, style: Style(.muted))
    }

    /// Percentiles of reads and writes together, to be marked beside the histogram.
    private func quantiles(
        _ reads: LatencyHistogram, _ writes: LatencyHistogram, within uncertainty: Double?
    ) -> [(String, Double)] {
        let all = LatencyHistogram.sum([reads, writes])
        guard let summary = LatencySummary(of: all, within: uncertainty) else { return [] }
        return [("p50", summary.p50), ("p99", summary.p99), ("p99.9", summary.p999)].compactMap {
            name, value in value.map { (name, $0) }
        }
    }

    private mutating func drawHistogram(
        _ histogram: PowerHistogram, _ quantiles: [(String, Double)], _ pen: inout Pen, end: Int
    ) {
        guard pen.row + 1 < end else { return }
        guard histogram.count > 0 else {
            let reason = snapshot.unavailable.first { $0.metric.hasPrefix("read_latency") }?.reason
            let text = "no histogram: " + (reason ?? "no request completed in this interval")
            putCut(
                text, row: pen.row, column: pen.column, width: pen.width, style: Style(.muted))
            pen.row = end
            return
        }
        drawHistogramTitle(&pen)
        var seen: UInt64 = 0
        // Where there are more buckets than lines, the fastest that are told are left out and
        // counted in the sum.
        let buckets = histogram.buckets
        let untold = buckets.prefix { $0.upperBound == 0 }
        let skipped = max(0, buckets.count - (end - pen.row))
        let highest = buckets.reduce(0) { max($0, $1.count) }
        for (place, bucket) in buckets.enumerated() {
            seen += bucket.count
            if place >= untold.count, place < untold.count + skipped { continue }
            guard pen.row < end else { break }
            let cumulative = Double(seen) / Double(histogram.count) * 100
            let marks = quantiles.filter { bucket.holds($0.1) }.map(\.0)
            draw(bucket, of: highest, cumulative, marks.joined(separator: " "), pen)
            pen.row += 1
        }
        pen.row = min(end, pen.row + 1)
    }

    private static let barStart = 31

    private mutating func drawHistogramTitle(_ pen: inout Pen) {
        let unit =
            switch state.latencyUnit {
            case .microseconds: "below_" + symbols.micro + "s"
            case .milliseconds: "below_ms"
            case .automatic: "below"
            }
        let title = Style(.title)
        putRight(unit, row: pen.row, end: pen.column + 9, width: 9, style: title)
        putRight("count", row: pen.row, end: pen.column + 18, width: 8, style: title)
        putRight("cum %", row: pen.row, end: pen.column + 25, width: 6, style: title)
        var column = pen.column + Self.barStart + 1
        column =
            1
            + grid.put(
                String(symbols.bar) + " reads", row: pen.row, column: column, style: Style(.read))
        grid.put(
            String(symbols.secondBar) + " writes", row: pen.row, column: column + 1,
            style: Style(.write))
        pen.row += 1
    }

    private mutating func draw(
        _ bucket: PowerHistogram.Bucket, of highest: UInt64, _ cumulative: Double, _ marks: String,
        _ pen: Pen
    ) {
        if bucket.upperBound > 0 {
            putNumber(bucket.upperBound, .latency, row: pen.row, end: pen.column + 9, width: 9)
        } else {
            putRight(
                HeatBands.untold, row: pen.row, end: pen.column + 9, width: 9, style: Style(.label))
        }
        putNumber(Double(bucket.count), .count, row: pen.row, end: pen.column + 18, width: 8)
        putNumber(cumulative, .percent, row: pen.row, end: pen.column + 25, width: 6)
        let width = pen.width - Self.barStart - 1
        putRight(
            marks, row: pen.row, end: pen.column + Self.barStart, width: 5, style: Style(.key))
        let start = pen.column + Self.barStart + 1
        let share = Double(bucket.count) / Double(max(1, highest))
        putBar(
            share, row: pen.row, column: start, width: width, symbol: symbols.secondBar,
            style: Style(.write))
        guard bucket.reads > 0 else { return }
        putBar(
            share * Double(bucket.reads) / Double(bucket.count), row: pen.row, column: start,
            width: width, symbol: symbols.bar, style: Style(.read))
    }

    /// The LUNs with the worst p99, to compare.
    private mutating func drawRanking(_ pen: inout Pen) {
        guard pen.row + 2 < pen.end else { return }
        grid.put("worst p99", row: pen.row, column: pen.column, style: Style(.title))
        pen.row += 1
        let ranked = snapshot.luns.indices
            .compactMap { index in snapshot.luns[index].rates.worstP99.map { (index, $0) } }
            .sorted { ($0.1, $1.0) > ($1.1, $0.0) }
        let highest = ranked.first?.1 ?? 0
        for (index, p99) in ranked.prefix(pen.end - pen.row) {
            let severity = options.thresholds.severity(p99, of: .p99)
            let isChosen = snapshot.luns[index].key == state.luns.selectedKey
            grid.put(
                isChosen ? ">" : String(severity.mark), row: pen.row, column: pen.column,
                style: Style(severity.role))
            putCut(
                snapshot.luns[index].name(state.nameForm), row: pen.row, column: pen.column + 1,
                width: 10)
            putNumber(
                p99, .latency, row: pen.row, end: pen.column + 19, width: 7,
                style: Style(severity.role))
            putBar(
                highest > 0 ? p99 / highest : 0, row: pen.row, column: pen.column + 20,
                width: pen.width - 20, symbol: symbols.bar, style: Style(.graph1))
            pen.row += 1
        }
    }
}
