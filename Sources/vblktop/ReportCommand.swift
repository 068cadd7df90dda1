import Analysis
import ArgumentParser
import FoundationEssentials
import Kernel
import Recording
import Telemetry

/// `vblktop report FILE`: what a recording says.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract:
            "Say what a recording holds: totals, LUNs, latencies, stages, order, the slowest.",
        discussion: "docs/report.md explains every figure and the JSON.")

    @Argument(help: "The recording's files; - is standard input.")
    var files: [String]

    @Flag(help: "JSON instead of text.")
    var json = false

    @OptionGroup(title: "What of it") var range: RangeOptions

    @Option(help: "Only this LUN. May be repeated.")
    var lun: [String] = []

    @Option(help: "How many of the slowest requests are listed, 0…10000.")
    var slowest = 20

    @Option(help: "Columns of the text, 80 or more.")
    var width = 100

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("give the recording's files") }
        guard (0...10_000).contains(slowest) else {
            throw ValidationError("--slowest must be 0…10000")
        }
        guard (80...1000).contains(width) else { throw ValidationError("--width must be 80…1000") }
    }

    func run() throws {
        Process.ignoreWriteSignals()
        do {
            let recording = try RecordedSession(paths: files)
            var options = Report.Options()
            (options.from, options.to) = try range.range(in: recording)
            options.luns = lun.isEmpty ? nil : Set(lun)
            options.slowest = slowest
            let result = try report(on: recording, options)
            if let wanted = lun.first, result.luns.isEmpty {
                throw Failure("\(files[0]): there is no LUN \(wanted) in it")
            }
            try printResult(json ? try jsonText(result) : result.text(width: width))
            for line in recording.damage { printError(line) }
        } catch {
            throw Failure(error)
        }
    }
}

/// Reads what `options` want of `recording`, and reports on it.
func report(on recording: RecordedSession, _ options: Report.Options) throws -> Report.Result {
    var options = options
    options.wallClockOffset = recording.wallClockOffset
    var report = Report(options)
    for index in recording.samples(from: options.from, to: options.to) {
        if let sample = try recording.sample(index) { report.add(sample) }
    }
    try recording.forEachRequests(from: options.from, to: options.to) { events, names in
        report.add(events, names: names)
    }
    try recording.forEachEvents(from: options.from, to: options.to) { report.add($0) }
    for mark in try recording.marks() { report.add(mark) }
    report.addLost(recording.lostCount)
    return report.finish()
}

/// `value` as one line of JSON.
func jsonText(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
}
