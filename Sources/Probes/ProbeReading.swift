public import Telemetry

/// A thread whose events are wanted.
public struct ProbedThread: Sendable, Equatable {
    /// Kernel thread id.
    public var tid: Int
    public var role: ThreadActivity.Role
    /// How it is called among those that wait for a lock.
    public var name: String
    /// When it started, in any unit: another thread of the same id is told by it.
    public var start: UInt64

    /// A thread by its id and role.
    public init(tid: Int, role: ThreadActivity.Role, name: String, start: UInt64 = 0) {
        self.tid = tid
        self.role = role
        self.name = name
        self.start = start
    }
}

/// How much of the system a session may take.
public struct ProbeLimits: Sendable, Equatable {
    /// Descriptors open at a time.
    public var descriptors: Int
    /// Bytes of a thread's ring, and of all together: more threads, smaller rings.
    public var ringByteCount: Int
    public var ringMemory: Int

    /// 4096 descriptors, 64 KiB a ring and 16 MiB of rings unless told otherwise.
    public init(
        descriptors: Int = 4096, ringByteCount: Int = 64 << 10, ringMemory: Int = 16 << 20
    ) {
        self.descriptors = descriptors
        self.ringByteCount = ringByteCount
        self.ringMemory = ringMemory
    }

    /// Bytes of each ring of `count` threads or CPUs, so that all together keep to the limit.
    func ringByteCount(targets count: Int) -> Int {
        let share = ringMemory / max(1, count)
        var size = 8192
        while size * 2 <= min(ringByteCount, share) { size *= 2 }
        return size
    }
}

/// What the probes saw in one interval.
public struct ProbeReading: Sendable, Equatable {
    /// Waits of one thread for locks.
    public struct LockWaits: Sendable, Equatable {
        public var waitsPerSecond: Double
        /// Time waited, percent of the interval.
        public var percent: Double

        /// So many waits that took so much of the time.
        public init(waitsPerSecond: Double, percent: Double) {
            self.waitsPerSecond = waitsPerSecond
            self.percent = percent
        }
    }
    /// The columns of all probes that are on.
    public var columns: [ProbeColumn] = []
    /// By thread id, in the order of `columns`; `nil` where the thread is no subject of the probe,
    /// in the first interval, and as `unavailable` says.
    public var values: [Int: [ProbeValue]] = [:]
    /// By thread id; threads of which it is not known are not there.
    public var lockWaits: [Int: LockWaits] = [:]
    public var locks: [LockActivity] = []
    public var eventCounts: [EventCount] = []
    /// One entry a metric.
    public var unavailable: [Unavailable] = []
    public var status: SourceStatus
    /// Records the kernel had no room for since the session began.
    public var lost: UInt64 = 0
    /// Events counted since then of which there is neither a record nor a loss: the kernel does not
    /// record all that happen in interrupts.
    public var hidden: UInt64 = 0

    /// Nothing seen yet.
    public init(status: SourceStatus) { self.status = status }
}
