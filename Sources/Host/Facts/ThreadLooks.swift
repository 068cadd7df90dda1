internal import ProcFS
internal import Telemetry

/// How often the threads that move requests are found waiting, by a look at each once a second: no
/// counter of the kernel tells for how long a thread slept uninterruptibly.
struct ThreadLooks: Sendable {
    /// What one look found.
    private struct Look: Sendable {
        var isBlocked: Bool
        /// Where it waits, if that can be seen.
        var place: String?
    }
    /// Looks at workers: how many there were and waited.
    private struct PoolLook: Sendable {
        var count: Int
        var blocked: Int
    }
    private struct Watched: Sendable {
        var subject: Subject
        var looks: [Look] = []
    }

    /// A share is made of the last looks, at most and at least so many.
    private static let window = 20
    private static let fewest = 5

    private var watched: [Int: Watched] = [:]
    private var pool: [PoolLook] = []
    private var kernelWorkers: [Int] = []
    private var lastRunTimes: (at: Nanoseconds, byThread: [Int: Nanoseconds])?
    private var beat = Beat(seconds: 1)
    /// As they were concluded last.
    private(set) var facts: [Fact] = []

    // MARK: Looking

    /// Looks at the main loop, the IOThreads and the workers, unless it did within this second.
    mutating func look(
        at threads: [WatchedThread], through reader: inout ProcessReader, now: Nanoseconds
    ) {
        guard beat.isDue(now) else { return }
        var present: [Int: Watched] = [:]
        var poolLook = PoolLook(count: 0, blocked: 0)
        kernelWorkers = []
        for thread in threads {
            if let subject = Self.subject(of: thread) {
                var record = watched[thread.tid] ?? Watched(subject: subject)
                record.subject = subject
                if let look = Self.look(at: thread.tid, through: &reader) {
                    record.looks.append(look)
                    record.looks.removeFirst(max(0, record.looks.count - Self.window))
                }
                present[thread.tid] = record
            } else if thread.name == "worker" {
                guard let isBlocked = Self.isWorkerBlocked(thread.tid, through: &reader) else {
                    continue
                }
                poolLook.count += 1
                poolLook.blocked += isBlocked ? 1 : 0
            } else if thread.name?.hasPrefix("iou-wrk-") ?? false {
                kernelWorkers.append(thread.tid)
            }
        }
        watched = present
        pool.append(poolLook)
        pool.removeFirst(max(0, pool.count - Self.window))
    }

    private static func subject(of thread: WatchedThread) -> Subject? {
        if thread.role == .main { return Subject(.vm) }
        return thread.ioThreadID.map { Subject(.ioThread($0)) }
    }

    private static func state(_ tid: Int, through reader: inout ProcessReader) -> Character? {
        try? reader.read(reader.path("task/\(tid)/stat")) { try ThreadStat($0) }.state
    }

    private static func place(_ tid: Int, through reader: inout ProcessReader) -> String? {
        try? reader.read(reader.path("task/\(tid)/wchan")) { WaitChannel($0) }.name
    }

    /// `nil` for a thread that has ended.
    private static func look(at tid: Int, through reader: inout ProcessReader) -> Look? {
        guard let state = state(tid, through: &reader) else { return nil }
        guard state == "D" else { return Look(isBlocked: false) }
        return Look(isBlocked: true, place: place(tid, through: &reader))
    }

    /// A worker without work sleeps in a futex; one that sleeps elsewhere waits for its system
    /// call, as those of NFS and FUSE do that a signal may interrupt.
    private static func isWorkerBlocked(
        _ tid: Int, through reader: inout ProcessReader
    ) -> Bool? {
        guard let state = state(tid, through: &reader) else { return nil }
        guard state == "S" else { return state == "D" }
        guard let place = place(tid, through: &reader) else { return false }
        return !place.contains("futex")
    }

    // MARK: What follows from it

    /// Makes facts of the looks so far. `isAnonymous`: workers cannot be told from other threads;
    /// `nil` if that is not known.
    mutating func conclude(
        _ isAnonymous: Bool?, through reader: inout ProcessReader, now: Nanoseconds
    ) {
        facts = []
        for (tid, record) in watched.sorted(by: { $0.key < $1.key }) {
            let directory = reader.path("task/\(tid)")
            facts.append(
                Fact(record.subject, .blockedShare, from: "\(directory)/stat") {
                    () throws(Absence) in
                    guard record.looks.count >= Self.fewest else { throw Self.tooFew }
                    let blocked = record.looks.count { $0.isBlocked }
                    let share = Double(blocked) / Double(record.looks.count)
                    return .number(Coarse.percent(share * 100))
                })
            facts.append(
                Fact(record.subject, .blockedIn, from: "\(directory)/wchan") {
                    () throws(Absence) in .text(try Self.commonPlace(record.looks))
                })
        }
        facts += poolFacts(isAnonymous, through: reader)
        facts += kernelWorkerFacts(through: &reader, now: now)
    }

    private static let tooFew = Absence(reason: "needs \(fewest) looks, one a second")

    /// Where it was found most often.
    private static func commonPlace(_ looks: [Look]) throws(Absence) -> String {
        let blocked = looks.filter(\.isBlocked)
        guard !blocked.isEmpty else { throw Absence(reason: "it was not found in state D") }
        var counts: [String: Int] = [:]
        for look in blocked { if let place = look.place { counts[place, default: 0] += 1 } }
        // Of several alike the first by name, so that the answer stays.
        guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else {
            throw .rights
        }
        return most.key
    }

    private func poolFacts(_ isAnonymous: Bool?, through reader: ProcessReader) -> [Fact] {
        let vm = Subject(.vm)
        let source = reader.path("task/*/stat")
        if let problem = poolProblem(isAnonymous) {
            return [.workers, .workersBlocked].map {
                Fact(vm, $0, missing: problem.reason, from: source)
            }
        }
        // The pool grows and shrinks within seconds.
        let count = pool.reduce(0) { $0 + $1.count }
        let blocked = pool.reduce(0) { $0 + $1.blocked }
        let share = count > 0 ? Double(blocked) / Double(count) * 100 : 0
        let mean = (Double(count) / Double(pool.count)).rounded()
        return [
            Fact(vm, .workers, .number(mean), from: source),
            Fact(vm, .workersBlocked, .number(Coarse.percent(share)), from: source),
        ]
    }

    private func poolProblem(_ isAnonymous: Bool?) -> Absence? {
        if isAnonymous ?? false {
            return Absence(
                reason: "all threads are called alike: start QEMU with -name …,debug-threads=on")
        }
        // Where a thread is called `worker`, they are not all called alike.
        if isAnonymous == nil, pool.allSatisfy({ $0.count == 0 }) { return .threads }
        return pool.count < Self.fewest ? Self.tooFew : nil
    }

    /// The kernel's own workers for io_uring: how many, and what CPU they used since the reading
    /// before. One that is new has used all its time since then.
    private mutating func kernelWorkerFacts(
        through reader: inout ProcessReader, now: Nanoseconds
    ) -> [Fact] {
        var times: [Int: Nanoseconds] = [:]
        for tid in kernelWorkers {
            let path = reader.path("task/\(tid)/schedstat")
            times[tid] = try? reader.read(path) { try SchedStat($0) }.runTime
        }
        let source = reader.path("task/*/schedstat")
        var percent: Double?
        if let last = lastRunTimes, let interval = RateInterval(from: last.at, to: now) {
            percent = times.reduce(0) { sum, entry in
                sum + (interval.percent(last.byThread[entry.key] ?? 0, entry.value) ?? 0)
            }
        }
        lastRunTimes = (now, times)
        return [
            Fact(Subject(.vm), .ioUringWorkers, .count(kernelWorkers.count), from: source),
            Fact(Subject(.vm), .ioUringWorkerCPU, from: source) { () throws(Absence) in
                guard let percent else { throw .secondReading }
                return .number(Coarse.percent(percent))
            },
        ]
    }
}
