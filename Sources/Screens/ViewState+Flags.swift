internal import Telemetry

/// Opening flags, and copying their fixes.
extension ViewState {
    /// The flag that was opened; one that cleared since then is still found.
    func openFlag(_ snapshot: Snapshot) -> FlagRow? {
        guard let findingKey else { return nil }
        let rows = FlagRow.rows(of: snapshot)
        return rows.first { $0.key == findingKey }
            ?? rows.last { $0.key.hasPrefix(findingKey + " ") }
    }

    mutating func openSelectedFlag() {
        guard let key = table.selectedKey else { return }
        open(key)
    }

    /// The first flag of a LUN in the doctor's order is its worst.
    mutating func openFlagOfSelectedLUN(_ history: SnapshotHistory) {
        guard let id = luns.selectedKey, let snapshot = history.shown else { return }
        guard let row = FlagRow.rows(of: snapshot).first(where: { $0.lunIDs == [id] }) else {
            message = "nothing is flagged on " + id
            return
        }
        open(row.key)
    }

    private mutating func open(_ key: String) {
        screenBeforeFinding = screen
        findingKey = key
        findingTop = 0
        screen = .finding
    }

    mutating func copyFix(_ history: SnapshotHistory) -> ViewAction {
        guard let snapshot = history.shown else { return .none }
        let row =
            screen == .finding
            ? openFlag(snapshot)
            : FlagRow.rows(of: snapshot).first { $0.key == table.selectedKey }
        guard let row else { return .none }
        guard !row.finding.fix.isEmpty else {
            message = "there is no fix to copy"
            return .redraw
        }
        message = "copied: " + row.finding.fix
        return .copy(row.finding.fix)
    }
}
