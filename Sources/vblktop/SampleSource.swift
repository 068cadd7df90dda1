import Attach
public import Demo
import Doctor
import Kernel
public import Recording
public import Rings
import Telemetry

/// Where samples come from. One thread owns it.
protocol SampleSource {
    /// One sample; the first has no rates.
    mutating func sample() -> Snapshot
    /// Rests until `deadline` (`CLOCK_MONOTONIC` nanoseconds) or until the descriptor `wake` is
    /// readable, and meanwhile takes what its own descriptors bring.
    mutating func rest(until deadline: Nanoseconds, wake: Int32)
    /// Samples will be `interval` nanoseconds apart from now on.
    mutating func change(interval: Nanoseconds)
    /// Opens or closes the probes that cost the watched VM something: tracepoints.
    mutating func enableTracepoints(_ isOn: Bool)
    /// Its single requests, where it can tell them apart.
    var requestFeed: (any RequestFeed)? { get }
    /// Records kernel events one by one for `seconds`, where it has any.
    mutating func traceKernelEvents(seconds: Double)
    /// The kernel events since this was called last; `ends` closes what is open first.
    mutating func takeKernelEvents(ends: Bool) -> KernelEventBatch
    /// Whether it has not told yet all that is to be known of its settings.
    var isLearning: Bool { get }
    /// Lets go of what is watched; nothing is sampled afterwards. Returns what could not be put
    /// right, in lines for the user.
    mutating func finish() -> [String]
}

extension DemoRequests: RequestFeed {}

extension DemoSource: SampleSource {
    var requestFeed: (any RequestFeed)? { requests }
    var isLearning: Bool { false }

    mutating func finish() -> [String] {
        stop()
        return []
    }

    mutating func rest(until deadline: Nanoseconds, wake: Int32) {
        let now = Clock.monotonic()
        guard deadline > now else { return }
        // What fails here fails for whoever reads `wake` too, and is told there.
        _ = try? waitForInput([wake], timeout: .nanoseconds(Int64(clamping: deadline - now)))
    }

    // The engine's counters cost the same however often they are read, and it has no tracepoints.
    mutating func change(interval: Nanoseconds) {}
    mutating func enableTracepoints(_ isOn: Bool) {}
    mutating func traceKernelEvents(seconds: Double) {}
    mutating func takeKernelEvents(ends: Bool) -> KernelEventBatch { KernelEventBatch() }
}

extension RingRequests: RequestFeed {}

extension AttachSource: SampleSource {
    // QEMU tells of no single request: its virtqueues show them.
    var requestFeed: (any RequestFeed)? { ringRequests }
}

/// The next instant of a steady beat: `interval` after the one at `last`, or `now` once a whole
/// beat was missed, for missed samples are never made up for.
func beat(after last: Nanoseconds, interval: Nanoseconds, now: Nanoseconds) -> Nanoseconds {
    let next = last + interval
    return now > next + interval ? now : next
}

/// What the command line asks to watch.
struct SourceChoice: Sendable {
    enum Kind: Sendable {
        case demo(DemoConfiguration)
        case attach(AttachConfiguration)
    }
    let kind: Kind
    /// What the doctor is to say nothing of.
    var silences = Silences()

    init(_ kind: Kind) { self.kind = kind }

    /// Opens the source. `ownThreads` are the kernel ids of the threads that do the watching, and
    /// `interval` the seconds between samples at the start.
    func open(ownThreads: [Int], interval: Double) throws -> any SampleSource {
        ExaminedSource(
            try openBare(ownThreads: ownThreads, interval: interval), silences: silences)
    }

    /// Likewise, without a doctor's findings in the samples.
    func openBare(ownThreads: [Int], interval: Double) throws -> any SampleSource {
        switch kind {
        case .demo(let configuration):
            return try DemoSource(configuration, ownThreads: ownThreads)
        case .attach(var configuration):
            configuration.interval = interval
            return try AttachSource(configuration, ownThreads: ownThreads)
        }
    }
}
