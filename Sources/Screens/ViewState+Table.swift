internal import Grid
internal import Telemetry

/// Moving about in a table, finding in it, and ordering it.
extension ViewState {
    mutating func move(_ action: Action, history: SnapshotHistory, size: Size) {
        guard let snapshot = history.shown else { return }
        let page = max(1, Layout(size, self, snapshot).table.count)
        // Bounded by the number of lines, so that no sum can overflow.
        let far = 1_000_000
        let step =
            switch action {
            case .up: -1
            case .down: 1
            case .pageUp: -page
            case .pageDown: page
            case .halfPageUp: -max(1, page / 2)
            case .halfPageDown: max(1, page / 2)
            case .first: -far
            default: far
            }
        if screen == .help {
            let lines = HelpText.lineCount(snapshot, size, isReplay: replay != nil)
            helpTop = max(0, min(helpTop + step, lines - page))
        } else if screen == .finding {
            let lines = FlagPage.lineCount(openFlag(snapshot), columns: size.columns)
            findingTop = max(0, min(findingTop + step, lines - page))
        } else if screen == .compare {
            let count = max(markA?.luns.count ?? 0, markB?.luns.count ?? 0)
            compareTop = max(0, min(compareTop + step, count - 1))
        } else if screen != .timeline {
            table.select(table.selected + step)
        }
    }

    /// A click selects a row, the wheel moves three.
    mutating func point(
        atRow row: Int, wheel: Int, history: SnapshotHistory, size: Size
    ) -> ViewAction {
        guard let snapshot = history.shown else { return .none }
        let lines = Layout(size, self, snapshot).table
        if wheel != 0 {
            for _ in 0..<3 { move(wheel < 0 ? .up : .down, history: history, size: size) }
        } else {
            guard screen.hasRows, heatShowsLUNs, lines.contains(row) else { return .none }
            let index = table.firstRow(showing: lines.count) + row - lines.lowerBound
            guard index < table.visible.count else { return .none }
            table.select(index)
        }
        table.scroll(toShow: lines.count)
        return .redraw
    }

    /// Goes to the next row, in either direction, with the text last looked for in a name.
    mutating func find(forward: Bool, history: SnapshotHistory) {
        guard !lastFind.isEmpty, let snapshot = history.shown(on: screen) else { return }
        let found = match(screen.tableType, of: snapshot, forward: forward)
        if let found { table.select(found) } else { message = "not found: " + lastFind }
    }

    private func match<Row: TableRow>(
        _ type: Row.Type, of snapshot: Snapshot, forward: Bool
    ) -> Int? {
        let rows = Row.rows(of: snapshot)
        let wanted = lastFind.lowercased()
        let count = table.visible.count
        guard count > 0 else { return nil }
        return (1...count).lazy
            .map { ((self.table.selected + (forward ? $0 : -$0)) % count + count) % count }
            .first { index in
                let row = self.table.visible[index]
                return row < rows.count
                    && rows[row].names.contains { $0.lowercased().contains(wanted) }
            }
    }

    mutating func changeSort(_ action: Action, _ history: SnapshotHistory, size: Size) {
        switch action {
        case .sortLeft: sortByNeighbour(-1, history, size)
        case .sortRight: sortByNeighbour(1, history, size)
        case .reverse: table.isReversed.toggle()
        case .sortByIOPS: table.sortWord = "IOPS"
        case .sortByBandwidth: table.sortWord = "MiB/s"
        default: table.sortWord = "lat"
        }
    }

    /// Words of the columns that can be sorted by: those shown at this width, or all.
    func sortableWords(of snapshot: Snapshot?, shownAt size: Size?) -> [String] {
        snapshot.map { sortable(screen.tableType, $0, size) } ?? []
    }

    private func sortable<Row: TableRow>(
        _ type: Row.Type, _ snapshot: Snapshot, _ size: Size?
    ) -> [String] {
        var columns = Row.columns(of: snapshot)
        if let size {
            let width = Layout.tableWidth(size, screen)
            columns =
                ColumnPlan(columns, width: width, nameWidth: 0, blank: table.blank).columns
        }
        return columns.filter(\.isSortable).map(\.word)
    }

    private mutating func sortByNeighbour(
        _ step: Int, _ history: SnapshotHistory, _ size: Size
    ) {
        let words = sortableWords(of: history.shown, shownAt: size)
        guard !words.isEmpty else { return }
        let index = words.firstIndex(of: table.sortWord) ?? 0
        table.sortWord = words[(index + step + words.count) % words.count]
    }
}
