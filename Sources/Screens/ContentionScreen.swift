internal import Grid
internal import Telemetry

extension Painter {
    /// The locks, and below them the threads that waited most.
    mutating func drawContention() {
        drawTable(of: LockActivity.self)
        guard let title = layout.pinned.first else { return }
        let waiting = snapshot.threads
            .filter { ($0.lockWaits ?? 0) > 0 && state.lock?.keeps($0) ?? true }
            .sorted { Self.hasWaitedMore($0, $1) }
        let words: Set = ["tid", "THREAD", "VM", "role", "lock%", "lock/s", "CPU%", "LUNs"]
        let wanted = ThreadActivity.columns(of: snapshot).filter { words.contains($0.word) }
        let longest = waiting.reduce(0) { max($0, $1.name.utf8.count) }
        let plan = ColumnPlan(wanted, width: columns, nameWidth: longest)
        drawHeadings(plan, line: title, sortedBy: "lock%")
        for (line, thread) in zip(layout.pinned.dropFirst(), waiting) {
            let severity = options.thresholds.severity(thread.lockWaitPercent, of: .lockWait)
            grid.put(
                String(severity.mark), row: line, column: 1,
                style: Style(severity.role, bold: severity == .critical))
            drawCells(thread, plan, line: line, name: thread.name)
        }
    }

    private static func hasWaitedMore(_ left: ThreadActivity, _ right: ThreadActivity) -> Bool {
        let (mine, theirs) = (left.lockWaitPercent ?? 0, right.lockWaitPercent ?? 0)
        return mine == theirs ? (left.lockWaits ?? 0) > (right.lockWaits ?? 0) : mine > theirs
    }
}
