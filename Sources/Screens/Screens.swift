// The views: `(Snapshot, view state, size) → Grid` and `(view state, key) → view state`; key map;
// themes. A pure room: no clock, no terminal.

public import Grid
public import Telemetry

/// What drawing depends on besides the samples and the user's choices.
public struct DisplayOptions: Sendable {
    /// Blocks or ASCII, as the terminal's locale allows.
    public var symbols: Symbols
    /// From which values on something is conspicuous; a theme can say.
    public var thresholds: Thresholds
    /// `CLOCK_MONOTONIC` nanoseconds now, from which the age of the newest sample is told when it
    /// is overdue; `nil` does not tell it.
    public var now: Nanoseconds?

    /// Options of a UTF-8 terminal unless said otherwise.
    public init(
        symbols: Symbols = .unicode, thresholds: Thresholds = Thresholds(), now: Nanoseconds? = nil
    ) {
        self.symbols = symbols
        self.thresholds = thresholds
        self.now = now
    }
}

/// The screen of `state` for the sample `history` shows, as a grid of `size`.
///
/// Pure and total: any state, any samples and any size from 0x0 give a grid. Costs well under a
/// millisecond for 56 LUNs at 200x50, as only what is seen is formatted.
public func render(
    _ history: SnapshotHistory, _ state: ViewState, size: Size,
    options: DisplayOptions = DisplayOptions()
) -> Grid {
    guard size.columns > 0, size.rows > 0 else { return Grid(size: size) }
    guard let snapshot = history.shown(on: state.screen) else {
        var grid = Grid(size: size)
        grid.put("vblktop: waiting for the first sample", row: 0, column: 0, style: Style(.muted))
        return grid
    }
    var state = state
    if !state.hasObserved(snapshot) { state.observe(snapshot) }
    var painter = Painter(
        snapshot: snapshot, history: history, state: state, size: size, options: options)
    painter.drawStatus()
    painter.drawMeters()
    painter.drawTotals()
    switch state.screen {
    case .luns: painter.drawLUNs()
    case .threads: painter.drawThreads()
    case .contention: painter.drawContention()
    case .latency: painter.drawLatency()
    case .heat: painter.drawHeat()
    case .slowest: painter.drawSlowest()
    case .stalls: painter.drawStalls()
    case .timeline: painter.drawTimeline()
    case .compare: painter.drawComparison()
    case .help: painter.drawHelp()
    case .vms: painter.drawTable(of: VMRow.self)
    case .queues: painter.drawTable(of: QueueRow.self)
    case .interrupts: painter.drawTable(of: EventCount.self)
    case .disks: painter.drawTable(of: HostDisk.self)
    case .flags: painter.drawFlags()
    case .finding: painter.drawFinding()
    }
    painter.drawStrip()
    painter.drawFooter()
    return painter.grid
}
