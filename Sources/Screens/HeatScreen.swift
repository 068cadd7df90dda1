internal import Grid
internal import Telemetry

/// Where the parts of a heat map stand.
struct HeatLayout {
    /// Cells before the map: marks, a name, a blank.
    let left: Int
    /// Cells of the map.
    let width: Int
    /// Cells after it for the value now, 0 where there is no room.
    let right: Int

    init(columns: Int, nameWidth: Int) {
        let name = min(max(4, nameWidth), columns >= 60 ? 16 : 8)
        right = columns >= 60 ? 8 : 0
        left = min(3 + name, max(0, columns - 1))
        width = max(1, columns - left - right)
    }
}

/// What the cells of a heat map of LUNs show.
struct HeatMetric {
    let word: String
    let unit: Unit
    let gauge: Gauge?
    let value: @Sendable (LUN) -> Double?

    private init(
        _ word: String, _ unit: Unit, _ gauge: Gauge?, _ value: @escaping @Sendable (LUN) -> Double?
    ) {
        self.word = word
        self.unit = unit
        self.gauge = gauge
        self.value = value
    }

    /// The column the LUNs are sorted by if it is a number, else their p99, or the mean where
    /// nobody knows percentiles.
    init(sortedBy column: Column<LUN>?, _ luns: [LUN]) {
        if let column {
            switch column.content {
            case .number(let unit, let value):
                self.init(column.word, unit, column.gauge, value)
                return
            case .drawn(.depth, let value):
                self.init("depth", .mean, .depth, value)
                return
            default: break
            }
        }
        if luns.contains(where: { $0.rates.worstP99 != nil }) {
            self.init("p99", .latency, .p99) { $0.rates.worstP99 }
        } else {
            self.init("lat", .latency, .latency) { $0.rates.meanLatency }
        }
    }

    /// How bad `value` is for `lun`.
    func severity(_ value: Double, of lun: LUN, _ thresholds: Thresholds) -> Severity {
        guard let gauge else { return .none }
        guard gauge == .depth else { return thresholds.severity(value, of: gauge) }
        let percent = lun.ringCapacity.flatMap { $0 > 0 ? value / $0 * 100 : nil }
        return thresholds.severity(percent, of: .depth)
    }
}

extension Painter {
    /// Time to the right, the newest last; down the LUNs in the order of their table, or the
    /// latencies of those chosen.
    mutating func drawHeat() {
        guard !snapshot.luns.isEmpty else { return drawReason(of: LUN.metrics) }
        switch state.heatForm {
        case .luns: drawHeatOfLUNs()
        case .latencies: drawHeatOfLatencies()
        }
    }

    // MARK: LUN by time

    private mutating func drawHeatOfLUNs() {
        let table = state.table
        let names = table.visible.map { snapshot.luns[$0].name(state.nameForm) }
        let place = HeatLayout(
            columns: columns, nameWidth: names.reduce(0) { max($0, $1.cellWidth) })
        let metric = HeatMetric(sortedBy: sortedColumn, snapshot.luns)
        let beats = history.beats(place.width)
        let axis = HeatAxis(beats, count: place.width)
        let trail = history.trail(place.width)
        let first = table.firstRow(showing: layout.table.count)
        let shown = table.visible.dropFirst(first).prefix(layout.table.count)
        let rows = shown.map { index in
            axis.laidOut(
                trail.values(ofLUN: index, count: place.width, metric.value), of: beats)
        }
        let scale = HeatScale(of: rows, symbols.densities)
        let thresholds = options.thresholds
        for (offset, (index, cells)) in zip(shown, rows).enumerated() {
            let line = layout.table.lowerBound + offset
            drawHeatLabel(snapshot.luns[index], metric, line: line, place)
            let lun = snapshot.luns[index]
            draw(cells, scale, line: line, place) { metric.severity($0, of: lun, thresholds) }
            if first + offset == table.selected {
                grid.restyle(
                    Rectangle(row: line, column: 0, rows: 1, columns: place.left - 1)
                ) { $0.isSelected = true }
            }
        }
        drawHeatTitle(
            metric.word + " of each LUN", other: "latencies of one", axis, place)
        drawHeatAxis(axis, place)
        drawLegend(
            scale, title: metric.word, metric.gauge == .depth ? nil : metric.gauge,
            texts: scale.levels.map { $0.from == 0 ? "0" : heatText($0.from, metric.unit) })
    }

    private mutating func drawHeatLabel(
        _ lun: LUN, _ metric: HeatMetric, line: Int, _ place: HeatLayout
    ) {
        let isSelected = lun.key == state.luns.selectedKey
        let isTagged = state.tagged.contains(lun.key)
        grid.put(isSelected ? ">" : isTagged ? "*" : " ", row: line, column: 0)
        let value = metric.value(lun)
        let worst = value.map { metric.severity($0, of: lun, options.thresholds) } ?? .none
        grid.put(
            String(worst.mark), row: line, column: 1,
            style: Style(worst.role, bold: worst == .critical))
        putCut(
            lun.name(state.nameForm), row: line, column: 2, width: place.left - 3,
            style: Style(bold: isTagged))
        guard place.right > 0 else { return }
        putNumber(
            value, metric.unit, row: line, end: columns, width: place.right - 1,
            style: Style(worst.role))
    }

    /// The cells of one row: nothing where nothing is known.
    private mutating func draw(
        _ cells: [Double?], _ scale: HeatScale, line: Int, _ place: HeatLayout,
        severity: (Double) -> Severity
    ) {
        for (cell, value) in cells.enumerated() {
            guard let value else { continue }
            guard value > 0 else {
                grid.put(
                    String(symbols.idle), row: line, column: place.left + cell,
                    style: Style(.muted))
                continue
            }
            let worst = severity(value)
            let style = worst == .none ? Style(.graph1) : Style(worst.role)
            grid.put(
                String(scale.symbol(value)), row: line, column: place.left + cell, style: style)
        }
    }

    // MARK: Latency by time

    private mutating func drawHeatOfLatencies() {
        let chosen = chosenLUNs
        let place = HeatLayout(columns: columns, nameWidth: 8)
        let beats = history.beats(place.width)
        let axis = HeatAxis(beats, count: place.width)
        let samples = history.latencies(of: Set(chosen.map(\.qualifiedID)), place.width)
        let scope = chosen.count == 1 ? chosen[0].name(state.nameForm) : "\(chosen.count) LUNs"
        drawHeatTitle("requests of " + scope + " by latency", other: "LUNs", axis, place)
        guard samples.contains(where: { $0 != nil }) else {
            return drawReason(of: ["read_latency"])
        }
        let bands = HeatBands(samples, lines: layout.table.count)
        let rows = bands.bounds.map { bound in
            axis.laidOut(
                samples.map { $0.map { bands.count($0, bound) } }, of: beats, joined: +)
        }
        let scale = HeatScale(of: rows, symbols.densities)
        for (line, (bound, cells)) in zip(layout.table, zip(bands.bounds, rows)) {
            // What is counted here took at least half as long as the line says.
            let worst = options.thresholds.severity(bound / 2, of: .p99)
            grid.put(
                String(worst.mark), row: line, column: 1,
                style: Style(worst.role, bold: worst == .critical))
            putRight(
                bound > 0 ? "<" + latencyText(bound) : HeatBands.untold, row: line,
                end: place.left - 1, width: place.left - 3, style: Style(.label))
            draw(cells, scale, line: line, place) { _ in worst }
            if place.right > 0 {
                putNumber(
                    samples[0].map { bands.count($0, bound) }, .count, row: line, end: columns,
                    width: place.right - 1)
            }
        }
        drawHeatAxis(axis, place)
        drawLegend(
            scale, title: "requests", nil, texts: scale.levels.map { NumberText.compact($0.from) })
    }

    // MARK: Around the map

    private mutating func drawHeatTitle(
        _ text: String, other: String, _ axis: HeatAxis, _ place: HeatLayout
    ) {
        guard let line = layout.header else { return }
        let step = NumberText.figures(axis.step / 1e9, decimals: 1) ?? "?"
        put(
            [
                Piece(text, weight: 99, Style(.title, bold: true)),
                Piece(step + " s a column", weight: 80, Style(.label)),
                Piece("Tab: " + other, weight: 70, Style(.muted)),
            ], row: line, column: 1)
        if place.right > 0 {
            putRight(
                "now", row: line, end: columns, width: place.right - 1, style: Style(.title))
        }
    }

    /// The times at both ends; `-` under what has no samples.
    private mutating func drawHeatAxis(_ axis: HeatAxis, _ place: HeatLayout) {
        guard layout.pinned.count > 1, let line = layout.pinned.first else { return }
        let moment = Moment(snapshot)
        let ends = [(0, 0), (axis.count - 1, axis.count - 9)]
        for (column, start) in ends where axis.count >= 20 {
            // A gap is worth more than a time, and both in one are neither.
            let cells = start..<(start + 9)
            if axis.gaps.contains(where: { $0.overlaps(cells) }) { continue }
            grid.put(
                clockText(moment.wallClock(at: axis.time(of: column))), row: line,
                column: place.left + start, style: Style(.muted))
        }
        for gap in axis.gaps {
            grid.fill(
                Rectangle(
                    row: line, column: place.left + gap.lowerBound, rows: 1, columns: gap.count),
                "-", style: Style(.warning))
        }
    }

    /// Which symbol begins where.
    private mutating func drawLegend(
        _ scale: HeatScale, title: String, _ gauge: Gauge?, texts: [String]
    ) {
        guard let line = layout.pinned.last else { return }
        var pieces = [
            Piece(title + " from", weight: 99, Style(.label)),
            Piece(String(symbols.idle) + " none", weight: 60, Style(.muted)),
        ]
        for (index, (level, text)) in zip(scale.levels, texts).enumerated() {
            pieces.append(
                Piece(String(level.symbol) + " " + text, weight: 70 + index, Style(.graph1)))
        }
        // Colours tell it too; this is for eyes and terminals without.
        if let levels = gauge.flatMap({ options.thresholds[$0] }) {
            let bounds = [(Severity.warning, levels.warning), (.critical, levels.critical)]
            for (severity, bound) in bounds {
                let text = String(severity.mark) + " " + heatText(bound, .latency)
                pieces.append(Piece(text, weight: 65, Style(severity.role)))
            }
        }
        pieces.append(Piece("blank: not known", weight: 50, Style(.muted)))
        put(pieces, row: line, column: 1)
    }

    private func heatText(_ value: Double, _ unit: Unit) -> String {
        switch unit {
        case .latency, .milliseconds: NumberText.duration(value, micro: symbols.micro)
        case .bandwidth: NumberText.compactBytes(value) + "B/s"
        case .bytes, .kibibytes: NumberText.compactBytes(value) + "B"
        case .perSecond: NumberText.compact(value) + "/s"
        case .percent: NumberText.compact(value) + "%"
        case .count, .mean, .ratio: NumberText.compact(value)
        }
    }
}

/// The latencies that the lines of a heat map stand for, the slowest first: powers of two, the
/// fastest of them in one line where there are more than lines; below them what is not told.
struct HeatBands {
    /// Upper ends, microseconds; 0 of requests that were over too soon to tell.
    let bounds: [Double]
    /// Where the fastest that are told are counted.
    private let lowest: Double?
    /// What such a line is called.
    static let untold = "brief"

    init(_ samples: [PowerHistogram?], lines: Int) {
        let used = samples.compactMap { $0?.buckets.filter { $0.count > 0 } }.joined()
        let told = used.filter { $0.upperBound > 0 }
        let highest = told.reduce(0) { max($0, $1.upperBound) }
        let lowest = told.reduce(highest) { min($0, $1.upperBound) }
        let hasUntold = lines > 1 && used.contains { $0.upperBound == 0 }
        var bounds: [Double] = []
        var bound = highest
        while bound >= max(1, lowest), bounds.count < lines - (hasUntold ? 1 : 0) {
            bounds.append(bound)
            bound /= 2
        }
        self.lowest = bounds.last
        self.bounds = bounds + (hasUntold ? [0] : [])
    }

    /// Requests of `histogram` in the band that ends at `bound`.
    func count(_ histogram: PowerHistogram, _ bound: Double) -> Double {
        let isLowest = bound == lowest
        return histogram.buckets.reduce(0) { sum, bucket in
            let isBelow = isLowest && bucket.upperBound > 0 && bucket.upperBound < bound
            return bucket.upperBound == bound || isBelow ? sum + Double(bucket.count) : sum
        }
    }
}

extension ViewState {
    /// Whether a click on a line of the heat map means a LUN.
    var heatShowsLUNs: Bool { screen != .heat || heatForm == .luns }
}
