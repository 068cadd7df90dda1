internal import Telemetry

/// Draws charts as SVG: nothing from elsewhere, no script, light and dark by the viewer's wish.
struct BenchSVG {
    private static let width = 900
    private static let rowHeight = 24
    /// Characters that fit in the width, at the 7 px that a character of 12 px takes at most.
    private static let columns = 122

    /// Colours of Okabe and Ito, told apart by the colour-blind too.
    static let style = """
        .vb { background: #ffffff; font: 12px system-ui, sans-serif; }
        .vb text { fill: #1b1f24; }
        .vb .title { font-size: 16px; font-weight: 600; }
        .vb .faint { fill: #59636e; }
        .vb .end { text-anchor: end; }
        .vb .mid { text-anchor: middle; }
        .vb .rule { stroke: #d1d9e0; stroke-width: 1; }
        .vb .measured { fill: #0072b2; }
        .vb .reference { fill: none; stroke: #59636e; stroke-dasharray: 3 2; }
        .vb .range { stroke: #1b1f24; stroke-width: 1.5; }
        .vb .line { fill: none; stroke-width: 2; }
        .vb .c0 { stroke: #0072b2; } .vb .c1 { stroke: #d55e00; } .vb .c2 { stroke: #009e73; }
        .vb .c3 { stroke: #cc79a7; } .vb .c4 { stroke: #e69f00; } .vb .c5 { stroke: #56b4e9; }
        .vb .c6 { stroke: #7f7f7f; }
        .vb .f0 { fill: #0072b2; } .vb .f1 { fill: #d55e00; } .vb .f2 { fill: #009e73; }
        .vb .f3 { fill: #cc79a7; } .vb .f4 { fill: #e69f00; } .vb .f5 { fill: #56b4e9; }
        .vb .f6 { fill: #7f7f7f; }
        @media (prefers-color-scheme: dark) {
        .vb { background: #0d1117; }
        .vb text { fill: #e6edf3; }
        .vb .faint { fill: #9198a1; }
        .vb .rule { stroke: #3d444d; }
        .vb .reference { stroke: #9198a1; }
        .vb .range { stroke: #e6edf3; }
        }

        """

    private static func document(
        height: Int, title: String, _ body: (inout Markup) -> Void
    ) -> String {
        var markup = Markup()
        markup.nested(
            "svg",
            [
                ("xmlns", "http://www.w3.org/2000/svg"), ("class", "vb"), ("role", "img"),
                ("viewBox", "0 0 \(width) \(height)"), ("width", "\(width)"),
                ("height", "\(height)"),
            ]
        ) { svg in
            svg.element("title", text: title)
            svg.style(style)
            body(&svg)
        }
        return markup.xml
    }

    /// Title and caption; returns where the next line stands.
    private static func head(
        _ title: String, _ caption: [String], in svg: inout Markup
    ) -> Int {
        svg.element("text", at(16, 26, "title"), text: title)
        var y = 28
        for line in caption.flatMap({ wrapped($0, width: columns) }) {
            y += 18
            svg.element("text", at(16, y, "faint"), text: line)
        }
        return y
    }

    private static func at(_ x: Int, _ y: Int, _ style: String) -> [(String, String)] {
        [("x", "\(x)"), ("y", "\(y)"), ("class", style)]
    }

    // MARK: Bars

    static func svg(_ chart: BarChart) -> String {
        let captionLines = chart.caption.flatMap { wrapped($0, width: columns) }.count
        let notes = (chart.bars + chart.references).filter { !$0.note.isEmpty }.count
        let rows = chart.bars.count + chart.references.count
        let height = 28 + captionLines * 18 + rows * rowHeight + notes * 16 + 90
        return document(height: height, title: chart.title) { svg in
            var y = head(chart.title, chart.caption, in: &svg) + 14
            draw(chart.bars, style: "measured", y: &y, in: &svg)
            guard !chart.references.isEmpty else { return }
            y += 24
            svg.element(
                "text", at(16, y, "faint"), text: "2013 references, not measured here, own scale:")
            y += 18
            svg.element("text", at(16, y, "faint"), text: Reference2013.machine)
            y += 8
            draw(chart.references, style: "reference", y: &y, in: &svg)
        }
    }

    private static func draw(
        _ bars: [BarChart.Bar], style: String, y: inout Int, in svg: inout Markup
    ) {
        let (left, room) = (250, 480)
        let longest = bars.compactMap { $0.spread?.high ?? $0.value }.max() ?? 0
        func length(_ value: Double) -> Int {
            longest > 0 ? Int((min(max(value / longest, 0), 1) * Double(room)).rounded()) : 0
        }
        for bar in bars {
            svg.element(
                "text", at(left - 10, y + 16, "end"), text: String(bar.label.prefix(34)))
            if let value = bar.value {
                svg.element(
                    "rect",
                    [
                        ("x", "\(left)"), ("y", "\(y + 3)"), ("class", style),
                        ("width", "\(max(1, length(value)))"), ("height", "\(rowHeight - 8)"),
                    ])
            }
            if let spread = bar.spread, spread.count > 1 {
                svg.element(
                    "line",
                    [
                        ("x1", "\(left + length(spread.low))"), ("y1", "\(y + 11)"),
                        ("x2", "\(left + length(spread.high))"), ("y2", "\(y + 11)"),
                        ("class", "range"),
                    ])
            }
            let spread = Numbers.plusMinus(bar.spread)
            let figure = Numbers.grouped(bar.value) + (spread.isEmpty ? "" : " " + spread)
            svg.element("text", at(left + room + 10, y + 16, "figure"), text: figure)
            y += rowHeight
            if !bar.note.isEmpty {
                let note = String(bar.note.prefix(90))
                svg.element("text", at(left, y + 8, "faint"), text: note)
                y += 16
            }
        }
    }

    // MARK: Lines

    static func svg(_ chart: LineChart) -> String {
        let captionLines = chart.caption.flatMap { wrapped($0, width: columns) }.count
        let references = chart.references.isEmpty ? 0 : chart.references.count + 2
        let height = 28 + captionLines * 18 + 340 + references * 18
        return document(height: height, title: chart.title) { svg in
            let y = head(chart.title, chart.caption, in: &svg) + 24
            plot(chart, from: y, in: &svg)
            var line = y + 300
            guard !chart.references.isEmpty else { return }
            svg.element("text", at(16, line, "faint"), text: "2013 references, not measured here:")
            line += 18
            svg.element("text", at(16, line, "faint"), text: Reference2013.machine)
            for text in chart.references {
                line += 18
                svg.element("text", at(28, line, "faint"), text: text)
            }
        }
    }

    private static func plot(_ chart: LineChart, from y: Int, in svg: inout Markup) {
        let (left, room, tall) = (70, 600, 240)
        let top = Numbers.niceCeiling(
            chart.series.flatMap { $0.values.compactMap(\.self) }.max() ?? 1)
        func row(_ value: Double) -> Int {
            y + tall - Int((min(max(value / top, 0), 1) * Double(tall)).rounded())
        }
        func column(_ place: Int) -> Int {
            left + 20 + place * (room - 40) / max(1, chart.places.count - 1)
        }
        for step in 0...4 {
            let value = top * Double(step) / 4
            svg.element(
                "line",
                [
                    ("x1", "\(left)"), ("y1", "\(row(value))"), ("x2", "\(left + room)"),
                    ("y2", "\(row(value))"), ("class", "rule"),
                ])
            svg.element(
                "text", at(left - 8, row(value) + 4, "end"),
                text: step == 0 ? "0" : Numbers.axis(value))
        }
        for (index, place) in chart.places.enumerated() {
            svg.element("text", at(column(index), y + tall + 18, "mid"), text: place)
        }
        svg.element(
            "text", at(left + room / 2, y + tall + 36, "mid faint"), text: chart.axis)
        for (index, series) in chart.series.enumerated() {
            let color = index % 7
            let points = series.values.enumerated().compactMap { place, value in
                value.map { (column(place), row($0)) }
            }
            svg.element(
                "polyline",
                [
                    ("points", points.map { "\($0.0),\($0.1)" }.joined(separator: " ")),
                    ("class", "line c\(color)"),
                ])
            for point in points {
                svg.element(
                    "circle",
                    [
                        ("cx", "\(point.0)"), ("cy", "\(point.1)"), ("r", "3.5"),
                        ("class", "f\(color)"),
                    ])
            }
            let legend = y + 12 + index * 20
            svg.element(
                "circle",
                [
                    ("cx", "\(left + room + 22)"), ("cy", "\(legend - 4)"), ("r", "5"),
                    ("class", "f\(color)"),
                ])
            svg.element(
                "text", at(left + room + 34, legend, "name"), text: String(series.name.prefix(26)))
        }
    }
}

extension BenchResult {
    /// The charts as standalone SVG files, by name without folder: the bars, and the lines where
    /// there is more than one block size or LUN count.
    public var svgFiles: [(name: String, text: String)] {
        let view = BenchView(self)
        var files: [(name: String, text: String)] = []
        if let chart = view.bars { files.append(("iops-by-path.svg", BenchSVG.svg(chart))) }
        if let chart = view.linesByBlockSize {
            files.append(("iops-by-block-size.svg", BenchSVG.svg(chart)))
        }
        if let chart = view.linesByLUNs {
            files.append(("iops-by-luns.svg", BenchSVG.svg(chart)))
        }
        return files
    }
}
