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

    var luns = TableState(sortWord: "p99")
    var threads = TableState(sortWord: "CPU%")
    var queues = TableState(sortWord: "inflt")
    var hidesIdle = false
    var nameForm: NameForm = .id
    var tagged: Set<String> = []
    var lockedLUN: String?
    var latencyScope: LatencyScope = .selected
    var helpTop = 0
    /// The screen that help goes back to.
    var screenBeforeHelp: Screen = .luns
    var prompt: Prompt?
    var lastFind = ""
    /// Told in the last line until the next key.
    var message: String?

    /// The state at start: the LUNs by p99, all of them, sampled every `interval` seconds.
    public init(interval: Double = 1) {
        self.interval = min(max(interval, 0.1), 3600)
    }

    /// How a LUN is called.
    enum NameForm: Sendable, CaseIterable { case id, node, file }

    /// Which LUNs the latency screen adds up.
    enum LatencyScope: Sendable, CaseIterable { case selected, tagged, all }

    /// Takes in the sample `history` shows now: call it after every new sample.
    public mutating func observe(_ history: SnapshotHistory) {
        if let snapshot = history.shown { observe(snapshot) }
    }

    mutating func observe(_ snapshot: Snapshot) {
        switch screen {
        case .luns:
            luns.observe(
                snapshot.luns, of: snapshot, hidesIdle: hidesIdle, lockedTo: lockedLUN)
        case .latency:
            // What one looks at must not change because the order does.
            let follows = luns.follows
            luns.follows = true
            luns.observe(
                snapshot.luns, of: snapshot, hidesIdle: hidesIdle, lockedTo: lockedLUN)
            luns.follows = follows
        case .threads:
            threads.observe(
                snapshot.threads, of: snapshot, hidesIdle: hidesIdle, lockedTo: lockedLUN)
        case .queues:
            queues.observe(
                QueueRow.rows(of: snapshot), of: snapshot, hidesIdle: hidesIdle,
                lockedTo: lockedLUN)
        case .help: break
        }
    }

    /// The table of the screen shown; that of the LUNs on screens that are no table.
    var table: TableState {
        get {
            switch screen {
            case .threads: threads
            case .queues: queues
            default: luns
            }
        }
        set {
            switch screen {
            case .threads: threads = newValue
            case .queues: queues = newValue
            default: luns = newValue
            }
        }
    }

    /// Whether the state has taken in `snapshot`.
    func hasObserved(_ snapshot: Snapshot) -> Bool {
        screen == .help || table.sample == SampleID(snapshot)
    }

    /// How a LUN is called in the form chosen; its id where it has no such name.
    func name(of lun: LUN) -> String {
        switch nameForm {
        case .id: lun.id
        case .node: lun.node ?? lun.id
        case .file: lun.file?.split(separator: "/").last.map(String.init) ?? lun.id
        }
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
    /// End the program.
    case quit
}
