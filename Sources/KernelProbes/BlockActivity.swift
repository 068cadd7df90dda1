public import Telemetry

/// What one disk of the host did between two samples, every request counted.
public struct BlockActivity: Sendable, Equatable {
    /// Issue to the driver → completion, reads and writes.
    public var reads = LatencyHistogram()
    public var writes = LatencyHistogram()
    /// Made by the block layer → issued to the driver: scheduler and waiting for a free tag. Empty
    /// where the disk's accounting is off (queue/iostats).
    public var queuedReads = LatencyHistogram()
    public var queuedWrites = LatencyHistogram()
    /// Requests completed.
    public var readCount: UInt64 = 0
    public var writeCount: UInt64 = 0
    public var flushCount: UInt64 = 0
    public var discardCount: UInt64 = 0
    /// Of other kinds, such as a driver's own commands.
    public var otherCount: UInt64 = 0
    /// Bytes of the reads and writes completed.
    public var readBytes: UInt64 = 0
    public var writeBytes: UInt64 = 0
    /// Completed with an error.
    public var errors: UInt64 = 0
    /// Given back by the driver.
    public var requeued: UInt64 = 0
    /// Issued and not followed, as the program had no room: missing in all the above.
    public var unfollowed: UInt64 = 0
    /// Issued anew though no end of the request before was seen, as where the kernel skipped a
    /// program that would have interrupted itself: likewise. Until then it counts as under way.
    public var unseen: UInt64 = 0
    /// With the driver at the time of the sample, of those issued since the programs run.
    public var inFlight = 0
    /// Nanoseconds since the sample before.
    public var span: Nanoseconds = 0

    /// Nothing happened.
    public init() {}

    /// Requests completed, whatever their kind.
    public var completions: UInt64 {
        readCount + writeCount + flushCount + discardCount + otherCount
    }

    /// Completions per second; `nil` for no time to speak of.
    public var iops: Double? {
        span >= 1_000_000 ? Double(completions) / (Double(span) / 1e9) : nil
    }
}

/// What the program counts of a disk; the order is that of `struct disk_counts`.
struct DiskCounts {
    static let words = 13
    private(set) var words = [UInt64](repeating: 0, count: DiskCounts.words)

    private var issued: UInt64 { words[0] }
    private var requeued: UInt64 { words[9] }
    private var unseen: UInt64 { words[12] }
    private var completed: UInt64 { words[1...5].reduce(0, &+) }
    /// Where the records are counted for which the ring had no room.
    static let lostPlace = 11

    /// CPUs are read one after the other: a completion may be seen before its issue.
    var inFlight: Int {
        max(0, Int(truncatingIfNeeded: issued &- completed &- requeued &- unseen))
    }

    /// Replaces the counts by `current` and adds what is new to `activity`.
    mutating func advance(to current: [UInt64], _ activity: inout BlockActivity) {
        let new = zip(current, words).map { $0 &- $1 }
        words = current
        activity.readCount = new[1]
        activity.writeCount = new[2]
        activity.flushCount = new[3]
        activity.discardCount = new[4]
        activity.otherCount = new[5]
        activity.readBytes = new[6]
        activity.writeBytes = new[7]
        activity.errors = new[8]
        activity.requeued = new[9]
        activity.unfollowed = new[10]
        activity.unseen = new[12]
        activity.inFlight = inFlight
    }
}
