import Analysis
import ArgumentParser
import Kernel
import Recording
import Telemetry

/// `vblktop compare`: two recordings, or two stretches of one.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare two recordings, or two stretches of one: what got better, what worse.",
        discussion: """
            With one file, A and B are its first two marks (key m), or the times of --a and --b; a \
            stretch lasts --span seconds from there. docs/report.md explains the figures.
            """)

    @Argument(help: "The recording before, and the one after.")
    var files: [String]

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Where A begins, in one file.", valueName: "time"))
    var a: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Where B begins, in one file.", valueName: "time"))
    var b: String?

    @Option(help: "Seconds of each stretch in one file.")
    var span = 60.0

    @Flag(help: "JSON instead of text.")
    var json = false

    @Option(help: "Columns of the text, 80 or more.")
    var width = 100

    func validate() throws {
        guard files.count == 1 || files.count == 2 else {
            throw ValidationError("give one recording or two")
        }
        guard (a == nil) == (b == nil) else { throw ValidationError("--a and --b go together") }
        guard a == nil || files.count == 1 else {
            throw ValidationError("--a and --b are about one recording")
        }
        guard span > 0, span <= 1e9 else { throw ValidationError("--span must be 0…1e9 seconds") }
        guard (80...1000).contains(width) else { throw ValidationError("--width must be 80…1000") }
    }

    func run() throws {
        Process.ignoreWriteSignals()
        do {
            let comparison = files.count == 2 ? try compareFiles() : try compareStretches()
            try printResult(json ? try jsonText(comparison) : comparison.text(width: width))
        } catch {
            throw Failure(error)
        }
    }

    private func compareFiles() throws -> Comparison {
        let results = try files.map { file in
            try report(on: try RecordedSession(paths: [file]), Report.Options())
        }
        return Comparison(results[0], results[1])
    }

    private func compareStretches() throws -> Comparison {
        let recording = try RecordedSession(paths: files)
        let starts = try starts(in: recording)
        let results = try starts.map { start in
            var options = Report.Options()
            options.from = start
            options.to = start.addingReportingOverflow(Nanoseconds(span * 1e9)).partialValue
            return try report(on: recording, options)
        }
        return Comparison(results[0], results[1])
    }

    private func starts(in recording: RecordedSession) throws -> [Nanoseconds] {
        if let a, let b { return [try axisTime(a, in: recording), try axisTime(b, in: recording)] }
        let notes = try recording.marks().filter { $0.kind == .note }
        guard notes.count >= 2 else {
            throw Failure(
                "\(files[0]) has \(notes.count) marks, and two are needed; say where by --a and --b"
            )
        }
        return notes.prefix(2).map(\.monotonic)
    }
}
