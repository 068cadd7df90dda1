import ArgumentParser
import Grid
import Kernel
import Recording
import Screens
import Telemetry
import Terminal

/// Shows a recording on the terminal until the user quits or a signal comes.
func replayOnScreen(_ paths: [String], _ output: OutputOptions) throws {
    let theme = try loadTheme(output.theme)
    let recording = try RecordedSession(paths: paths)
    guard recording.sampleCount > 0 || !recording.isClosed else {
        throw Failure(
            "\(paths.joined(separator: ", ")): there are no samples in it, only "
                + "\(recording.requestCount) requests; see `vblktop report`")
    }
    let signals = try SignalDescriptor(ScreenLoop.signals)
    let terminal = try Terminal(palette: theme.palette, colors: output.color)
    let loop = try ScreenLoop(terminal: terminal, signals: signals, wake: -1)
    var session = ReplaySession(
        terminal: terminal, theme: theme, recording: recording, paths: paths, output: output)
    let ending = session.run(loop)
    terminal.stop()
    for line in recording.damage { printError(line) }
    try ending.finish()
}

/// The owner of the screen while a recording is shown: loads the samples that are asked for, and
/// lets recorded time pass.
struct ReplaySession {
    private let terminal: Terminal
    private let theme: Theme
    private let recording: RecordedSession
    private let colors: ColorMode
    private let options: DisplayOptions
    private var history = SnapshotHistory()
    private var state: ViewState
    private var clock = PlayClock()
    private var overview: OverviewBuilder
    /// Index of the sample shown.
    private var shown = 0
    private var refreshed: Nanoseconds = 0
    private var gapToldUntil: Nanoseconds = 0
    /// Samples loaded before and after the one that is jumped to: what sparklines and steps need.
    private static let (before, after) = (40, 2)
    private static let refreshInterval: Nanoseconds = 500_000_000

    init(
        terminal: Terminal, theme: Theme, recording: RecordedSession, paths: [String],
        output: OutputOptions
    ) {
        self.terminal = terminal
        self.theme = theme
        self.recording = recording
        colors = output.color
        var options = DisplayOptions(
            symbols: terminal.showsUnicode ? .unicode : .ascii, thresholds: theme.thresholds)
        options.now = nil
        self.options = options
        state = ViewState(interval: Double(recording.usualInterval(around: 0)) / 1e9)
        overview = OverviewBuilder(recording)
        state.replay = ReplayState(name: Self.name(paths), first: .zero, last: .zero)
    }

    private static func name(_ paths: [String]) -> String {
        let first = paths.first.map { $0 == "-" ? "standard input" : $0 } ?? ""
        let name = first.split(separator: "/").last.map(String.init) ?? first
        return paths.count > 1 ? "\(name) +\(paths.count - 1)" : name
    }

    /// Handles events until one ends the program.
    mutating func run(_ loop: consuming ScreenLoop) -> ScreenSession.Ending {
        do {
            try describe()
            try go(to: 0)
            play(.normal)
            while true {
                paint()
                try loop.tick(every: try pass())
                guard let event = loop.next() else { return .quit }
                switch event {
                case .keys(let keys): for key in keys where try press(key) { return .quit }
                case .resized: terminal.redraw()
                case .suspend: terminal.suspend()
                case .continued: terminal.resume()
                case .terminate(let signal): return .signal(signal)
                case .wake, .tick: break
                }
            }
        } catch {
            return .failed(String(describing: error))
        }
    }

    private func paint() {
        terminal.paint(render(history, state, size: terminal.size, options: options))
    }

    // MARK: Time

    /// Shows what is due, and returns how long to wait for what comes next; `nil`: for a key.
    private mutating func pass() throws -> Duration? {
        let now = Clock.monotonic()
        if gapToldUntil != 0, now >= gapToldUntil {
            gapToldUntil = 0
            state.replay?.skipped = nil
        }
        if !recording.isClosed, now &- refreshed >= Self.refreshInterval {
            refreshed = now
            if try recording.refresh() { try describe() }
        }
        let wait = try advance(now)
        // Where there is time, the picture of the whole is drawn in, a little at a time.
        if wait.map({ $0 >= .milliseconds(40) }) ?? true,
            try overview.step(recording, for: 20_000_000, clock: Clock.monotonic)
        {
            state.replay?.overview = overview.buckets
            return .milliseconds(30)
        }
        return wait ?? (recording.isClosed ? nil : .nanoseconds(Self.refreshInterval))
    }

    /// Lets recorded time run; how long to wait, `nil` while it stands still.
    private mutating func advance(_ now: Nanoseconds) throws -> Duration? {
        guard recording.sampleCount > 0 else { return nil }
        // So many at most before the screen is drawn and keys are looked at.
        for _ in 0..<64 {
            let next = shown + 1
            let step = clock.step(
                now: now, shown: recording.time(ofSample: shown),
                next: next < recording.sampleCount ? recording.time(ofSample: next) : nil,
                usual: recording.usualInterval(around: shown))
            switch step {
            case .show: try showNext()
            case .skip(let length):
                state.replay?.skipped = length
                gapToldUntil = now &+ 3_000_000_000
                try showNext()
            case .wait(let nanoseconds):
                return .nanoseconds(Int64(clamping: min(nanoseconds, 1_000_000_000)))
            case .atEnd:
                guard recording.isClosed else { return .nanoseconds(Self.refreshInterval) }
                clock.pause()
                state.replay?.isPlaying = false
                return nil
            case .paused: return nil
            }
        }
        return .milliseconds(1)
    }

    private mutating func showNext() throws {
        shown += 1
        while history.countAfter == 0, let sample = try recording.sample(shown) {
            history.extend(after: [sample])
        }
        history.step(by: 1)
        state.observe(history)
    }

    private mutating func play(_ speed: PlaySpeed) {
        let now = Clock.monotonic()
        if clock.isPlaying {
            clock.change(to: speed, now: now)
        } else {
            clock = PlayClock(speed: speed)
            clock.play(at: history.shown?.monotonic ?? 0, now: now)
        }
        state.replay?.speed = speed
        state.replay?.isPlaying = true
    }

    // MARK: Places

    /// Shows sample `index`, with those around it at hand.
    private mutating func go(to index: Int) throws {
        guard recording.sampleCount > 0 else { return }
        shown = min(max(0, index), recording.sampleCount - 1)
        let first = max(0, shown - Self.before)
        var window = try recording.samples(first..<shown)
        let place = window.count
        window += try recording.samples(shown..<shown + 1 + Self.after)
        history.replace(window: window, showing: min(place, max(0, window.count - 1)))
        clock.seek(to: recording.time(ofSample: shown), now: Clock.monotonic())
        state.observe(history)
    }

    private mutating func seek(_ seek: Seek) throws {
        guard recording.sampleCount > 0 else { return }
        let time = recording.time(ofSample: shown)
        switch seek {
        case .start: try go(to: 0)
        case .end: try go(to: recording.sampleCount - 1)
        case .samples(let count): try go(to: shown.addingReportingOverflow(count).partialValue)
        case .time(let time): try go(to: recording.sample(atOrBefore: time) ?? 0)
        case .event(let time):
            try go(to: recording.sample(atOrAfter: time) ?? recording.sampleCount - 1)
        case .relative(let seconds):
            let distance = Nanoseconds(min(abs(seconds) * 1e9, 1e18))
            let target =
                seconds < 0
                ? time - min(time, distance) : time.addingReportingOverflow(distance).partialValue
            try go(to: recording.sample(atOrBefore: target) ?? 0)
        case .wallClock(let wall):
            try go(to: try recording.sample(atOrBeforeWall: wall) ?? 0)
        }
    }

    /// Takes what the recording says of itself into the view.
    private mutating func describe() throws {
        guard recording.sampleCount > 0,
            let first = try recording.nearestSample(from: 0, by: 1),
            let last = try recording.nearestSample(from: recording.sampleCount - 1, by: -1)
        else { return }
        var replay =
            state.replay ?? ReplayState(name: "", first: Moment(first), last: Moment(last))
        replay.first = Moment(first)
        replay.last = Moment(last)
        replay.isGrowing = !recording.isClosed
        replay.damaged = recording.damage.count
        replay.lost = recording.lostCount
        replay.marks = try recording.marks()
        // A picture of what has grown much is drawn anew.
        if recording.sampleCount > overview.count + max(10, overview.count / 20) {
            overview = OverviewBuilder(recording)
        }
        replay.gaps = recording.gaps
        if !overview.buckets.isEmpty { replay.overview = overview.buckets }
        state.replay = replay
    }

    // MARK: Keys

    /// Does what a key asks for; true if it is to quit.
    private mutating func press(_ key: Key) throws -> Bool {
        let action = state.handle(key, history: &history, size: terminal.size)
        // The history's own cursor may have moved.
        if let time = history.shown?.monotonic, recording.sampleCount > 0 {
            let index = recording.sample(atOrBefore: time) ?? 0
            if index != shown {
                shown = index
                clock.seek(to: time, now: Clock.monotonic())
            }
        }
        if let isPlaying = state.replay?.isPlaying, !isPlaying { clock.pause() }
        switch action {
        case .none, .redraw, .intervalChanged, .record, .dumpFlightRecorder: break
        case .redrawAll: terminal.redraw()
        case .copy(let text): terminal.copy(base64: base64(text))
        case .colorChanged(let isOn):
            terminal.use(theme.palette, colors: isOn ? colors : .never)
        case .seek(let target): try seek(target)
        case .play(let speed): play(speed)
        case .pause: clock.pause()
        case .quit: return true
        }
        return false
    }
}

extension Moment {
    fileprivate static let zero = Moment(monotonic: 0, wallClock: 0)
}
