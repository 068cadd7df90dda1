internal import Telemetry

/// What the user has chosen: screen, order, selection, filters, units. A value; keys change it, and
/// a screen is drawn from it.
public struct ViewState: Sendable {
    /// The screen shown.
    public internal(set) var screen: Screen = .luns
    /// Seconds between samples as last asked for, 0.1…3600.
    public internal(set) var interval: Double
    /// Whether the user wants colours; the terminal's palette is to follow.
    public internal(set) var usesColor = true
    /// The unit of latencies in tables.
    public internal(set) var latencyUnit: LatencyUnit = .microseconds
    /// Whose words the headings use.
    public internal(set) var words: Words = .iostat

    /// The recording that is played; `nil` when live. The owner sets and updates it, keys change
    /// its speed and whether it plays.
    public var replay: ReplayState?
    /// What this program records; `nil` where it cannot. The owner sets and updates it.
    public var recorder: RecorderState?

    private var tables: [Screen: TableState] = [:]
    var hidesIdle = false
    var nameForm: NameForm = .id
    var tagged: Set<String> = []
    var lock: ViewLock?
    var latencyScope: LatencyScope = .selected
    var heatForm: HeatForm = .luns
    var helpTop = 0
    /// The screen that help goes back to.
    var screenBeforeHelp: Screen = .luns
    /// The screen that timeline and comparison go back to.
    var screenBeforeTime: Screen = .luns
    /// What was marked to be compared.
    var markA: MarkedStretch?
    var markB: MarkedStretch?
    /// `CLOCK_MONOTONIC` time of the timeline's cursor; `nil` follows the sample shown.
    var timeCursor: Nanoseconds?
    var compareTop = 0
    /// The flag opened, by `FlagRow.key`, and how far its page is scrolled.
    var findingKey: String?
    var findingTop = 0
    /// The screen that the page of a flag goes back to.
    var screenBeforeFinding: Screen = .flags
    var prompt: Prompt?
    var lastFind = ""
    /// Told in the last line until the next key.
    var message: String?

    /// The state at start: the LUNs by p99, all of them, sampled every `interval` seconds.
    public init(interval: Double = 1) {
        self.interval = min(max(interval, 0.1), 3600)
    }

    /// Which LUNs the latency screen adds up.
    enum LatencyScope: Sendable, CaseIterable { case selected, tagged, all }

    /// What the rows of the heat map are: the LUNs, or the latencies of the LUNs chosen.
    enum HeatForm: Sendable, CaseIterable { case luns, latencies }

    /// Takes in the sample `history` shows now: call it after every new sample.
    public mutating func observe(_ history: SnapshotHistory) {
        if let snapshot = history.shown(on: screen) { observe(snapshot) }
        extendMarks(history)
    }

    mutating func observe(_ snapshot: Snapshot) {
        switch screen {
        case .help: break
        case .latency:
            // What one looks at must not change because the order does.
            let follows = luns.follows
            luns.follows = true
            observe(LUN.self, of: snapshot, on: .luns)
            luns.follows = follows
        case .heat: observe(LUN.self, of: snapshot, on: .luns)
        default: if let type = screen.rowType { observe(type, of: snapshot, on: screen) }
        }
    }

    private mutating func observe<Row: TableRow>(
        _ type: Row.Type, of snapshot: Snapshot, on screen: Screen
    ) {
        self[screen].observe(
            Row.rows(of: snapshot), of: snapshot, hidesIdle: hidesIdle, lockedTo: lock)
    }

    /// The table of a screen; that of the LUNs for screens that are no table.
    private subscript(screen: Screen) -> TableState {
        get {
            let screen = screen.isTable ? screen : .luns
            return tables[screen]
                ?? TableState(
                    sortWord: screen.sortWord, fallbackWord: screen == .luns ? "lat" : nil)
        }
        set { tables[screen.isTable ? screen : .luns] = newValue }
    }

    /// The table of the screen shown.
    var table: TableState {
        get { self[screen] }
        set { self[screen] = newValue }
    }

    var luns: TableState {
        get { self[.luns] }
        set { self[.luns] = newValue }
    }

    /// Whether the state has taken in `snapshot`.
    func hasObserved(_ snapshot: Snapshot) -> Bool {
        screen == .help || table.sample == SampleID(snapshot)
    }
}

/// What the program has to do after a key; everything else happened in the state.
public enum ViewAction: Sendable, Equatable {
    /// Nothing changed.
    case none
    /// Render and paint.
    case redraw
    /// Paint every cell, also those that seem unchanged.
    case redrawAll
    /// Sample every so many seconds from now on (0.1…3600), and redraw.
    case intervalChanged(Double)
    /// Use the theme's colours, or attributes alone, and redraw.
    case colorChanged(isOn: Bool)
    /// Show another time of the recording: hand its samples to the history.
    case seek(Seek)
    /// Let the recording run at this speed from the sample shown, and redraw.
    case play(PlaySpeed)
    /// Let the recording stand still at the sample shown, and redraw.
    case pause
    /// Begin or end recording to a file.
    case record(isOn: Bool)
    /// Write the flight recorder's memory to a file.
    case dumpFlightRecorder
    /// Give this text to the terminal's clipboard, and redraw.
    case copy(String)
    /// End the program.
    case quit
}
