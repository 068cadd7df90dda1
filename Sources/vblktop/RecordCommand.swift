import ArgumentParser
import Doctor
import Kernel
import Recording
import Telemetry
import Terminal

/// `vblktop record`: what a source gives goes into a file, without a screen.
struct RecordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Record samples, and single requests with --events, into a file.",
        discussion: """
            The file is read while it grows (`vblktop replay FILE`), survives a crash of whatever \
            wrote it, and is never written over. A signal ends the recording and completes the file.
            """)

    @OptionGroup(title: "The VM") var attach: AttachOptions
    @Flag(help: "Record the embedded data-plane engine.") var demo = false
    @OptionGroup(title: "Demo") var demoOptions: DemoOptions

    @Option(
        name: .shortAndLong, help: "The file, which must not be there yet; - is standard output.")
    var output: String?

    @Option(name: [.customShort("d"), .long], help: "Seconds between samples, 0.1…3600.")
    var interval = 1.0

    @Option(name: [.customShort("n"), .long], help: "Stop after so many samples.")
    var iterations: Int?

    @Option(help: "Stop after so many seconds.")
    var duration: Double?

    @OptionGroup(title: "Configuration") var configuration: ConfigurationOptions
    @OptionGroup(title: "Recording") var record: RecordOptions
    @OptionGroup(title: "Flight recorder") var flight: FlightOptions

    func validate() throws {
        guard demo != attach.isGiven else {
            throw ValidationError("say what to record: --qmp, --pid, or --demo")
        }
        guard interval >= 0.1, interval <= 3600 else {
            throw ValidationError("--interval must be 0.1…3600 seconds")
        }
        if let iterations, iterations < 1 {
            throw ValidationError("--iterations must be at least 1")
        }
        if let duration, !(duration > 0 && duration <= 1e9) {
            throw ValidationError("--duration must be more than 0, at most 1e9 seconds")
        }
        guard !demo || (record.kernelEvents ?? 0) == 0 else {
            throw ValidationError("--kernel-events is of a VM: --demo has none")
        }
        guard output != nil || !flight.trigger.isEmpty || flight.flightDir != nil else {
            throw ValidationError(
                "say where to record: -o FILE, or --trigger or --flight-dir for the flight recorder"
            )
        }
    }

    func run() throws {
        Process.raiseOpenFileLimit()
        Process.ignoreWriteSignals()
        do {
            var choice = SourceChoice(
                demo ? .demo(demoOptions.configuration) : .attach(try attach.configuration()))
            choice.silences = try configuration.preferences().silences
            try runRecording(choice)
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error)
        }
    }

    /// Takes samples at steady times until the count, the time or a signal ends it. A signal that
    /// ends it is what it was asked for: the file is complete, and the exit code tells the signal.
    private func runRecording(_ choice: SourceChoice) throws {
        let signals = try SignalDescriptor(ScreenLoop.signals)
        var source = try choice.open(ownThreads: [PThread.currentID], interval: interval)
        var leftovers: [String] = []
        defer { for line in leftovers { printError(line) } }
        // The first reading has no rates, and is not recorded.
        let identity = source.sample().source
        let recorder = try RecordingSetup(record, flight, interval: interval)
            .recorder(of: source, identity)
        if let output, let failure = recorder.start(path: output) {
            recorder.finish()
            leftovers = source.finish()
            throw Failure(failure)
        }
        if output != nil, let seconds = record.kernelEventSeconds {
            source.traceKernelEvents(seconds: seconds)
        }
        let signal = take(samplesOf: &source, into: recorder, signals)
        recorder.take(source.takeKernelEvents(ends: true))
        recorder.finish()
        leftovers = source.finish()
        tell(recorder.status)
        let status = recorder.status
        if let failure = status.failure ?? (output == nil ? status.flightFailure : nil) {
            throw Failure(failure)
        }
        if let signal { throw ExitCode(128 + signal) }
    }

    private func take(
        samplesOf source: inout any SampleSource, into recorder: Recorder,
        _ signals: borrowing SignalDescriptor
    ) -> Int32? {
        let step = Nanoseconds((interval * 1e9).rounded())
        let start = Clock.monotonic()
        let end = duration.map { start &+ Nanoseconds($0 * 1e9) }
        var (deadline, left) = (start, iterations)
        while left != 0, recorder.status.failure == nil {
            deadline = beat(after: deadline, interval: step, now: Clock.monotonic())
            if let end, deadline > end { break }
            if let signal = rest(source: &source, until: deadline, signals) { return signal }
            recorder.take(source.sample())
            recorder.take(source.takeKernelEvents(ends: false))
            left = left.map { $0 - 1 }
        }
        return nil
    }
}
