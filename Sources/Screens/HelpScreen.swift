internal import Grid
internal import Telemetry

/// The help: made from the key map, the column declarations, the legend and what the source lacks.
enum HelpText {
    /// One line: how it starts, and the rest.
    struct Line {
        var key = ""
        var text = ""
        var style = Style.normal
        var isTitle = false
    }

    /// Lines at this width.
    static func lineCount(_ snapshot: Snapshot, _ size: Size, isReplay: Bool) -> Int {
        lines(snapshot, Thresholds(), .unicode, columns: size.columns, isReplay: isReplay).count
    }

    static func lines(
        _ snapshot: Snapshot, _ thresholds: Thresholds, _ symbols: Symbols, columns: Int,
        isReplay: Bool
    ) -> [Line] {
        let bindings = Keymap.bindings.filter { $0.works(inReplay: isReplay) }
        let lines =
            sources(snapshot, symbols) + unavailable(snapshot) + [Line(text: "Keys", isTitle: true)]
            + bindings.map { Line(key: $0.keyText, text: $0.title, style: Style(.key)) }
            + legend(symbols, thresholds)
            + Screen.allCases.flatMap { screen in
                screen.rowType.map { columnLines($0, screen, snapshot) } ?? []
            }
        return lines.flatMap { wrapped($0, columns: columns) }
    }

    /// The places the numbers come from: how each is doing, and what to do where it is not well.
    private static func sources(_ snapshot: Snapshot, _ symbols: Symbols) -> [Line] {
        guard !snapshot.sources.isEmpty else { return [] }
        return [Line(text: "Sources", isTitle: true)]
            + snapshot.sources.map { source in
                func time(_ nanoseconds: Nanoseconds) -> String {
                    NumberText.duration(Double(nanoseconds) / 1000, micro: symbols.micro)
                }
                let parts = [
                    source.state.rawValue, source.age.map { "age " + time($0) },
                    source.roundTrip.map { "answers in " + time($0) },
                    source.interval.flatMap { NumberText.figures($0, decimals: 1) }
                        .map { "every " + $0 + "s" },
                ].compactMap(\.self)
                return Line(
                    key: (source.vm.map { $0 + ": " } ?? "") + source.name,
                    text: parts.joined(separator: ", ") + (source.detail.map { "; " + $0 } ?? ""),
                    style: Style(source.state == .ok ? .ok : .warning))
            } + [Line()]
    }

    /// First, as it says what to mistrust on the other screens.
    private static func unavailable(_ snapshot: Snapshot) -> [Line] {
        guard !snapshot.unavailable.isEmpty else { return [] }
        let style = Style(.warning)
        return [Line(text: "Not available", isTitle: true)]
            + snapshot.unavailable.map { metric in
                let remedy = metric.remedy.map { "; to do: " + $0 } ?? ""
                return Line(key: metric.metric, text: metric.reason + remedy, style: style)
            } + [Line()]
    }

    private static func legend(_ symbols: Symbols, _ thresholds: Thresholds) -> [Line] {
        func levels(_ gauge: Gauge) -> Line {
            guard let levels = thresholds[gauge] else { return Line() }
            let values = [levels.advice, levels.warning, levels.critical].map {
                NumberText.compact($0)
            }
            return Line(
                key: gauge.rawValue,
                text: ". from " + values[0] + ", ! from " + values[1] + ", # from " + values[2])
        }
        let severities = zip(Severity.allCases, ["normal", "advice", "warning", "critical"]).map {
            Line(key: "\"" + String($0.0.mark) + "\"", text: $0.1, style: Style($0.0.role))
        }
        let stages = StageTimes.Stage.allCases.map {
            Line(key: String($0.letter), text: $0.title, style: Style($0.graphRole))
        }
        return [Line(), Line(text: "Colours and symbols", isTitle: true)] + severities
            + Gauge.allCases.map(levels) + stages + [
                Line(key: symbols.notYet, text: "not yet: rates need two samples"),
                Line(key: "-", text: "not known"),
            ]
    }

    private static func columnLines<Row: TableRow>(
        _ type: Row.Type, _ screen: Screen, _ snapshot: Snapshot
    ) -> [Line] {
        [Line(), Line(text: "Columns: " + screen.title, isTitle: true)]
            + Row.helpColumns(of: snapshot).map { column in
                let other = column.esxtopWord ?? column.heading
                let words = other.map { column.word + " " + $0 } ?? column.word
                let unit = column.unit.map { " [" + $0.name + "]" } ?? ""
                return Line(
                    key: words, text: column.meaning + unit + "; from: " + column.source,
                    style: Style(.label))
            }
    }

    static let keyWidth = 22

    /// A long text goes on in the next line, under its own beginning.
    private static func wrapped(_ line: Line, columns: Int) -> [Line] {
        let room = columns - indent(columns) - 1
        guard room >= 8, line.text.cellWidth > room else { return [line] }
        var result: [Line] = []
        var rest = line
        rest.text = ""
        for word in line.text.split(separator: " ") {
            if !rest.text.isEmpty, rest.text.cellWidth + 1 + word.cellWidth > room {
                result.append(rest)
                rest = Line()
            }
            rest.text += (rest.text.isEmpty ? "" : " ") + word
        }
        return result + [rest]
    }

    /// Where the texts begin.
    static func indent(_ columns: Int) -> Int { columns >= 60 ? keyWidth : columns / 3 }
}

extension Painter {
    mutating func drawHelp() {
        let lines = HelpText.lines(
            snapshot, options.thresholds, symbols, columns: columns,
            isReplay: state.replay != nil)
        let top = max(0, min(state.helpTop, lines.count - layout.table.count))
        let indent = HelpText.indent(columns)
        for (row, line) in zip(layout.table, lines.dropFirst(top)) {
            if line.isTitle {
                putCut(
                    line.text, row: row, column: 0, width: columns, style: Style(.title, bold: true)
                )
            } else {
                putCut(line.key, row: row, column: 1, width: indent - 2, style: line.style)
                putCut(line.text, row: row, column: indent, width: columns - indent)
            }
        }
    }
}
