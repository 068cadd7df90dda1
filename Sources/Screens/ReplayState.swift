public import Telemetry

/// One instant on both clocks.
public struct Moment: Sendable, Equatable {
    /// `CLOCK_MONOTONIC` nanoseconds of the host that was watched.
    public var monotonic: Nanoseconds
    /// Nanoseconds since 1970-01-01 UTC.
    public var wallClock: Int64

    /// The instant both clocks told.
    public init(monotonic: Nanoseconds, wallClock: Int64) {
        self.monotonic = monotonic
        self.wallClock = wallClock
    }

    /// The instant of a sample.
    public init(_ snapshot: Snapshot) {
        self.init(monotonic: snapshot.monotonic, wallClock: snapshot.wallClock)
    }

    /// The wall clock at `other`, as if it had run steadily from here; saturates.
    func wallClock(at other: Nanoseconds) -> Int64 {
        let isLater = other >= monotonic
        let distance = Int64(clamping: isLater ? other - monotonic : monotonic - other)
        let (sum, overflow) =
            isLater
            ? wallClock.addingReportingOverflow(distance)
            : wallClock.subtractingReportingOverflow(distance)
        return overflow ? (isLater ? .max : .min) : sum
    }
}

/// A recording that is played on the screens: what its owner tells of it. The samples themselves
/// are in the `SnapshotHistory`, which is a window on the recording.
public struct ReplayState: Sendable, Equatable {
    /// The file's name without its folder.
    public var name: String
    /// The first and last sample of the recording.
    public var first: Moment
    public var last: Moment
    public var speed: PlaySpeed = .normal
    /// Whether time runs; the keys change it, and the owner where it stops at the end.
    public var isPlaying = false
    /// Whether the file is still being written, so that `last` moves on.
    public var isGrowing = false
    /// Stretches of the file that could not be read.
    public var damaged = 0
    /// Records lost while recording, exact.
    public var lost: UInt64 = 0
    /// What the recording marks, in any order: notes, triggers, findings, notices, changes.
    public var marks: [Mark] = []
    /// Stretches without data, `CLOCK_MONOTONIC` nanoseconds.
    public var gaps: [ClosedRange<Nanoseconds>] = []
    /// The whole recording in a few hundred to a few thousand buckets, the oldest first; empty
    /// shows the samples of the window alone.
    public var overview: [TimelineBucket] = []
    /// Length of the gap that was just jumped over, nanoseconds; `nil` once that is no news.
    public var skipped: Nanoseconds?

    /// A recording from `first` to `last`, paused at normal speed.
    public init(name: String, first: Moment, last: Moment) {
        self.name = name
        self.first = first
        self.last = last
    }
}

/// Whether this program writes a recording, and what its flight recorder does.
public struct RecorderState: Sendable, Equatable {
    /// The recording to a file.
    public enum File: Sendable, Equatable {
        case off
        /// Being written; bytes so far.
        case on(bytes: UInt64)
        /// Stopped by an error, one line.
        case failed(reason: String)
    }
    /// The recording in memory that a trigger writes out.
    public enum FlightRecorder: Sendable, Equatable {
        case off
        /// Keeps the last so many seconds.
        case armed(seconds: Double)
        /// Written out, because of this, one line.
        case fired(reason: String)
    }
    public var file: File
    public var flightRecorder: FlightRecorder

    /// What is recorded; nothing unless given.
    public init(file: File = .off, flightRecorder: FlightRecorder = .off) {
        self.file = file
        self.flightRecorder = flightRecorder
    }
}

/// Where to go in a recording; the owner loads the samples around it and hands them to
/// `SnapshotHistory.replace(window:showing:)`. What lies outside the recording is its nearer end.
public enum Seek: Sendable, Equatable {
    /// The last sample at or before this `CLOCK_MONOTONIC` time.
    case time(Nanoseconds)
    /// The first sample at or after this `CLOCK_MONOTONIC` time: the one that tells of what
    /// happened then.
    case event(Nanoseconds)
    /// The last sample at or before this wall clock time, nanoseconds since 1970-01-01 UTC.
    case wallClock(Int64)
    /// So many seconds on (back if negative) from the sample shown.
    case relative(Double)
    /// So many samples on (back if negative) from the sample shown.
    case samples(Int)
    case start
    case end
}

/// The smallest and the largest of some values.
public struct Extent: Sendable, Equatable {
    public var low: Double
    public var high: Double

    /// From `low` to `high`.
    public init(low: Double, high: Double) {
        self.low = low
        self.high = high
    }

    /// `value` alone; `nil` where there is none.
    public init?(_ value: Double?) {
        guard let value, value.isFinite else { return nil }
        self.init(low: value, high: value)
    }

    /// Both together.
    func union(_ other: Extent) -> Extent {
        Extent(low: min(low, other.low), high: max(high, other.high))
    }
}

/// What all LUNs together did in a stretch of a recording; `nil` where nothing is known.
public struct TimelineBucket: Sendable, Equatable {
    /// Begins after `start`, ends with `end`, `CLOCK_MONOTONIC` nanoseconds.
    public var start: Nanoseconds
    public var end: Nanoseconds
    /// Requests per second.
    public var iops: Extent?
    /// The larger p99 of reads and writes, microseconds.
    public var p99: Extent?
    /// Mean requests in flight.
    public var depth: Extent?
    /// Bytes per second.
    public var bytes: Extent?

    /// A stretch of which nothing is known yet.
    public init(start: Nanoseconds, end: Nanoseconds) {
        self.start = start
        self.end = end
    }

    /// The stretch that ends at `monotonic`, in which all LUNs did `total`; `interval` in seconds.
    public init(_ total: BlockRates, at monotonic: Nanoseconds, interval: Double?) {
        let nanoseconds = (interval ?? 0) * 1e9
        let length = nanoseconds > 0 && nanoseconds < 1e18 ? Nanoseconds(nanoseconds) : 0
        self.init(start: monotonic - min(monotonic, length), end: monotonic)
        iops = Extent(total.iops)
        p99 = Extent(total.worstP99)
        depth = Extent(total.queueDepth?.mean)
        bytes = Extent(total.bytes)
    }

    /// Takes in a later stretch.
    public mutating func merge(_ other: TimelineBucket) {
        func both(_ mine: Extent?, _ theirs: Extent?) -> Extent? {
            guard let mine, let theirs else { return mine ?? theirs }
            return mine.union(theirs)
        }
        start = min(start, other.start)
        end = max(end, other.end)
        iops = both(iops, other.iops)
        p99 = both(p99, other.p99)
        depth = both(depth, other.depth)
        bytes = both(bytes, other.bytes)
    }
}
