import Bench
import Demo
import Glibc
import Kernel
import SystemPackage
import Telemetry

/// The runs of a bench, one after the other.
struct BenchSession {
    /// A signal that ends the bench came.
    private struct Interrupted: Error { var signal: Int32 }

    let plan: BenchPlan
    let storage: BenchStorage
    let settings: PathSettings
    /// What each run is held against in turn; nil for nothing.
    let peer: FioPeer?
    private(set) var result: BenchResult
    private var progress: BenchProgress
    private var started: Nanoseconds = 0
    private var finished = 0
    /// The peer's run goes with each of ours.
    private let runsAtATime: Int
    private let showsProgress = Process.errorIsTerminal

    /// A bench of `plan`, with `result` as far as it is known beforehand.
    init(
        plan: BenchPlan, storage: BenchStorage, settings: PathSettings, peer: FioPeer?,
        result: BenchResult
    ) {
        self.plan = plan
        self.storage = storage
        self.settings = settings
        self.peer = peer
        self.result = result
        runsAtATime = peer == nil ? 1 : 2
        progress = BenchProgress(
            total: plan.order.indices.count * runsAtATime,
            plannedSeconds: result.seconds + result.warmUp)
        self.result.points = plan.setups.map { setup in
            var point = BenchPoint(setup)
            point.missing = BenchEngine.missing(in: setup)
            return point
        }
        if let peer {
            self.result.pairings = plan.setups.map { BenchPairing($0, peer: peer.name) }
        }
    }

    /// Does all runs, or those until a signal comes, whose number is returned. A setup that cannot
    /// run has the reason in its point, and the others go on.
    mutating func run(_ signals: borrowing SignalDescriptor) -> Int32? {
        started = Clock.monotonic()
        defer { clearProgress() }
        for (position, index) in plan.order.indices.enumerated() {
            finished = position * runsAtATime
            do {
                try runOnce(index, signals)
            } catch let interruption as Interrupted {
                result.isComplete = false
                return interruption.signal
            } catch {
                result.points[index].failure = String(describing: error)
            }
        }
        return nil
    }

    private mutating func runOnce(_ index: Int, _ signals: borrowing SignalDescriptor) throws {
        let point = result.points[index]
        // What failed once fails again, and the time is for the others.
        guard point.failure == nil else { return }
        let run = try measure(point.setup, signals)
        result.points[index].runs.append(run)
        for measure in BenchMeasure.allCases where run.counts[measure] == nil {
            // What the engine does not count has its reason already.
            if result.points[index].missing[measure] == nil {
                result.points[index].missing[measure] =
                    "the kernel did not tell (/proc/PID/task/TID/schedstat, status)"
            }
        }
        guard let peer else { return }
        finished += 1
        guard result.pairings[index].failure == nil else { return }
        let files = storage.paths(luns: point.setup.luns)
        show(point.setup, path: peer.name)
        let job = FioPeer.Job(
            setup: point.setup, files: files, seconds: result.seconds, warmUp: result.warmUp)
        do {
            guard let theirs = try peer.iops(of: job, signals) else {
                throw Interrupted(signal: signals.next() ?? SIGINT)
            }
            result.pairings[index].pairs.append((run.iops, theirs))
        } catch let failure as FioPeer.Failure {
            result.pairings[index].failure = failure.description
        }
    }

    /// One window of `setup`.
    private mutating func measure(
        _ setup: BenchSetup, _ signals: borrowing SignalDescriptor
    ) throws -> BenchRun {
        var engine = try BenchEngine(setup, storage, settings)
        defer { engine.stop() }
        show(setup, path: setup.path)
        try rest(result.warmUp, setup, signals)
        let first = engine.reading()
        try rest(result.seconds, setup, signals)
        let last = engine.reading()
        if let fault = engine.fault { throw Failure(fault) }
        guard let run = BenchRun(from: first, to: last) else {
            throw Failure("the run was too short to tell anything")
        }
        return run
    }

    /// Waits for `seconds`, while the line of progress goes on; a signal throws.
    private mutating func rest(
        _ seconds: Double, _ setup: BenchSetup, _ signals: borrowing SignalDescriptor
    ) throws {
        let end = Clock.monotonic() + Nanoseconds(seconds * 1e9)
        while true {
            let now = Clock.monotonic()
            guard now < end else { return }
            let step = showsProgress ? min(end, now + 500_000_000) : end
            if let signal = try self.signal(signals, until: step) {
                throw Interrupted(signal: signal)
            }
            show(setup, path: setup.path)
        }
    }

    /// Waits until `deadline` or for a signal, and returns the signal.
    private func signal(
        _ signals: borrowing SignalDescriptor, until deadline: Nanoseconds
    ) throws -> Int32? {
        let now = Clock.monotonic()
        let left = deadline > now ? Int64(clamping: deadline - now) : 0
        _ = try waitForInput([signals.rawDescriptor], timeout: .nanoseconds(left))
        return signals.next()
    }

    // MARK: Progress

    private func show(_ setup: BenchSetup, path: String) {
        guard showsProgress else { return }
        let elapsed = Double(Clock.monotonic() - started) / 1e9
        let what = "\(path), LUNs: \(setup.luns), \(setup.blockSize) B"
        let line = progress.line(done: finished, elapsed: elapsed, current: what)
        // Back to the start of the line, and what an earlier one left is erased.
        _ = try? FileDescriptor.standardError.writeAll("\r\(line)\u{1B}[K".utf8)
    }

    private func clearProgress() {
        guard showsProgress else { return }
        _ = try? FileDescriptor.standardError.writeAll("\r\u{1B}[K".utf8)
    }
}
