import ArgumentParser
import FoundationEssentials
import Kernel
import Recording
import SystemPackage
import Telemetry

/// `vblktop replay FILE`: the screens, on a recording.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Show a recording on the screens of a live VM, or print it (--batch, --json).",
        discussion: """
            Several files are shown as one, in the order of their times; - is standard input. A \
            file that is still being written is followed. Keys: Space pauses, [ ] step, { } change \
            the speed, b jumps to a time, e E go to events, m marks, D compares, 0 is the timeline.
            """)

    @Argument(help: "The recording's files.")
    var files: [String]

    @OptionGroup(title: "Output") var output: OutputOptions

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("give the recording's files") }
    }

    func run() throws {
        Process.ignoreWriteSignals()
        do {
            try replay(files, output)
        } catch let code as ExitCode {
            throw code
        } catch {
            throw Failure(error)
        }
    }
}

/// Shows or prints the recording in `files`.
func replay(_ files: [String], _ output: OutputOptions) throws {
    if let format = output.batchFormat {
        try printRecording(files, format, output)
    } else {
        try replayOnScreen(files, output)
    }
}

/// Prints the samples of a recording, all at once.
private func printRecording(
    _ files: [String], _ format: BatchFormat, _ output: OutputOptions
) throws {
    let recording = try RecordedSession(paths: files)
    var left = output.iterations ?? .max
    var isFirst = true
    for index in 0..<recording.sampleCount where left > 0 {
        guard let sample = try recording.sample(index) else { continue }
        do {
            try FileDescriptor.standardOutput.writeAll(
                try format.text(of: sample, isFirst: isFirst).utf8)
        } catch Errno.brokenPipe {
            return
        }
        isFirst = false
        left -= 1
    }
    for line in recording.damage { printError(line) }
}
