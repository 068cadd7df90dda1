public import Telemetry

/// What was seen of one VM's virtqueues since it was asked before.
public struct RingReading: Sendable {
    /// By `LUN.id`.
    public var luns: [String: LUNRings] = [:]
    /// `CLOCK_MONOTONIC` nanoseconds of the newest look at the rings; `nil` before the first.
    public var newest: Nanoseconds?
    /// Why the rings cannot be read, with what would help; `nil` while they can.
    public var problem: RingProblem?
    /// Looks at the rings per second, as they really were.
    public var rate: Double?
    /// CPU of the sampling thread, percent of one core, all VMs together.
    public var cpuPercent: Double?

    /// Nothing seen.
    public init() {}
}

/// What one LUN's virtqueues showed.
public struct LUNRings: Sendable {
    public var virtqueues: [Virtqueue] = []
    /// `CLOCK_MONOTONIC` nanoseconds of the last look at the virtqueue that was looked at longest
    /// ago, and of that which was looked at last: at those that are idle not every look is.
    public var lookedAt: ClosedRange<Nanoseconds>?
    /// `nil` where a queue could not be followed during the whole interval.
    public var queueDepth: QueueDepth?
    /// Means by Little's law: how many requests were in a stage, over how many passed.
    public var stages: StageTimes?
    /// Why there are no `stages`; `nil` where there are, and where no request ended.
    public var whyNoStages: StageGap?
    public var stageQuality = StageQualities()
    /// The oldest first.
    public var inFlight: [InFlightRequest] = []
    /// Requests that were followed and ended, the slowest first.
    public var slowest: [IOEvent] = []
    /// Of the requests followed; empty where none was.
    public var readLatencies = RingLatencies()
    public var writeLatencies = RingLatencies()
    /// Of requests that ended before anybody could see what they were.
    public var untypedLatencies = RingLatencies()
    /// Mean of the followed requests' `latencyError`, microseconds.
    public var latencyUncertainty: Double?
    /// Requests that ended, by the indices.
    public var ended: UInt64 = 0
    /// Requests of them whose beginning and end were both seen.
    public var followed: UInt64 = 0
    /// The others: they came and went between two looks and left no trace but the indices, or their
    /// beginning was not seen.
    public var slipped: UInt64 = 0

    /// Nothing seen.
    public init() {}
}

/// Why nothing is said of where the time of a LUN's requests goes.
public enum StageGap: Sendable, Equatable {
    /// Neither side of its virtqueue shows how far it is.
    case hidden
    /// So few requests ended that a mean would be the luck of a look.
    case fewRequests
    /// Its requests are over before the next look.
    case brief
}

/// Why rings cannot be read.
public enum RingProblem: Error, Sendable, Equatable {
    /// The process has ended.
    case gone
    /// The kernel forbids reading its memory.
    case notPermitted
    /// What is at the addresses is no ring any more, or not this one: they must be asked for again.
    case stale(String)
    /// Any other error of the kernel.
    case failed(String)
}
