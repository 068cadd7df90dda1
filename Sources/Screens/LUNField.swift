internal import Grid
internal import Telemetry

/// The field: a cell per LUN in the source's order, shaded by the sorted column, so that one glance
/// finds the odd one out among a thousand. A LUN keeps its place whatever the order of the table.
enum LUNField {
    static let label = "LUN "
    /// LUNs stand in groups of this many where there is room for the gaps.
    static let group = 8

    /// Lines taken for `count` LUNs, a cell each if `limit` lines hold them: 1024 take 8 of 128.
    static func lineCount(_ count: Int, columns: Int, limit: Int) -> Int {
        let room = max(1, columns - label.utf8.count)
        let share = lunsPerCell(count, cells: room * max(1, limit))
        let cells = (count + share - 1) / share
        return max(1, (cells + room - 1) / room)
    }

    /// LUNs a cell stands for so that `cells` suffice; at least 1.
    static func lunsPerCell(_ count: Int, cells: Int) -> Int {
        max(1, (count + cells - 1) / max(1, cells))
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
        let share = LUNField.lunsPerCell(count, cells: room * lines.count)
        let cellCount = (count + share - 1) / share
        let isGrouped = lines.count == 1 && cellCount + cellCount / LUNField.group <= room
        let column = sortedColumn
        let values = snapshot.luns.indices.map { column?.value(snapshot.luns[$0]) }
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
        let note = "by " + state.luns.sortedBy
        let column = LUNField.label.utf8.count + cells + 1
        guard column + note.cellWidth <= columns else { return }
        grid.put(note, row: layout.field.lowerBound, column: column, style: Style(.muted))
    }

    /// The worst of `members`: its severity mark if the column is judged and it has one, else a
    /// shade.
    private func fieldCell(
        _ members: Range<Int>, _ values: [Double?], _ highest: Double, _ gauge: Gauge?
    ) -> (Unicode.Scalar, Style) {
        var worst = Severity.none
        var value: Double?
        var isSelected = false
        for index in members {
            if let gauge {
                let judged =
                    gauge == .depth ? snapshot.luns[index].depthPercent : values[index]
                worst = max(worst, options.thresholds.severity(judged, of: gauge))
            }
            if let candidate = values[index] { value = max(value ?? 0, candidate) }
            isSelected = isSelected || snapshot.luns[index].key == state.luns.selectedKey
        }
        if worst > .none { return (worst.mark, Style(worst.role, selected: isSelected)) }
        guard let value, value > 0 else {
            return (symbols.idle, Style(.muted, selected: isSelected))
        }
        let shade = Symbols.level(value, of: highest, in: symbols.shades)
        return (shade, Style(.graph1, selected: isSelected))
    }
}
