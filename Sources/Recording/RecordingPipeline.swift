public import Telemetry

/// What a `RecordingPipeline` wants done with files.
public enum RecordingStep: Sendable, Equatable {
    /// Open the user's file.
    case open(path: String)
    /// Open a file of the flight recorder, which has this reason.
    case openFlight(Mark)
    /// Write this to the file that is open.
    case write(Chunk)
    /// The file is complete.
    case close
}

/// How much is recorded.
public struct PipelineSettings: Sendable {
    public var triggers: [Trigger] = []
    /// Whether stalls, full rings, critical findings and a silent QMP fire too.
    public var watchesTrouble = true
    /// Whether a recording holds requests, or samples only.
    public var recordsRequests = false
    /// Request records a second that a recording takes, and that the flight recorder does.
    public var recordingBudget = 2_000_000.0
    public var flightBudget = 2000.0
    /// Whether names and paths are replaced.
    public var redacts = false
    /// Nanoseconds the flight recorder reaches back, and goes on after its reason.
    public var before: Nanoseconds = 30_000_000_000
    public var after: Nanoseconds = 10_000_000_000
    /// Bytes the flight recorder may keep.
    public var flightBytes = 32 << 20

    public init() {}
}

/// Turns samples, requests and marks into chunks, and decides where they go: to the file of a
/// recording, or into the flight recorder's memory until something fires. Pure: time is handed in,
/// and what is to be done with files comes out as steps.
public struct RecordingPipeline: ~Copyable {
    /// Where chunks go.
    public enum State: Sendable, Equatable {
        case idle
        case recording
        /// The flight recorder's file goes on until then.
        case dumping(until: Nanoseconds)
    }

    public private(set) var state = State.idle
    private var ladder: RateLadder
    private let settings: PipelineSettings
    private var encoders: StreamEncoders
    private var ring: FlightRing
    private var watch: TriggerWatch
    private var redactor: Redactor?
    /// The LUNs' names, and as they are recorded.
    private var (names, shownNames): ([String], [String]) = ([], [])
    private var last: Snapshot?
    private var dumpStart: Nanoseconds = 0
    /// Until then trouble that nobody asked for leaves a mark only.
    private var quietUntil: Nanoseconds = 0
    private var lastTick: Nanoseconds?
    /// Records lost when the share of requests was last looked at, and as chunks tell.
    private var (lostAtTick, lostTold): (UInt64, UInt64) = (0, 0)
    private var recordsSinceTick = 0
    private var steps: [RecordingStep] = []
    /// A condition that stays on the brink must not keep one file open for ever.
    private static let longestDump: Nanoseconds = 60_000_000_000
    /// Neither must one that comes and goes fill the disk with files.
    private static let quietTime: Nanoseconds = 60_000_000_000
    private static let groupLength: Nanoseconds = 10_000_000_000
    private static let tickTime: Nanoseconds = 1_000_000_000

    /// A pipeline that keeps the flight recorder's memory until told to record.
    public init(_ settings: PipelineSettings) throws(RecordingError) {
        let encoders = try StreamEncoders()
        self.encoders = encoders
        self.settings = settings
        ladder = Self.flightLadder(settings)
        ring = FlightRing(reach: settings.before, byteCapacity: settings.flightBytes)
        watch = TriggerWatch(settings.triggers, watchesTrouble: settings.watchesTrouble)
        redactor = settings.redacts ? Redactor() : nil
    }

    /// One request in 2^`share` is to be recorded; `nil`: none.
    public var share: Int? { isDeaf ? nil : ladder.shift }

    /// Whether a recording of samples alone is made.
    private var isDeaf: Bool { state == .recording && !settings.recordsRequests }

    // MARK: What comes in

    /// Takes a sample. Its findings and notices become marks, and triggers are judged by it.
    public mutating func take(_ snapshot: Snapshot) throws(RecordingError) -> [RecordingStep] {
        let isQuiet = state == .idle && snapshot.monotonic < quietUntil
        let marks =
            Self.marks(of: snapshot, after: last) + watch.examine(snapshot, isQuiet: isQuiet)
        last = snapshot
        if state == .idle { try beginGroupIfDue(snapshot.monotonic) }
        let shown = redactor?.redact(snapshot) ?? snapshot
        for chunk in try encoders.encode(shown) { put(chunk) }
        for mark in marks { try note(mark) }
        return takeSteps()
    }

    /// Takes requests; `names` are those of the LUNs, by `IOEvent.lun`.
    public mutating func take(
        _ events: [IOEvent], names: [String]
    ) throws(RecordingError) -> [RecordingStep] {
        guard !isDeaf else { return [] }
        recordsSinceTick += events.count
        if names != self.names {
            self.names = names
            shownNames = names
            for index in names.indices {
                if let word = redactor?.redact(lun: names[index]) { shownNames[index] = word }
            }
        }
        for chunk in try encoders.encode(events, names: shownNames) { put(chunk) }
        return takeSteps()
    }

    /// Takes kernel events, with the marks of where their recording begins and ends.
    public mutating func take(
        _ batch: KernelEventBatch
    ) throws(RecordingError) -> [RecordingStep] {
        encoders.loseEvents(batch.lost)
        let events = batch.events.sorted { $0.monotonic < $1.monotonic }
        for chunk in try encoders.encode(events) { put(chunk) }
        for mark in batch.marks { try note(mark) }
        return takeSteps()
    }

    /// Takes a mark; one of a trigger has the flight recorder write, unless all is recorded anyway.
    public mutating func take(_ mark: Mark) throws(RecordingError) -> [RecordingStep] {
        try note(mark)
        return takeSteps()
    }

    private mutating func note(_ mark: Mark) throws(RecordingError) {
        if mark.kind == .trigger { try fire(mark) }
        put(try encoders.encode(redactor?.redact(mark) ?? mark))
    }

    /// Lets time pass: seals what has waited long enough, ends a dump that has gone on long enough,
    /// and adapts the share of requests. `lost` is how many records the source has lost since its
    /// start, `dropped` how many were packed and not written.
    public mutating func tick(
        _ now: Nanoseconds, lost: UInt64, dropped: UInt64 = 0
    ) throws(RecordingError) -> [RecordingStep] {
        if lost > lostTold { encoders.lose(lost - lostTold) }
        lostTold = max(lost, lostTold)
        let last = lastTick ?? now
        if lastTick == nil || now >= last &+ Self.tickTime {
            let seconds = Double(now - min(last, now)) / 1e9
            let all = lost &+ dropped
            let isOther = ladder.step(
                records: recordsSinceTick, lost: all - min(all, lostAtTick), seconds: seconds)
            // Where no requests come, nobody asks for their share.
            let isNews = isOther && (recordsSinceTick > 0 || all > lostAtTick)
            (recordsSinceTick, lostAtTick, lastTick) = (0, all, now)
            for chunk in try encoders.sealRecords() { put(chunk) }
            if isNews { try note(shareMark(now)) }
        }
        if case .dumping(let end) = state, now >= end { try close() }
        return takeSteps()
    }

    // MARK: Orders

    /// Records everything from now on, until `stop`.
    public mutating func start(
        _ now: Nanoseconds, path: String
    ) throws(RecordingError) -> [RecordingStep] {
        switch state {
        case .recording: return []
        case .dumping: try close()
        case .idle: break
        }
        try flush()
        _ = ring.takeAll()
        steps.append(.open(path: path))
        state = .recording
        encoders.begin()
        ladder = RateLadder(budget: settings.recordingBudget)
        try note(shareMark(now))
        return takeSteps()
    }

    /// Ends the recording.
    public mutating func stop(_ now: Nanoseconds) throws(RecordingError) -> [RecordingStep] {
        if state != .idle { try close() }
        return takeSteps()
    }

    /// Has the flight recorder write, as a trigger would.
    public mutating func dump(
        _ now: Nanoseconds, _ text: String
    ) throws(RecordingError) -> [RecordingStep] {
        try take(Mark(monotonic: now, kind: .trigger, severity: .info, text: text))
    }

    /// The file could not be opened or written on: what comes next is kept in memory again.
    mutating func fail(_ failure: RecordingWriter.Failure) {
        // One that comes late is of a file that is closed already.
        switch (state, failure) {
        case (.recording, .own), (.dumping, .flight): break
        default: return
        }
        state = .idle
        steps = []
        ladder = Self.flightLadder(settings)
        encoders.begin()
    }

    // MARK: What goes out

    private mutating func put(_ chunk: Chunk) {
        if state == .idle { ring.append(chunk) } else { steps.append(.write(chunk)) }
    }

    /// Puts out what waits to be packed.
    private mutating func flush() throws(RecordingError) {
        for chunk in try encoders.sealRecords() { put(chunk) }
        for chunk in encoders.flushSnapshots() { put(chunk) }
    }

    private mutating func takeSteps() -> [RecordingStep] {
        defer { steps = [] }
        return steps
    }

    private mutating func beginGroupIfDue(_ now: Nanoseconds) throws(RecordingError) {
        if let start = ring.groupStart, now < start &+ Self.groupLength { return }
        try flush()
        ring.beginGroup(at: now)
        encoders.begin()
    }

    private mutating func fire(_ reason: Mark) throws(RecordingError) {
        switch state {
        case .recording: break
        case .dumping:
            let end = reason.monotonic &+ settings.after
            state = .dumping(until: min(end, dumpStart &+ Self.longestDump))
        case .idle:
            for chunk in try encoders.sealRecords() { put(chunk) }
            steps.append(.openFlight(redactor?.redact(reason) ?? reason))
            steps += ring.takeAll().map { .write($0) }
            dumpStart = reason.monotonic
            state = .dumping(until: reason.monotonic &+ settings.after)
        }
    }

    private mutating func close() throws(RecordingError) {
        try flush()
        steps.append(.close)
        if case .dumping(let end) = state { quietUntil = end &+ Self.quietTime }
        state = .idle
        ladder = Self.flightLadder(settings)
        encoders.begin()
    }

    /// Few at first: how fast requests come is not known yet.
    private static func flightLadder(_ settings: PipelineSettings) -> RateLadder {
        RateLadder(budget: settings.flightBudget, start: 6)
    }

    /// Says what share of the requests is recorded from `now` on.
    private func shareMark(_ now: Nanoseconds) -> Mark {
        let share = ladder.divisor == 1 ? "every request" : "one request in \(ladder.divisor)"
        return Mark(
            monotonic: now, kind: .change, scope: "requests",
            text: isDeaf ? "no requests are recorded" : "\(share) is recorded")
    }

    // MARK: Marks of samples

    /// What is worth finding again in `snapshot`, which came after `last`.
    private static func marks(of snapshot: Snapshot, after last: Snapshot?) -> [Mark] {
        var marks = snapshot.notices.map { notice in
            Mark(
                monotonic: notice.monotonic, kind: .notice, severity: notice.severity,
                scope: notice.vm.map { "vm:" + $0 }, text: notice.text)
        }
        guard let last else { return marks }
        if snapshot.sequence > last.sequence &+ 1 {
            let missing = snapshot.sequence - last.sequence - 1
            marks.append(
                Mark(
                    monotonic: last.monotonic, kind: .gap, severity: .warning,
                    text: "\(missing) samples were not recorded"))
        }
        func key(_ finding: Finding) -> [String] { [finding.rule, finding.scope] }
        let (before, now) = (Set(last.findings.map(key)), Set(snapshot.findings.map(key)))
        for finding in snapshot.findings where !before.contains(key(finding)) {
            marks.append(mark(of: finding, at: snapshot.monotonic, "appeared"))
        }
        for finding in last.findings where !now.contains(key(finding)) {
            marks.append(mark(of: finding, at: snapshot.monotonic, "cleared"))
        }
        return marks
    }

    private static func mark(
        of finding: Finding, at time: Nanoseconds, _ word: String
    ) -> Mark {
        Mark(
            monotonic: time, kind: .finding,
            severity: word == "cleared" ? .info : finding.severity, scope: finding.scope,
            text: "\(finding.rule) \(word): \(finding.title)")
    }
}
