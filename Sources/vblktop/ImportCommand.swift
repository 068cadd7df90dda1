import Analysis
public import ArgumentParser
public import Exchange
import Kernel
import Recording
import Telemetry

/// `vblktop import`: a trace of another tool becomes a recording.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a recording of another tool's trace.",
        discussion: """
            Requests become the recording's requests, and are added up to one sample a second, so \
            that every screen shows them. Files packed by gzip are unpacked. Several files are one \
            trace: the files of one blktrace run, by CPU. Lines that cannot be read are counted, \
            and the first of them named by number.

            \(TraceFormat.allCases.map { "\($0.rawValue): \($0.summary)" }.joined(separator: "\n"))
            """)

    @Argument(help: "The trace's files.")
    var files: [String]

    @Option(help: "The format. (default: told by the file's first bytes)")
    var format: TraceFormat?

    @Option(name: .shortAndLong, help: "The recording, which must not be there yet.")
    var output: String

    @Option(help: "The disk's name, where the format has none. (default: the file's name)")
    var name: String?

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("give the trace's files") }
    }

    func run() throws {
        Process.ignoreWriteSignals()
        do {
            var reading = try TraceReading(files: files, format: format, name: diskName)
            try withNewFile(output) {
                let outcome = try reading.run(into: output)
                tell(outcome.report.faults)
                guard outcome.requests > 0 else {
                    throw Failure("\(files[0]): there are no requests in it")
                }
                tell(outcome)
            }
        } catch {
            throw Failure(error)
        }
    }

    private var diskName: String {
        if let name { return name }
        if files[0] == "-" { return "disk" }
        let last = files[0].split(separator: "/").last.map(String.init) ?? "disk"
        return last.split(separator: ".").first.map(String.init) ?? last
    }

    private func tell(_ outcome: TraceReading.Outcome) {
        let report = outcome.report
        func say(_ line: String) { if output == "-" { printError(line) } else { print(line) } }
        say("\(outcome.requests) requests and \(outcome.samples) samples are in \(output)")
        if report.skipped > 0 { say("\(report.skipped) other lines or events left out") }
        if report.unfinished > 0 { say("\(report.unfinished) requests never completed") }
        if report.lost > 0 { say("\(report.lost) records are missing from the trace itself") }
    }

    private func tell(_ faults: Faults) {
        guard faults.count > 0 else { return }
        printError("\(faults.count) lines or records could not be read:")
        for fault in faults.first { printError("  \(fault.line): \(fault.reason)") }
        let more = faults.count - UInt64(faults.first.count)
        if more > 0 { printError("  and \(more) more") }
    }
}

extension TraceFormat: ExpressibleByArgument {}
