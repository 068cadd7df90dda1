internal import Telemetry

/// What the `=` key says: where a number comes from, in the place where one sees it.
extension ViewState {
    /// Tells of the column sorted by what it is in the selected row, what it means, and its source.
    mutating func explain(_ history: SnapshotHistory) {
        guard let snapshot = history.shown(on: screen) else { return }
        message = explanation(screen.tableType, snapshot)
    }

    private func explanation<Row: TableRow>(_ type: Row.Type, _ snapshot: Snapshot) -> String? {
        guard let column = column(table.sortedBy, in: Row.columns(of: snapshot)) else {
            return nil
        }
        let row = Row.rows(of: snapshot).first { $0.key == table.selectedKey }
        let value = row.flatMap { shown(column, $0) }.map { " " + $0 } ?? ""
        return column.word + value + ": " + column.meaning + "; from " + column.source
    }

    private func shown<Row: TableRow>(_ column: Column<Row>, _ row: Row) -> String? {
        guard let unit = column.unit else { return column.text(row) }
        guard let value = column.value(row), value.isFinite else { return nil }
        let text = unit.text(value, width: 12, latency: latencyUnit, micro: "u")
        switch unit {
        case .latency where latencyUnit == .automatic: return text
        case .latency: return text + (latencyUnit == .microseconds ? "us" : "ms")
        case .count, .mean, .ratio: return text
        case .percent: return text + "%"
        default: return text + " " + unit.name
        }
    }
}
