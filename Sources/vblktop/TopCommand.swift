import ArgumentParser
import Demo
import Doctor
import Kernel

/// `vblktop [top]`: the screen, or its numbers as text or JSON.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show VMs or the demo live: on a screen, as text (--batch), or as JSON (--json).",
        discussion: """
            Exit codes: 0 done; 1 could not do the job; 64 wrong usage; 130 interrupted.
            Press ? on the screen for keys, columns and what could not be measured.
            """)

    @Flag(help: "Run the embedded data-plane engine in this process and watch it.")
    var demo = false

    @OptionGroup(title: "Live VMs") var attach: AttachOptions
    @Option(
        help: ArgumentHelp(
            "Show this recording. May be repeated: several files as one; - is standard input.",
            valueName: "file"))
    var replay: [String] = []

    @OptionGroup(title: "Output") var output: OutputOptions
    @OptionGroup(title: "Configuration") var configuration: ConfigurationOptions
    @OptionGroup(title: "Recording (key R)") var record: RecordOptions
    @OptionGroup(title: "Flight recorder (key B)") var flight: FlightOptions
    @OptionGroup(title: "Demo") var engine: DemoOptions

    func validate() throws {
        guard demo || attach.isGiven || !replay.isEmpty else {
            throw ValidationError(
                "nothing to watch: give --qmp SOCKET, --pid PID, --demo or --replay FILE; "
                    + "`vblktop list` shows the VMs that run here")
        }
        guard !(demo && attach.isGiven) else {
            throw ValidationError("--demo has no VM to attach to: leave out --qmp and --pid")
        }
        guard replay.isEmpty || !(demo || attach.isGiven) else {
            throw ValidationError("--replay shows a recording: leave out --qmp, --pid and --demo")
        }
    }

    func run() throws {
        Process.raiseOpenFileLimit()
        Process.ignoreWriteSignals()
        do {
            guard replay.isEmpty else { return try vblktop.replay(replay, output) }
            let setup = try RecordingSetup(record, flight, interval: output.interval)
            var choice = SourceChoice(
                demo ? .demo(engine.configuration) : .attach(try attach.configuration()))
            choice.silences = try configuration.preferences().silences
            if let format = output.batchFormat {
                try runBatch(format, choice, flight.isAskedFor ? setup : nil, output)
            } else {
                try runScreen(choice, setup, output)
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error)
        }
    }
}

/// An error as the user sees it: one line on standard error, exit code 1.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ error: any Error) { description = String(describing: error) }
}
