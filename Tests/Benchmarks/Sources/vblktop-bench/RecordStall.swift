import CBench
import Foundation
import Kernel
import Recording
import Telemetry

/// A million requests a second through the recorder into a file.
enum RecordStall {
    private static let rate = 1_000_000.0

    static func run(_ options: Options, _ report: inout Report) throws {
        let folder = try RecordingFolder(options)
        let feed = PacedFeed(rate: rate)
        let path = folder.file("stall.vbt")
        let (recorder, seconds) = (try recorder(feed), options.isQuick ? 10.0 : 60)
        if let failure = recorder.start(path: path) {
            recorder.finish()
            report.add(.failed("record-stall", failure))
            return
        }
        while feed.shift != 0 { pause(seconds: 0.01) }
        feed.forgetDrains()
        let producer = try PThread(name: "producer") { feed.produce(seconds: seconds) }
        producer.join()
        recorder.finish()
        try tell(feed, recorder.status, path, seconds, &report)
        sqlite(path, folder, &report)
    }

    private static func recorder(_ feed: PacedFeed) throws -> Recorder {
        var settings = PipelineSettings()
        settings.recordsRequests = true
        // A load at the budget itself would be thinned out by the first jitter.
        settings.recordingBudget = 2 * rate
        let clocks: @Sendable () -> ClockReading = {
            ClockReading(monotonic: Clock.monotonic(), wall: Clock.wall())
        }
        let info = RecordingInfo(uuid: UUID().uuidString, started: clocks())
        var files = RecordingFiles(info: info, clocks: clocks)
        files.policy.segmentByteCount = 64 << 30
        files.policy.writer.durability = .every(5_000_000_000)
        files.policy.writer.clockInterval = 1_000_000_000
        return try Recorder(settings, files: files, feed: feed)
    }

    private static func tell(
        _ feed: PacedFeed, _ status: RecordingStatus, _ path: String, _ seconds: Double,
        _ report: inout Report
    ) throws {
        let recorded = try RecordedSession(paths: [path]).requestCount
        let made = feed.made
        let (stalls, own) = feed.stalls
        report.add(
            Figure("1 M requests a second, those made", Double(made) / seconds, "/s"))
        report.add(
            Figure(
                "… lost of them", Double(made) - Double(recorded), "", bar: .atMost(0),
                note: "\(feed.lost) found the ring full, \(status.lostRecords) the writer's queue; "
                    + "at worst one in \(1 << feed.highestShift) was asked for; "
                    + "\(number(Double(fileSize(path)) / Double(max(1, recorded)))) B each"))
        report.add(
            Figure(
                "… stall of the drainer, p99.9", stalls.quantile(0.999), "ms", spread: stalls,
                bar: .atMost(5),
                note: "worst \(number(stalls.maximum)) ms, median \(number(stalls.median)) ms "
                    + "beyond the period of 10 ms, \(stalls.values.count) drains"))
        report.add(
            Figure(
                "… less its wait for a CPU, p99.9", own.quantile(0.999), "ms", spread: own))
    }

    /// The same chunks as blobs of SQLite, each in a transaction, as fast as it takes them.
    private static func sqlite(
        _ path: String, _ folder: RecordingFolder, _ report: inout Report
    ) {
        let name = "peer: SQLite in WAL mode, a chunk in"
        guard let python = findProgram("python3"),
            let sizes = try? RecordedSession(paths: [path]).library.entries
                .filter({ $0.place.kind == .requests }).map(\.place.byteCount)
        else {
            report.add(.skipped(name, "python3 is not installed"))
            return
        }
        let script = """
            import sqlite3, sys, time
            path, database, sizes = sys.argv[1], sys.argv[2], [int(n) for n in open(sys.argv[3])]
            c = sqlite3.connect(database, isolation_level=None)
            c.execute('pragma journal_mode=wal')
            c.execute('pragma synchronous=normal')
            c.execute('create table chunk(id integer primary key, payload blob)')
            times, file = [], open(path, 'rb')
            for size in sizes:
                blob = file.read(size)
                begin = time.monotonic_ns()
                c.execute('insert into chunk(payload) values (?)', (blob,))
                times.append(time.monotonic_ns() - begin)
            times.sort()
            at = lambda share: times[min(len(times) - 1, int(share * len(times)))] / 1e6
            print(at(0.5), at(0.999), times[-1] / 1e6)
            """
        let (list, output) = (folder.file("sizes"), folder.file("sqlite.out"))
        try? sizes.map { "\($0)" }.joined(separator: "\n").write(
            toFile: list, atomically: false, encoding: .utf8)
        let effort = ChildProgram.run(
            [python, "-c", script, path, folder.file("stall.db"), list], output: output)
        let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        let found = text.split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
        guard effort != nil, found.count == 3 else {
            report.add(.skipped(name, "python3 has no sqlite3, or it failed"))
            return
        }
        report.add(
            Figure(
                "\(name), p99.9", found[1], "ms",
                note: "worst \(number(found[2])) ms, median \(number(found[0])) ms, "
                    + "\(sizes.count) chunks"))
    }
}

/// Requests at a steady rate into a bounded ring that counts what it drops.
private final class PacedFeed: RequestFeed, @unchecked Sendable {
    private struct State {
        var waiting: [IOEvent] = []
        var spare: [IOEvent] = []
        var shift: Int?
        var highestShift = 0
        var (made, lost): (UInt64, UInt64) = (0, 0)
    }
    let lunNames = (0..<56).map { "vd\($0)" }
    private let state = Lock(State())
    private let rate: Double
    private let pattern: [IOEvent]
    /// A quarter of a second's records.
    private static let capacity = 1 << 18
    /// When the recorder drained, and how long its thread had waited for a CPU by then, ns; written
    /// by the drainer alone, and read once it has ended.
    private var drains: [(time: UInt64, waited: UInt64)] = []
    private let forgets = Lock(false)

    init(rate: Double) {
        self.rate = rate
        pattern = SimulatedLoad.requests(200_000)
    }

    func record(shift: Int?) {
        state.withLock {
            $0.shift = shift
            if $0.made > 0, let shift { $0.highestShift = max($0.highestShift, shift) }
        }
    }

    func drain(_ body: (IOEvent) -> Void) {
        if forgets.withLock({ value in
            defer { value = false }
            return value
        }) {
            drains = []
        }
        drains.append((cb_now(), runDelay()))
        var taken = state.withLock { state in
            let taken = state.waiting
            state.waiting = state.spare
            state.spare = []
            return taken
        }
        for event in taken { body(event) }
        taken.removeAll(keepingCapacity: true)
        state.withLock { $0.spare = taken }
    }

    var lost: UInt64 { state.withLock { $0.lost } }
    var made: UInt64 { state.withLock { $0.made } }
    var shift: Int? { state.withLock { $0.shift } }
    var highestShift: Int { state.withLock { $0.highestShift } }

    func forgetDrains() { forgets.withLock { $0 = true } }

    /// Nanoseconds this thread has stood in a run queue.
    private func runDelay() -> UInt64 {
        let text = try? String(contentsOfFile: "/proc/thread-self/schedstat", encoding: .utf8)
        let fields = text?.split(separator: " ") ?? []
        return fields.count > 1 ? UInt64(fields[1]) ?? 0 : 0
    }

    /// Milliseconds from one drain to the next beyond the recorder's period, and the same without
    /// the wait for a CPU.
    var stalls: (all: Readings, own: Readings) {
        var (all, own) = (Readings(), Readings())
        for (before, after) in zip(drains, drains.dropFirst()) {
            let beyond = Double(after.time - before.time) / 1e6 - 10
            all.add(max(0, beyond))
            own.add(max(0, beyond - Double(after.waited - before.waited) / 1e6))
        }
        return (all, own)
    }

    /// Makes requests that end now, `rate` a second.
    func produce(seconds: Double) {
        let begin = cb_now()
        var (count, place) = (0, 0)
        while true {
            let now = cb_now()
            let due = Int(min(seconds, Double(now - begin) / 1e9) * rate)
            state.withLock { state in
                let divisor = 1 << (state.shift ?? 0)
                while count < due {
                    count += 1
                    guard count % divisor == 0 else { continue }
                    state.made += 1
                    if state.waiting.count >= Self.capacity {
                        state.lost += 1
                    } else {
                        state.waiting.append(pattern[place].ending(at: now))
                    }
                    place = place + 1 == pattern.count ? 0 : place + 1
                }
            }
            if Double(now - begin) / 1e9 >= seconds { return }
            usleep(500)
        }
    }
}

extension IOEvent {
    /// The same request with its stamps moved so that it is reaped at `time`.
    func ending(at time: Nanoseconds) -> IOEvent { moved(by: time &- reaped) }

    /// The same request later by `shift` nanoseconds.
    func moved(by shift: Nanoseconds) -> IOEvent {
        var event = self
        event.queued &+= shift
        event.popped &+= shift
        event.submitted &+= shift
        event.completed &+= shift
        event.published &+= shift
        event.reaped &+= shift
        return event
    }
}
