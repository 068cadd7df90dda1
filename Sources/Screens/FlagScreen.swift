internal import Grid
internal import Telemetry

/// The page of one flag, line by line.
enum FlagPage {
    struct Line {
        var label = ""
        var text: String
        var style = Style.normal
    }
    static let labelWidth = 10

    /// Everything known of `row`; a line says so where it is gone.
    static func lines(_ row: FlagRow?, columns: Int) -> [Line] {
        guard let row else { return [Line(text: "this flag is no more", style: Style(.muted))] }
        let finding = row.finding
        var lines = [
            Line(
                label: finding.cleared == nil ? finding.severity.rawValue : "cleared",
                text: finding.title, style: Style(.title, bold: true)),
            Line(label: "about", text: finding.scope + "  (" + finding.rule + ")"),
            Line(label: "when", text: times(row)),
        ]
        if let cause = finding.cause { lines.append(Line(label: "because", text: "of " + cause)) }
        let parts: [(String, String?)] = [
            ("seen", finding.evidence), ("read from", finding.sources.joined(separator: ", ")),
            ("effect", finding.effect), ("QEMU", finding.remedy.qemu),
            ("libvirt", finding.remedy.libvirt), ("live", finding.remedy.live),
            ("verify", finding.remedy.verify),
        ]
        for (label, text) in parts {
            guard let text, !text.isEmpty else { continue }
            let isFix = ["QEMU", "libvirt", "live"].contains(label)
            lines.append(Line(text: ""))
            lines.append(Line(label: label, text: text, style: isFix ? Style(.key) : .normal))
        }
        return lines.flatMap { folded($0, columns: columns) }
    }

    static func lineCount(_ row: FlagRow?, columns: Int) -> Int {
        lines(row, columns: columns).count
    }

    private static func folded(_ line: Line, columns: Int) -> [Line] {
        let pieces = Telemetry.folded(line.text, to: max(10, columns - labelWidth - 2))
        return pieces.enumerated().map { index, piece in
            Line(label: index == 0 ? line.label : "", text: piece, style: line.style)
        }
    }

    private static func times(_ row: FlagRow) -> String {
        func ago(_ time: Nanoseconds) -> String {
            NumberText.clock(Double(row.now - min(time, row.now)) / 1e9) + " ago"
        }
        let begin = row.finding.since.map { "appeared " + ago($0) } ?? "stands"
        return begin + (row.finding.cleared.map { ", cleared " + ago($0) } ?? "")
    }
}

extension Painter {
    /// The flags, and below them the page of the selected one where there is room.
    mutating func drawFlags() {
        let rows = FlagRow.rows(of: snapshot)
        guard !rows.isEmpty else {
            let text = "nothing is flagged; vblktop doctor says what could not be checked"
            guard let line = layout.table.first else { return }
            return _ = putCut(text, row: line, column: 1, width: columns - 1, style: Style(.muted))
        }
        drawTable(rows, plan: plan(rows))
        guard let rule = layout.pinned.first else { return }
        grid.fill(
            Rectangle(row: rule, column: 0, rows: 1, columns: columns), symbols.line,
            style: Style(.muted))
        let selected = rows.first { $0.key == state.table.selectedKey }
        draw(FlagPage.lines(selected, columns: columns), in: layout.pinned.dropFirst())
    }

    /// The page of the flag that was opened.
    mutating func drawFinding() {
        let lines = FlagPage.lines(state.openFlag(snapshot), columns: columns)
        let top = max(0, min(state.findingTop, lines.count - layout.table.count))
        draw(Array(lines.dropFirst(top)), in: layout.table)
    }

    private mutating func draw(_ lines: [FlagPage.Line], in rows: Range<Int>) {
        for (row, line) in zip(rows, lines) {
            grid.put(line.label, row: row, column: 1, style: Style(.label))
            putCut(
                line.text, row: row, column: FlagPage.labelWidth + 1,
                width: columns - FlagPage.labelWidth - 1, style: line.style)
        }
    }
}
