public import ArgumentParser
public import Exchange
import Kernel
import Recording
import SystemPackage
import Telemetry

/// `vblktop export`: a recording becomes a file of another tool.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a recording in another tool's format.",
        discussion: ExportFormat.allCases.map { "\($0.rawValue): \($0.summary)" }
            .joined(separator: "\n"))

    @Argument(help: "The recording's files; - is standard input.")
    var files: [String]

    @Option(help: "The format.")
    var format: ExportFormat

    @Option(
        name: .shortAndLong,
        help: "The file (for ctf the folder), which must not be there yet; - is standard output.")
    var output: String

    @Flag(help: "Export samples, not requests, in a format that has both.")
    var samples = false

    @OptionGroup(title: "What of it") var range: RangeOptions

    @Option(help: "Only this LUN's requests. May be repeated.")
    var lun: [String] = []

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("give the recording's files") }
        guard !samples || format.contents.contains(.samples) else {
            throw ValidationError("\(format.rawValue) has requests only")
        }
        guard lun.isEmpty || !samples && format.contents.contains(.requests) else {
            throw ValidationError("--lun is about requests")
        }
        guard format.streamName == nil || output != "-" else {
            throw ValidationError("\(format.rawValue) is a folder: give its path")
        }
    }

    func run() throws {
        Process.ignoreWriteSignals()
        do {
            let recording = try RecordedSession(paths: files)
            let isOfSamples = samples || !format.contents.contains(.requests)
            try withNewFile(output) {
                let file = try ExportFile(output, format)
                if isOfSamples, let exporter = format.sampleExporter() {
                    try export(samplesOf: recording, by: exporter, to: file)
                } else {
                    try export(requestsOf: recording, to: file)
                }
            }
            for line in recording.damage { printError(line) }
        } catch Errno.brokenPipe {
            return
        } catch {
            throw Failure(error)
        }
    }

    private func export(
        samplesOf recording: RecordedSession, by exporter: any SampleExporter, to file: ExportFile
    ) throws {
        var exporter = exporter
        let bounds = try range.range(in: recording)
        var count = 0
        for index in 0..<recording.sampleCount {
            let time = recording.time(ofSample: index)
            guard time >= bounds.from ?? 0, time <= bounds.to ?? .max,
                let sample = try recording.sample(index)
            else { continue }
            try file.write(try exporter.bytes(for: sample))
            count += 1
        }
        try file.write(try exporter.finish())
        guard count > 0 else { throw Failure("\(files[0]) has no samples of that time") }
    }

    private func export(requestsOf recording: RecordedSession, to file: ExportFile) throws {
        let bounds = try range.range(in: recording)
        let start = recording.range?.lowerBound ?? 0
        let origin = ExportOrigin(
            monotonic: start,
            wallClock: recording.wallClockOffset.map { $0 &+ Int64(clamping: start) })
        guard var exporter = format.requestExporter(origin: origin) else {
            throw Failure("\(format.rawValue) has samples only")
        }
        var order = StartOrder()
        var names = ExportLUNs(wanted: lun)
        var count: UInt64 = 0
        try recording.forEachRequests(from: bounds.from, to: bounds.to) { events, known in
            let events = names.take(events, known) { exporter.name($0, ofLUN: $1) }
            count += UInt64(events.count)
            try file.write(try exporter.bytes(for: order.take(events)))
        }
        try file.write(try exporter.bytes(for: order.finish()))
        try file.write(try exporter.finish())
        for companion in exporter.companions { try file.write(companion) }
        guard count > 0 else {
            throw Failure("\(files[0]) has no requests of that time and those LUNs")
        }
        printError("\(count - exporter.omitted) requests are in \(output)")
        if exporter.omitted > 0 {
            printError("\(exporter.omitted) requests have no form in \(format.rawValue)")
        }
    }
}

extension ExportFormat: ExpressibleByArgument {}

/// Gives each LUN one number in the export, whichever chunk or file its requests come from.
private struct ExportLUNs {
    private let wanted: Set<String>
    private var numbers: [String: UInt16] = [:]

    init(wanted: [String]) { self.wanted = Set(wanted) }

    /// `events` with their LUNs' numbers in the export; `tell` is told each LUN once.
    mutating func take(
        _ events: [IOEvent], _ names: [String], _ tell: (String, UInt16) -> Void
    ) -> [IOEvent] {
        let places = names.map { name -> UInt16? in
            guard wanted.isEmpty || wanted.contains(name) else { return nil }
            if let number = numbers[name] { return number }
            guard let number = UInt16(exactly: numbers.count) else { return nil }
            numbers[name] = number
            tell(name, number)
            return number
        }
        return events.compactMap { event in
            guard Int(event.lun) < places.count, let number = places[Int(event.lun)] else {
                return nil
            }
            var event = event
            event.lun = number
            return event
        }
    }
}

/// Brings requests from the order of their ends, in which they are recorded, into that of their
/// starts, as far as a bounded number of them allows.
struct StartOrder {
    private var waiting: [IOEvent] = []
    /// Requests held back for others that began earlier.
    private static let window = 1 << 17

    /// Takes `events`, and returns those that are due.
    mutating func take(_ events: [IOEvent]) -> [IOEvent] {
        waiting += events
        guard waiting.count >= 2 * Self.window else { return [] }
        waiting.sort { $0.start < $1.start }
        let due = Array(waiting.prefix(waiting.count - Self.window))
        waiting.removeFirst(due.count)
        return due
    }

    /// The rest.
    mutating func finish() -> [IOEvent] {
        defer { waiting = [] }
        return waiting.sorted { $0.start < $1.start }
    }
}
