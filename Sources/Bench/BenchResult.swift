// What `vblktop bench` measured, and what can be said of it: results, statistics, the scaling law,
// charts. Pure: figures go in, text comes out.

public import Telemetry

/// Where it was measured. What could not be read is nil.
public struct BenchMachine: Sendable, Equatable {
    /// The CPU's name (/proc/cpuinfo `model name`).
    public var model: String?
    /// Processors this process may use.
    public var cores: Int
    /// The kernel's release (/proc/sys/kernel/osrelease).
    public var kernel: String?
    /// Runnable tasks before the first run, mean of a minute (/proc/loadavg).
    public var load: Double?

    /// A machine by what it says of itself.
    public init(model: String?, cores: Int, kernel: String?, load: Double?) {
        self.model = model
        self.cores = cores
        self.kernel = kernel
        self.load = load
    }
}

/// A cost that was added by waiting instead of being incurred. Whatever figure depends on one says
/// so.
public struct ModelledCost: Sendable, Hashable {
    /// What costs it: `exit`, `injection`, `delay ssd: …`.
    public var name: String
    /// Nanoseconds each time, more than 0; nil for what is no single number, as the times of a
    /// class of storage.
    public var nanoseconds: UInt64?

    /// The cost of one `name`.
    public init(name: String, nanoseconds: UInt64?) {
        self.name = name
        self.nanoseconds = nanoseconds
    }

    /// In words: `exit 1500 ns`.
    var words: String { nanoseconds.map { "\(name) \($0) ns" } ?? name }
}

/// Everything that makes two runs the same experiment.
public struct BenchSetup: Sendable, Hashable {
    /// The I/O path by its option's name: `data-plane`, `big-lock`, …; `fio libaio` of the peer.
    public var path: String
    /// Where the data are: `null`, `memory`, or the file's kind with AIO model, cache and format.
    public var backend: String
    /// Bytes of one request.
    public var blockSize: Int
    public var luns: Int
    /// Requests in flight on each LUN.
    public var queueDepth: Int
    /// Share of reads, 0…100.
    public var readPercent: Int
    /// How the device threads and the vCPU threads wait: `block`, `yield`, `pause`, `spin`.
    public var deviceWait: String
    public var guestWait: String
    /// Virtqueues of each LUN; nil on a path without.
    public var queues: Int?
    /// IOThreads that all queues share; nil where each has its own, or the path has none.
    public var ioThreads: Int?
    /// The guest's driver, `bio` or `request`; nil where the path leaves no choice, as in the
    /// following.
    public var driver: String?
    /// How interrupts are held back: `none`, `in-flight`, `FRAMES:MICROSECONDS`.
    public var coalescing: String?
    /// Whether there is one kick for all requests that are placed together.
    public var batchesKicks: Bool?
    /// Whether the end of an interrupt needs no exit (PV-EOI).
    public var hasPVEOI: Bool?
    /// Costs that were modelled, not incurred; usually none.
    public var modelled: [ModelledCost] = []

    /// The deck's job on `path`: 4 KiB, half reads, 32 in flight, both sides blocking.
    public init(path: String, backend: String, luns: Int) {
        self.path = path
        self.backend = backend
        self.luns = luns
        blockSize = 4096
        queueDepth = 32
        readPercent = 50
        deviceWait = "block"
        guestWait = "block"
    }

    /// What of it is set otherwise than usual, in words.
    var settings: [String] {
        var settings: [String] = []
        if let queues, queues > 1 { settings.append("\(path) with \(queues) virtqueues a LUN") }
        if let ioThreads {
            settings.append("\(ioThreads) \(ioThreads == 1 ? "IOThread" : "IOThreads") for all")
        }
        if let driver, driver != "bio" { settings.append("\(driver)-based driver") }
        if let coalescing, coalescing != "none" {
            settings.append("interrupts coalesced \(coalescing)")
        }
        if batchesKicks == false { settings.append("a kick for each request") }
        if hasPVEOI == false { settings.append("no PV-EOI") }
        return settings
    }
}

/// What is counted while a run lasts, and told per request.
public enum BenchMeasure: String, Sendable, CaseIterable {
    /// CPU time of the vCPU threads and of the device threads, nanoseconds (schedstat).
    case vcpuCPU = "vcpu_cpu_ns"
    case deviceCPU = "device_cpu_ns"
    /// Notifications the guest sent, and interrupts it got.
    case kicks
    case interrupts
    /// Times a real guest would have been left: for kicks, interrupts and their ends without
    /// PV-EOI, accesses to emulated registers.
    case exits
    /// Context switches by a thread's own wish and against it (/proc/…/status).
    case voluntarySwitches = "voluntary_switches"
    case involuntarySwitches = "involuntary_switches"
    case lockAcquisitions = "lock_acquisitions"
    /// Acquisitions that had to wait, and the time they waited, nanoseconds.
    case lockWaits = "lock_waits"
    case lockWaitTime = "lock_wait_ns"
    /// Times the guest took the lock of its request queue, and requests merged into others there.
    case requestLocks = "request_queue_locks"
    case merges
    /// Calls that hand requests to the storage (io_submit and its like).
    case submissions
    /// Turns of the device threads that moved requests: requests over turns is the batch.
    case turns
}

/// One measured window of one setup.
public struct BenchRun: Sendable, Equatable {
    /// Length of the window.
    public var seconds: Double
    /// Requests completed in it.
    public var requests: UInt64
    /// Requests by latency.
    public var latencies: LatencyHistogram
    /// What was counted; a measure that is absent was not measured.
    public var counts: [BenchMeasure: UInt64]
    /// Threads that served the LUNs, and threads of the guest; 0 where unknown.
    public var deviceThreads = 0
    public var vcpuThreads = 0

    /// A window with what was counted in it.
    public init(
        seconds: Double, requests: UInt64, latencies: LatencyHistogram,
        counts: [BenchMeasure: UInt64]
    ) {
        self.seconds = seconds
        self.requests = requests
        self.latencies = latencies
        self.counts = counts
    }

    /// Requests per second; 0 for an empty window.
    public var iops: Double { seconds > 0 ? Double(requests) / seconds : 0 }

    /// `measure` per request; nil if it was not measured or nothing completed.
    public func perIO(_ measure: BenchMeasure) -> Double? {
        guard requests > 0 else { return nil }
        return counts[measure].map { Double($0) / Double(requests) }
    }
}

/// All runs of one setup.
public struct BenchPoint: Sendable, Equatable {
    public var setup: BenchSetup
    /// In the order in which they ran.
    public var runs: [BenchRun] = []
    /// Why a measure is missing; one that is neither counted nor here was not asked for.
    public var missing: [BenchMeasure: String] = [:]
    /// Why there are no runs, or fewer than asked for.
    public var failure: String?

    /// A setup without runs yet.
    public init(_ setup: BenchSetup) { self.setup = setup }

    /// Requests per second over the runs; nil without one.
    public var iops: Spread? { Spread(runs.map(\.iops)) }

    /// Latencies of all runs together, microseconds; nil where nothing was timed.
    public var latency: LatencySummary? {
        LatencySummary(of: LatencyHistogram.sum(runs.map { $0.latencies }))
    }

    /// `measure` per request over all runs together; nil unless each run measured it.
    public func perIO(_ measure: BenchMeasure) -> Double? {
        let requests = runs.reduce(0.0) { $0 + Double($1.requests) }
        let counts = runs.compactMap { $0.counts[measure] }
        guard requests > 0, counts.count == runs.count else { return nil }
        return counts.reduce(0.0) { $0 + Double($1) } / requests
    }

    /// CPU time of all threads per request, nanoseconds; nil unless both sides are known.
    public var cpuPerIO: Double? {
        guard let vcpu = perIO(.vcpuCPU), let device = perIO(.deviceCPU) else { return nil }
        return vcpu + device
    }

    /// Context switches of all threads per request; nil unless both kinds are known.
    public var switchesPerIO: Double? {
        guard let wanted = perIO(.voluntarySwitches), let forced = perIO(.involuntarySwitches)
        else { return nil }
        return wanted + forced
    }

    /// Requests a turn of a device thread moved, mean; nil without turns.
    public var batch: Double? { perIO(.turns).flatMap { $0 > 0 ? 1 / $0 : nil } }
}

/// Runs of one path and of fio on the same file, in turn.
public struct BenchPairing: Sendable, Equatable {
    public var setup: BenchSetup
    /// What it was held against: `fio libaio`, `fio io_uring`.
    public var peer: String
    /// Requests per second of each pair of runs.
    public var pairs: [(ours: Double, theirs: Double)] = []
    /// Why there are no pairs, or fewer than asked for.
    public var failure: String?

    /// A comparison without runs yet.
    public init(_ setup: BenchSetup, peer: String) {
        self.setup = setup
        self.peer = peer
    }

    /// Ours over theirs, pair by pair; nil without a pair whose peer moved anything.
    public var ratio: Spread? {
        Spread(pairs.filter { $0.theirs > 0 }.map { $0.ours / $0.theirs })
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.setup == right.setup && left.peer == right.peer && left.failure == right.failure
            && left.pairs.elementsEqual(right.pairs) { $0 == $1 }
    }
}

/// A whole bench: the machine, how it was measured, and every point.
public struct BenchResult: Sendable {
    /// Version of the JSON form.
    public static let schema = 1

    public var machine: BenchMachine
    /// Wall clock at the start, nanoseconds since 1970.
    public var startedAt: Int64
    /// vblktop's version.
    public var version: String
    /// Seconds of each run, and before it, unmeasured.
    public var seconds: Double
    public var warmUp: Double
    /// Runs asked for of each setup.
    public var repeats: Int
    /// What the order of the runs was drawn from.
    public var seed: UInt64
    /// Whether every run that was asked for was done.
    public var isComplete = true
    /// In the order asked for.
    public var points: [BenchPoint] = []
    public var pairings: [BenchPairing] = []
    /// Whether the points are a series of LUN counts, so that the scaling law is fitted.
    public var isScaling = false

    /// A bench that has measured nothing yet.
    public init(
        machine: BenchMachine, startedAt: Int64, version: String, seconds: Double,
        warmUp: Double, repeats: Int, seed: UInt64
    ) {
        self.machine = machine
        self.startedAt = startedAt
        self.version = version
        self.seconds = seconds
        self.warmUp = warmUp
        self.repeats = repeats
        self.seed = seed
    }
}
