internal import Grid
internal import Telemetry

/// The field: a cell per LUN in the source's order, shaded by the sorted column, so that one glance
/// finds the odd one out among a thousand. A LUN keeps its place whatever the order of the table.
enum LUNField {
    static let label = "LUNs "
    /// LUNs stand in groups of this many where there is room for the gaps.
    static let group = 8

    /// Lines that hold `count` LUNs, a cell each.
    static func lineCount(_ count: Int, columns: Int) -> Int {
        let room = max(1, columns - label.utf8.count)
        return max(1, (count + room - 1) / room)
    }
}

extension Painter {
    mutating func drawField() {
        let lines = layout.field
        let room = columns - LUNField.label.utf8.count
        guard !lines.isEmpty, room > 0, !snapshot.luns.isEmpty else { return }
        grid.put(LUNField.label, row: lines.lowerBound, column: 0, style: Style(.label))
        let count = snapshot.luns.count
        // With more LUNs than cells, a cell stands for several and shows the worst.
        let share = (count + room * lines.count - 1) / (room * lines.count)
        let cellCount = (count + share - 1) / share
        let isGrouped = lines.count == 1 && cellCount + cellCount / LUNField.group <= room
        let column = LUN.column(state.luns.sortWord)
        let values = snapshot.luns.map { column?.value($0) }
        let highest = values.reduce(0) { max($0, $1 ?? 0) }
        for index in 0..<cellCount {
            let members = (index * share)..<min(count, (index + 1) * share)
            let gaps = isGrouped ? index / LUNField.group : 0
            let (row, cell) =
                isGrouped ? (0, index + gaps) : (index / room, index % room)
            let (symbol, style) = fieldCell(members, values, highest, column?.gauge)
            grid.put(
                String(symbol), row: lines.lowerBound + row,
                column: LUNField.label.utf8.count + cell, style: style)
        }
        if isGrouped { putFieldNote(after: cellCount + cellCount / LUNField.group) }
    }

    private mutating func putFieldNote(after cells: Int) {
        let note = "by " + state.luns.sortWord
        let column = LUNField.label.utf8.count + cells + 1
        guard column + note.cellWidth <= columns else { return }
        grid.put(note, row: layout.field.lowerBound, column: column, style: Style(.muted))
    }

    /// The worst of `members`: its severity mark if the column is judged and it has one, else a shade.
    private func fieldCell(
        _ members: Range<Int>, _ values: [Double?], _ highest: Double, _ gauge: Gauge?
    ) -> (Unicode.Scalar, Style) {
        var worst = Severity.none
        var value: Double?
        var isSelected = false
        for index in members {
            let lun = snapshot.luns[index]
            if let gauge {
                let judged = gauge == .depth ? lun.depthPercent : values[index]
                worst = max(worst, options.thresholds.severity(judged, of: gauge))
            }
            if let candidate = values[index] { value = max(value ?? 0, candidate) }
            isSelected = isSelected || lun.id == state.luns.selectedKey
        }
        if worst > .none { return (worst.mark, Style(worst.role, selected: isSelected)) }
        guard let value, value > 0 else {
            return (symbols.idle, Style(.muted, selected: isSelected))
        }
        let shade = Symbols.level(value, of: highest, in: symbols.shades)
        return (shade, Style(.graph1, selected: isSelected))
    }
}
