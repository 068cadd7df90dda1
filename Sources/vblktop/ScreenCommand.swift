import ArgumentParser
import Grid
import Kernel
import Recording
import Screens
import Telemetry
import Terminal

/// Shows the samples on the terminal until the user quits or a signal comes.
func runScreen(
    _ choice: SourceChoice, _ setup: RecordingSetup, _ output: OutputOptions
) throws {
    let theme = try loadTheme(output.theme)
    // Before any thread starts, so that all inherit the blocked signals.
    let signals = try SignalDescriptor(ScreenLoop.signals)
    let terminal = try Terminal(palette: theme.palette, colors: output.color)
    let sampler = try Sampler(interval: output.interval)
    let loop = try ScreenLoop(
        terminal: terminal, signals: signals, wake: sampler.mailbox.arrival.descriptor)
    let watcher = PThread.currentID
    let thread = try PThread(name: "sampler") {
        sampler.run(choice, setup, watcher: watcher)
    }
    var session = ScreenSession(
        terminal: terminal, theme: theme, sampler: sampler, output: output,
        redacts: setup.redacts)
    let ending = session.run(loop)
    terminal.stop()
    sampler.stop()
    thread.join()
    if let status = sampler.recorder?.status {
        tell(status)
        if let failure = status.failure { printError(failure) }
    }
    for line in sampler.leftovers.withLock({ $0 }) { printError(line) }
    try ending.finish()
}

/// The owner of screen, history and view state: turns events into frames.
struct ScreenSession {
    /// Why the screen went away.
    enum Ending {
        case quit
        case failed(String)
        case signal(Int32)

        /// Throws what the program is to exit with, unless the user quit.
        func finish() throws {
            switch self {
            case .quit: return
            case .failed(let reason): throw Failure(reason)
            case .signal(let number): throw ExitCode(128 + number)
            }
        }
    }

    private let terminal: Terminal
    private let theme: Theme
    private let sampler: Sampler
    private let options: DisplayOptions
    private let colors: ColorMode
    /// Whether a recording's name, too, says nothing of what is recorded.
    private let redacts: Bool
    private var remaining: Int?
    private var history = SnapshotHistory()
    private var state: ViewState

    init(
        terminal: Terminal, theme: Theme, sampler: Sampler, output: OutputOptions, redacts: Bool
    ) {
        self.redacts = redacts
        self.terminal = terminal
        self.theme = theme
        self.sampler = sampler
        colors = output.color
        options = DisplayOptions(
            symbols: terminal.showsUnicode ? .unicode : .ascii, thresholds: theme.thresholds)
        remaining = output.iterations
        state = ViewState(interval: output.interval)
    }

    /// Handles events until one ends the program.
    mutating func run(_ loop: consuming ScreenLoop) -> Ending {
        paint()
        while let event = loop.next() {
            switch event {
            case .wake:
                if let ending = takeReport() { return ending }
            case .keys(let keys):
                for key in keys where press(key) { return .quit }
            // What a terminal keeps of the old frame when it changes its size is its own affair.
            case .resized: terminal.redraw()
            case .suspend: terminal.suspend()
            case .continued: terminal.resume()
            case .terminate(let signal): return .signal(signal)
            case .tick: break
            }
            paint()
        }
        return .quit
    }

    private mutating func paint() {
        state.recorder = sampler.recorder.map { RecorderState($0.status) }
        var options = options
        options.now = Clock.monotonic()
        terminal.paint(render(history, state, size: terminal.size, options: options))
    }

    private mutating func takeReport() -> Ending? {
        switch sampler.mailbox.take() {
        case .failed(let reason): return .failed(reason)
        case .sample(let snapshot):
            history.append(snapshot)
            state.observe(history)
            // The first reading has no rates and does not count.
            if snapshot.interval != nil, let left = remaining {
                remaining = left - 1
                if left <= 1 { return .quit }
            }
        case nil: break
        }
        return nil
    }

    /// Does what a key asks for; true if it is to quit.
    private mutating func press(_ key: Key) -> Bool {
        switch state.handle(key, history: &history, size: terminal.size) {
        case .none, .redraw: break
        case .redrawAll: terminal.redraw()
        case .intervalChanged(let seconds): sampler.change(interval: seconds)
        case .colorChanged(let isOn):
            terminal.use(theme.palette, colors: isOn ? colors : .never)
        case .record(let isOn):
            sampler.record(isOn ? .start(path: recordingName) : .stop)
        case .dumpFlightRecorder: sampler.recorder?.order(.dump("asked for by key B"))
        case .copy(let text): terminal.copy(base64: base64(text))
        // Only a recording is played.
        case .seek, .play, .pause: break
        case .quit: return true
        }
        sampler.enableTracepoints(state.screen.wantsTracepoints)
        return false
    }
}

extension ScreenSession {
    /// A file for a recording that begins now, in the folder the program was started in.
    private var recordingName: String {
        let name = redacts ? "vm" : history.latest?.source.name ?? "vm"
        return RecordingFiles.name("vblktop", of: name, wallClock: Clock.wall())
    }
}

extension RecorderState {
    /// What `status` means on the screen.
    init(_ status: RecordingStatus) {
        self.init()
        if let failure = status.failure {
            file = .failed(reason: failure)
        } else if let own = status.own {
            file = .on(bytes: own.byteCount)
        }
        if let failure = status.flightFailure {
            flightRecorder = .fired(reason: "failed: " + failure)
        } else if let flight = status.flight {
            flightRecorder = .fired(reason: flight.reason ?? "")
        } else {
            flightRecorder = .armed(seconds: Double(PipelineSettings().before) / 1e9)
        }
    }
}

extension Failure {
    init(_ reason: String) { description = reason }
}
