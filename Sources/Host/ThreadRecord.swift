internal import ProcFS
internal import Telemetry

/// What is remembered of one thread between ticks: its open files, the last readings, the last
/// rates.
struct ThreadRecord: Sendable {
    /// A reading with the instant it was taken.
    private struct Stamped<Reading: Sendable>: Sendable {
        var at: Nanoseconds
        var reading: Reading
    }

    private(set) var thread: WatchedThread
    private(set) var activity: ThreadActivity
    private var stat: ThreadFile
    private var schedstat: ThreadFile
    private var status: ThreadFile
    private var sched: ThreadFile
    /// The thread's own name and start, `nil` before the first reading of `stat`.
    private var identity: ThreadStat?
    private var lastTimes: Stamped<SchedStat>?
    private var lastSwitches: Stamped<ThreadSwitches>?
    private var lastMigrations: Stamped<UInt64>?
    /// Whether the dear files were read at least once.
    private(set) var isComplete = false

    /// `directory` is the thread's, `/proc/PID/task/TID`.
    init(_ thread: WatchedThread, directory: String) {
        self.thread = thread
        activity = ThreadActivity(
            tid: thread.tid, role: thread.role, name: thread.name ?? "", luns: thread.luns)
        stat = ThreadFile(.stat, directory: directory)
        schedstat = ThreadFile(.schedstat, directory: directory)
        status = ThreadFile(.status, directory: directory)
        sched = ThreadFile(.sched, directory: directory)
    }

    var files: [ThreadFile] { [stat, schedstat, status, sched] }

    /// Whether a file could not be read the last time.
    var hasFailure: Bool {
        stat.failure != nil || schedstat.failure != nil || status.failure != nil
            || sched.failure != nil
    }

    /// Takes over what the source now says about the same thread.
    mutating func update(_ thread: WatchedThread) {
        self.thread = thread
        describe()
    }

    /// Reads `schedstat`, and the dearer files where `readsAll`, and brings the rates up to date.
    mutating func sample(
        at now: Nanoseconds, readsAll: Bool, into buffer: inout [UInt8], open: TextFileOpener
    ) throws(ThreadFile.ThreadEnded) {
        if readsAll { try readIdentity(into: &buffer, open: open) }
        let times = try schedstat.read(into: &buffer, open: open, parse: SchedStat.init)
        deriveTimes(times, at: now)
        guard readsAll else { return }
        let account = try sched.read(into: &buffer, open: open, parse: ThreadSched.init)
        deriveMigrations(account?.migrations, at: now)
        if let switches = account?.switches {
            deriveSwitches(switches, at: now)
        } else {
            let text = try status.read(into: &buffer, open: open, parse: ThreadStatus.init)
            deriveSwitches(text?.switches, at: now)
        }
        isComplete = true
    }

    /// A thread id that starts at another time is another thread: nothing read before counts.
    private mutating func readIdentity(
        into buffer: inout [UInt8], open: TextFileOpener
    ) throws(ThreadFile.ThreadEnded) {
        let read = try stat.read(into: &buffer, open: open, parse: ThreadStat.init)
        if let read, let identity, read.startTime != identity.startTime {
            lastTimes = nil
            lastSwitches = nil
            lastMigrations = nil
        }
        identity = read ?? identity
        activity.lastCPU = read?.lastCPU
        describe()
    }

    private mutating func describe() {
        activity.role = thread.role
        activity.luns = thread.luns
        activity.name = thread.name ?? identity?.name ?? "thread \(thread.tid)"
    }

    /// One thread has at most one core: what is above 100 % is the kernel's late accounting.
    private mutating func deriveTimes(_ times: SchedStat?, at now: Nanoseconds) {
        activity.cpuPercent = nil
        activity.runDelayPercent = nil
        if let times, let last = lastTimes, let interval = RateInterval(from: last.at, to: now) {
            let before = last.reading
            activity.cpuPercent = interval.percent(before.runTime, times.runTime)
                .map { min($0, 100) }
            activity.runDelayPercent = interval.percent(before.runDelay, times.runDelay)
                .map { min($0, 100) }
        }
        lastTimes = times.map { Stamped(at: now, reading: $0) }
    }

    private mutating func deriveSwitches(_ switches: ThreadSwitches?, at now: Nanoseconds) {
        activity.voluntarySwitches = nil
        activity.involuntarySwitches = nil
        activity.span = nil
        if let switches, let last = lastSwitches,
            let interval = RateInterval(from: last.at, to: now)
        {
            activity.span = interval.span
            activity.voluntarySwitches = interval.rate(
                last.reading.voluntary, switches.voluntary)
            activity.involuntarySwitches = interval.rate(
                last.reading.involuntary, switches.involuntary)
        }
        lastSwitches = switches.map { Stamped(at: now, reading: $0) }
    }

    private mutating func deriveMigrations(_ moves: UInt64?, at now: Nanoseconds) {
        activity.migrations = nil
        if let moves, let last = lastMigrations,
            let interval = RateInterval(from: last.at, to: now)
        {
            activity.migrations = interval.rate(last.reading, moves)
        }
        lastMigrations = moves.map { Stamped(at: now, reading: $0) }
    }
}
