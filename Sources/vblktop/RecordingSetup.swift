import Kernel
import Recording
import Telemetry

/// What a recorder is to do and where its files go, as the command line says.
struct RecordingSetup: Sendable {
    private let settings: PipelineSettings
    /// Whether names and paths are replaced.
    var redacts: Bool { settings.redacts }
    private let files: RecordingFiles
    /// Seconds of kernel events from the begin of a recording on; `nil`: none.
    let kernelEventSeconds: Double?

    /// A session that begins now, with `interval` seconds between samples.
    init(_ record: RecordOptions, _ flight: FlightOptions, interval: Double) throws {
        var settings = PipelineSettings()
        settings.triggers = try flight.triggers
        settings.watchesTrouble = !flight.quiet
        settings.recordsRequests = record.events
        settings.recordingBudget = record.maxEvents
        settings.redacts = record.redact
        self.settings = settings
        kernelEventSeconds = record.kernelEventSeconds
        files = RecordingFiles(record, flight, interval: interval)
    }

    /// A recorder of what `source`, which calls itself `identity`, gives.
    func recorder(
        of source: any SampleSource, _ identity: Telemetry.Source
    ) throws -> Recorder {
        var (files, settings) = (files, settings)
        // Where the source tells of no single request, none is recorded.
        if source.requestFeed == nil { settings.recordsRequests = false }
        if !settings.redacts {
            files.info.sources = [.init(kind: identity.kind.rawValue, name: identity.name)]
        }
        return try Recorder(settings, files: files, feed: source.requestFeed)
    }
}

extension RecordingFiles {
    /// Files of a session that begins now, as the command line wants them.
    fileprivate init(_ record: RecordOptions, _ flight: FlightOptions, interval: Double) {
        let clocks: @Sendable () -> ClockReading = {
            ClockReading(monotonic: Clock.monotonic(), wall: Clock.wall())
        }
        var info = RecordingInfo(
            uuid: firstLine("/proc/sys/kernel/random/uuid"), started: clocks())
        info.toolVersion = vblktopVersion
        info.kernelRelease = firstLine("/proc/sys/kernel/osrelease")
        info.bootID = firstLine("/proc/sys/kernel/random/boot_id")
        if !record.redact { info.hostName = firstLine("/proc/sys/kernel/hostname") }
        info.comment = record.comment
        info.sampleInterval = Nanoseconds((interval * 1e9).rounded())
        self.init(info: info, clocks: clocks)
        policy.segmentByteCount = UInt64(record.rotateSize.bytes)
        policy.segmentDuration = Nanoseconds(record.rotateTime * 1e9)
        if let keep = record.keep { policy.retention = .segments(keep) }
        policy.bytesLeftFree = UInt64(record.minFree.bytes)
        policy.writer.durability =
            record.sync > 0 ? .every(Nanoseconds(record.sync * 1e9)) : .never
        if record.events { policy.writer.clockInterval = 1_000_000_000 }
        flightDirectory = flight.directory
    }
}

/// Says on standard error what became of recordings.
func tell(_ status: RecordingStatus) {
    for recorded in status.finished {
        let reason = recorded.reason.map { $0 + ": " } ?? ""
        let events = recorded.events > 0 ? ", \(recorded.events) kernel events" : ""
        printError(
            "\(reason)\(recorded.samples) samples, \(recorded.requests) requests\(events) in "
                + recorded.path)
    }
    if status.lostRecords > 0 {
        printError("\(status.lostRecords) records were lost: the disk was too slow, or failed")
    }
    if let failure = status.flightFailure { printError("the flight recorder: \(failure)") }
}

/// The first line of a small file of /proc, empty where there is none.
func firstLine(_ path: String) -> String {
    let bytes = (try? readWholeFile(path, limit: 4096)) ?? []
    return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
}
