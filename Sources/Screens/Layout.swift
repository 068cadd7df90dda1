internal import Grid
internal import Telemetry

/// Which lines of a screen hold what. A low screen sheds its meters first, then the footer, the
/// field and the totals; the table comes last.
struct Layout {
    var status: Int?
    var meters: Int?
    var totals: Int?
    var field: Range<Int> = 0..<0
    var header: Int?
    /// The table's rows, or the body of a screen without a table.
    var table: Range<Int> = 0..<0
    /// Sums that stay below the table.
    var pinned: Range<Int> = 0..<0
    /// The timeline of a recording, in one line.
    var strip: Int?
    var footer: Int?

    init(_ size: Size, _ state: ViewState, _ snapshot: Snapshot) {
        var line = 0
        func next() -> Int {
            line += 1
            return line - 1
        }
        let (rows, screen) = (size.rows, state.screen)
        if rows >= 4 { status = next() }
        if rows >= 24, screen != .help { meters = next() }
        if rows >= 8, screen != .help { totals = next() }
        if rows >= 14, screen == .luns {
            let lines = LUNField.lineCount(
                snapshot.luns.count, columns: size.columns, limit: rows / 5)
            field = line..<(line + lines)
            line = field.upperBound
        }
        if rows >= 3, screen.hasRows { header = next() }
        var end = rows
        let mustTell = state.prompt != nil || state.message != nil
        if rows >= 16 || (mustTell && rows >= 2) {
            end -= 1
            footer = end
        }
        if state.replay != nil, rows >= 24, screen != .timeline {
            end -= 1
            strip = end
        }
        let sums = Self.pinnedCount(rows, screen, snapshot)
        pinned = max(line, end - sums)..<max(line, end)
        table = line..<pinned.lowerBound
    }

    private static func pinnedCount(_ rows: Int, _ screen: Screen, _ snapshot: Snapshot) -> Int {
        switch screen {
        case .luns: rows >= 6 ? 1 : 0
        case .heat: rows >= 9 ? 2 : rows >= 6 ? 1 : 0
        case .stalls: rows >= 9 && !snapshot.inFlight.isEmpty ? 1 : 0
        case .threads: rows >= 20 ? Set(snapshot.threads.map(\.role)).count : 0
        case .contention: contentionCount(rows, snapshot)
        case .flags: rows >= 30 && !FlagRow.rows(of: snapshot).isEmpty ? rows / 2 : 0
        default: 0
        }
    }

    /// Lines below the locks: a title, and the threads that waited, as many as a third holds.
    private static func contentionCount(_ rows: Int, _ snapshot: Snapshot) -> Int {
        let waiting = snapshot.threads.count { ($0.lockWaits ?? 0) > 0 }
        return rows < 14 || waiting == 0 ? 0 : 1 + min(waiting, max(3, rows / 3))
    }

    /// Columns of the pane beside the table of LUNs, 0 where there is no room.
    static func paneWidth(_ size: Size, _ screen: Screen) -> Int {
        screen == .luns && size.columns >= 180 && size.rows >= 16 ? min(48, size.columns - 162) : 0
    }

    /// Columns of the table.
    static func tableWidth(_ size: Size, _ screen: Screen) -> Int {
        size.columns - paneWidth(size, screen)
    }
}
