internal import Telemetry

/// Draws a bench in characters.
struct BenchText {
    let width: Int
    let showsUnicode: Bool

    private static let unicodeMarks: [Character] = ["●", "■", "▲", "◆", "○", "□", "△", "◇"]
    private static let plainMarks: [Character] = ["o", "x", "+", "#", "@", "%", "&", "$"]

    // MARK: Bars

    func lines(_ chart: BarChart) -> [String] {
        var lines = [chart.title] + chart.caption.flatMap(wrap) + [""]
        let labels = min(
            max(12, (chart.bars + chart.references).map(\.label.count).max() ?? 0), width * 2 / 5)
        lines += bars(chart.bars, labels: labels, isReference: false)
        guard !chart.references.isEmpty else { return lines }
        lines += [""]
        lines += wrap("2013 references, not measured here, own scale: \(Reference2013.machine)")
        return lines + bars(chart.references, labels: labels, isReference: true)
    }

    private func bars(_ bars: [BarChart.Bar], labels: Int, isReference: Bool) -> [String] {
        let longest = bars.compactMap(\.value).max() ?? 0
        let figures = 20
        let room = max(4, width - labels - figures - 2)
        return bars.flatMap { bar -> [String] in
            let share = longest > 0 ? (bar.value ?? 0) / longest : 0
            let figure =
                Numbers.grouped(bar.value)
                + (bar.spread?.percent == nil ? "" : " " + Numbers.plusMinus(bar.spread))
            let row =
                padded(bar.label, labels, isLeft: true) + " "
                + self.bar(share, room: room, isReference: isReference) + " "
                + figure
            let note = bar.note.isEmpty ? [] : wrap("  (" + bar.note + ")")
            return [trimmed(row)] + note
        }
    }

    /// A bar of `share` (0…1) of `room` columns, to an eighth of a column where the terminal can.
    private func bar(_ share: Double, room: Int, isReference: Bool) -> String {
        let columns = min(max(share, 0), 1) * Double(room)
        if isReference || !showsUnicode {
            let glyph = isReference ? (showsUnicode ? "░" : "-") : "#"
            return String(
                repeating: glyph, count: share > 0 ? max(1, Int(columns.rounded())) : 0)
        }
        let eighths = Int((columns * 8).rounded())
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        let text = String(repeating: "█", count: eighths / 8) + rest
        return text.isEmpty && share > 0 ? "▏" : text
    }

    // MARK: Lines

    func lines(_ chart: LineChart) -> [String] {
        let rows = 13
        let top = Numbers.niceCeiling(
            chart.series.flatMap { $0.values.compactMap(\.self) }.max() ?? 1)
        let axis = 7
        let room = width - axis - 2
        let marks = showsUnicode ? Self.unicodeMarks : Self.plainMarks
        func column(_ place: Int) -> Int {
            chart.places.count > 1 ? 3 + place * (room - 7) / (chart.places.count - 1) : room / 2
        }
        func row(_ value: Double) -> Int {
            rows - 1 - Int((min(max(value / top, 0), 1) * Double(rows - 1)).rounded())
        }
        var canvas = TextCanvas(columns: room, rows: rows)
        for (index, series) in chart.series.enumerated() {
            for (place, value) in series.values.enumerated() {
                guard let value else { continue }
                canvas.put(marks[index % marks.count], column: column(place), row: row(value))
            }
        }
        for series in chart.series { connect(series, in: &canvas, column: column, row: row) }
        let bar = showsUnicode ? "│" : "|"
        var lines = [chart.title] + chart.caption.flatMap(wrap) + ["IOPS"]
        for (index, text) in canvas.lines.enumerated() {
            let isLabelled = index % 3 == 0
            let value = top * Double(rows - 1 - index) / Double(rows - 1)
            let label = index == rows - 1 ? "0" : Numbers.axis(value)
            lines.append(trimmed(padded(isLabelled ? label : "", axis) + " " + bar + text))
        }
        lines.append(
            String(repeating: " ", count: axis + 1) + (showsUnicode ? "└" : "+")
                + String(repeating: showsUnicode ? "─" : "-", count: room))
        lines.append(placeLine(chart.places, axis: axis, room: room, column: column))
        lines.append(String(repeating: " ", count: axis + 2) + chart.axis)
        for (index, series) in chart.series.enumerated() {
            lines.append("  \(marks[index % marks.count]) \(series.name)")
        }
        if !chart.references.isEmpty {
            lines += wrap("2013 references, not measured here: \(Reference2013.machine)")
            lines += chart.references.flatMap { wrap("  " + $0) }
        }
        return lines
    }

    private func placeLine(
        _ places: [String], axis: Int, room: Int, column: (Int) -> Int
    ) -> String {
        var canvas = TextCanvas(columns: room, rows: 1)
        for (index, place) in places.enumerated() {
            let start = max(0, min(column(index) - place.count / 2, room - place.count))
            for (offset, character) in place.enumerated() {
                canvas.put(character, column: start + offset, row: 0)
            }
        }
        return String(repeating: " ", count: axis + 2) + (canvas.lines.first ?? "")
    }

    /// Dots between the marks of a series, where nothing stands yet.
    private func connect(
        _ series: LineChart.Series, in canvas: inout TextCanvas, column: (Int) -> Int,
        row: (Double) -> Int
    ) {
        let dot: Character = showsUnicode ? "·" : "."
        let known = series.values.enumerated().compactMap { index, value in
            value.map { (column(index), Double(row($0))) }
        }
        for (left, right) in zip(known, known.dropFirst()) where right.0 > left.0 + 1 {
            for place in left.0 + 1..<right.0 {
                let share = Double(place - left.0) / Double(right.0 - left.0)
                let height = left.1 + (right.1 - left.1) * share
                canvas.fill(dot, column: place, row: Int(height.rounded()))
            }
        }
    }

    // MARK: Tables

    /// The table in as many parts as the width makes necessary, each with the first column.
    func lines(_ table: ChartTable) -> [String] {
        var lines = wrap(table.title)
        let widths = table.headings.indices.map { column in
            ([table.headings[column]] + table.rows.map { $0[column] }).map(\.count).max() ?? 0
        }
        let first = min(widths.first ?? 0, width / 2)
        var next = 1
        while next < widths.count {
            var part: [Int] = []
            var used = first
            while next < widths.count, part.isEmpty || used + 2 + widths[next] <= width {
                used += 2 + widths[next]
                part.append(next)
                next += 1
            }
            if part.first != 1 { lines.append("") }
            for row in [table.headings] + table.rows {
                let cells = part.map { column in
                    "  " + padded(row[column], min(widths[column], width - first - 2))
                }
                lines.append(trimmed(padded(row[0], first, isLeft: true) + cells.joined()))
            }
        }
        return lines + table.notes.flatMap(wrap)
    }

    /// Shares of bare metal with the ends of the bands.
    func lines(_ shares: [(label: String, ratio: Spread)]) -> [String] {
        guard !shares.isEmpty else { return [] }
        let labels = min(shares.map(\.label.count).max() ?? 0, width * 2 / 5)
        let room = max(20, width - labels - 8)
        let full = max(1, shares.map(\.ratio.median).max() ?? 1)
        func column(_ ratio: Double) -> Int { Int((ratio / full * Double(room - 1)).rounded()) }
        var rule = TextCanvas(columns: room + 4, rows: 1)
        for percent in [30, 60, 90] {
            for (offset, digit) in "\(percent)%".enumerated() {
                rule.put(digit, column: column(Double(percent) / 100) + offset, row: 0)
            }
        }
        var lines = [String(repeating: " ", count: labels + 1) + (rule.lines.first ?? "")]
        for share in shares {
            var canvas = TextCanvas(columns: room, rows: 1)
            for place in 0...column(share.ratio.median) {
                canvas.put(showsUnicode ? "█" : "#", column: place, row: 0)
            }
            for percent in [30, 60, 90] {
                canvas.put(
                    showsUnicode ? "┃" : "|", column: column(Double(percent) / 100), row: 0)
            }
            lines.append(
                padded(share.label, labels, isLeft: true) + " "
                    + padded(canvas.lines.first ?? "", room, isLeft: true) + " "
                    + Numbers.fixed(share.ratio.median * 100, 0) + " %")
        }
        return lines
    }

    func wrap(_ text: String) -> [String] {
        let indent = text.prefix { $0 == " " }.count
        return wrapped(text, width: width - indent, indent: 2)
            .map { String(repeating: " ", count: indent) + $0 }
    }
}

extension BenchResult {
    /// Charts and tables as text, no line longer than `width` (60…200) columns. Where
    /// `showsUnicode` is false it is ASCII throughout. Texts from outside are stripped of what
    /// would act on a terminal.
    public func text(width: Int, showsUnicode: Bool) -> String {
        let view = BenchView(self)
        let text = BenchText(width: min(max(60, width), 200), showsUnicode: showsUnicode)
        var lines: [String] = []
        func section(_ part: [String]) {
            if !part.isEmpty { lines += (lines.isEmpty ? [] : [""]) + part }
        }
        if let bars = view.bars { section(text.lines(bars)) }
        if let chart = view.linesByBlockSize { section(text.lines(chart)) }
        if let chart = view.linesByLUNs { section(text.lines(chart)) }
        if !points.isEmpty { section(text.lines(view.why)) }
        if let table = view.scaling { section(text.lines(table)) }
        if let table = view.shares { section(text.lines(table) + text.lines(view.shareBars)) }
        section(text.wrap(view.method) + BenchView.legend.flatMap(text.wrap))
        if points.isEmpty, pairings.isEmpty { section(["Nothing was measured."]) }
        let whole = lines.map { $0.harmless(replacement: "?") }.joined(separator: "\n") + "\n"
        return showsUnicode ? whole : Self.plain(whole)
    }

    /// `text` in ASCII, each character still one column.
    private static func plain(_ text: String) -> String {
        let words: [Character: Character] = [
            "±": "+", "…": "-", "−": "-", "λ": "L", "σ": "s", "κ": "k", "–": "-",
        ]
        return String(text.map { $0.isASCII ? $0 : words[$0] ?? "?" })
    }
}
