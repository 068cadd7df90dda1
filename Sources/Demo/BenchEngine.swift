public import Bench
public import DataPlane
import Host
import Kernel
import Telemetry

/// The engine as what is measured: one setup, running at full speed until it is stopped. Its
/// requests are counted and timed, but not traced.
public struct BenchEngine {
    /// Why a setup cannot run here.
    public struct Refusal: Error, CustomStringConvertible {
        public let description: String
    }

    /// The paths this engine has, in the order of the deck's bars.
    public static let paths = IOPath.allCases

    private let engine: Engine
    private let luns: Int
    private let hasRequestQueue: Bool
    private var helpers: FileHelpers

    /// Starts the guest of `setup` on `storage`, with what `settings` say of its path. Throws what
    /// keeps it from running, with the way out.
    public init(
        _ setup: BenchSetup, _ storage: BenchStorage, _ settings: PathSettings = PathSettings()
    ) throws {
        guard let path = IOPath(rawValue: setup.path), Self.paths.contains(path) else {
            throw Refusal(description: "the engine has no path \(setup.path)")
        }
        guard let device = WaitMode(rawValue: setup.deviceWait),
            let guest = WaitMode(rawValue: setup.guestWait)
        else { throw Refusal(description: "a way to wait that the engine has not") }
        luns = setup.luns
        var configuration = EngineConfiguration(
            luns: storage.backends.prefix(luns).enumerated().map { index, backend in
                Self.lun(index, backend, path, setup, settings)
            })
        configuration.vcpus = processorCount()
        configuration.ioThreads = settings.ioThreads
        configuration.costs = settings.costs
        (configuration.deviceWait, configuration.guestWait) = (device, guest)
        configuration.trace = .off
        helpers = FileHelpers(configuration.luns)
        hasRequestQueue = configuration.luns.contains { $0.driver == .request }
        engine = try Engine(configuration)
        try engine.start()
    }

    private static func lun(
        _ index: Int, _ backend: BackendChoice, _ path: IOPath, _ setup: BenchSetup,
        _ settings: PathSettings
    ) -> LUNConfiguration {
        var job = JobConfiguration()
        job.blockSize = setup.blockSize
        job.depth = setup.queueDepth
        job.readPercent = setup.readPercent
        job.seed = UInt64(index) + 1
        var lun = LUNConfiguration(id: "vd\(index)", backend: backend, job: job)
        lun.path = path
        settings.apply(to: &lun, vcpus: processorCount())
        while lun.queueSize < min(1024, job.depth) { lun.queueSize *= 2 }
        return lun
    }

    /// Everything that is counted, now.
    public mutating func reading() -> BenchReading {
        engine.calibrate()
        let indices = 0..<luns
        var reading = BenchReading(
            monotonic: Clock.monotonic(), luns: indices.map { engine.counters(ofLUN: $0) })
        let effort = indices.reduce(into: PathEffort()) { $0.add(engine.effort(ofLUN: $1)) }
        reading.counts[.submissions] = effort.submissions
        reading.counts[.exits] = effort.exits
        if hasRequestQueue { reading.counts[.requestLocks] = effort.requestLocks }
        let threads = engine.threadInfos
        // Threads that have not begun yet have not taken it either.
        if engine.lockWaitBuckets != nil {
            let locks = threads.compactMap(\.lock)
            reading.counts[.lockAcquisitions] = locks.reduce(0) { $0 + $1.acquisitions }
            reading.counts[.lockWaits] = locks.reduce(0) { $0 + $1.waits }
            reading.counts[.lockWaitTime] = locks.reduce(0) { $0 + $1.waitTime }
        }
        reading.vcpus = totals(threads.filter { $0.role == .vcpu }.map(\.tid))
        reading.devices = totals(
            threads.filter { $0.role != .vcpu }.map(\.tid) + helpers.update().map(\.tid))
        return reading
    }

    /// Why measures are missing from readings of a run of `setup`.
    public static func missing(in setup: BenchSetup) -> [BenchMeasure: String] {
        var missing: [BenchMeasure: String] = [:]
        if IOPath(rawValue: setup.path)?.takesBigLock != true {
            let reason = "the path takes no lock"
            for measure in [BenchMeasure.lockAcquisitions, .lockWaits, .lockWaitTime] {
                missing[measure] = reason
            }
        }
        if setup.driver != GuestDriver.request.rawValue {
            let reason =
                setup.driver == nil
                ? "only a driver of virtio-blk has the choice of a request queue"
                : "a bio-based driver has no request queue (--driver request has)"
            (missing[.requestLocks], missing[.merges]) = (reason, reason)
        }
        return missing
    }

    private func totals(_ threads: [Int]) -> ThreadTotals {
        var totals = ThreadTotals()
        totals.threads = threads.count
        let accounts = threads.map { ThreadAccount(pid: Process.id, tid: $0) }
        totals.cpu = sum(accounts.map(\.cpu))
        totals.voluntarySwitches = sum(accounts.map(\.voluntarySwitches))
        totals.involuntarySwitches = sum(accounts.map(\.involuntarySwitches))
        return totals
    }

    /// The sum, nil if a part is not known.
    private func sum(_ values: [UInt64?]) -> UInt64? {
        values.reduce(0) { sum, value in
            guard let sum, let value else { return nil }
            return sum &+ value
        }
    }

    /// What spoiled the run, nil if nothing did: figures of requests that fail are of no use.
    public var fault: String? {
        for index in 0..<luns {
            if engine.isBroken(index) { return "the virtqueue of LUN \(index) broke" }
            let errors = engine.errors(ofLUN: index)
            if errors > 0 {
                let reason = engine.storageFault(ofLUN: index).map { ": \($0)" } ?? ""
                return "\(errors) requests of LUN \(index) failed\(reason)"
            }
        }
        return nil
    }

    /// Ends the guest and the devices.
    public func stop() { engine.stop() }
}
