/// What one thread of the VM's process did during the interval.
public struct ThreadActivity: Sendable, Equatable {
    /// The VM it belongs to; `nil` where only one is watched.
    public var vm: String?
    /// What the thread is for, as the JSON names it.
    public enum Role: String, Sendable, Codable {
        case vcpu, iothread, main, worker, device, other
    }
    public var tid: Int
    public var role: Role
    /// The thread's own name (/proc/PID/task/TID/comm), or a better one the source knows.
    public var name: String
    /// Ids of the LUNs it serves.
    public var luns: [String]
    /// CPU time, percent of one core (/proc/…/schedstat column 1).
    public var cpuPercent: Double?
    /// Context switches per second by its own wish (it blocked or yielded to nothing) and against
    /// it (/proc/…/status `voluntary_ctxt_switches`, `nonvoluntary_ctxt_switches`).
    public var voluntarySwitches: Double?
    public var involuntarySwitches: Double?
    /// Moves to another CPU per second (/proc/…/sched `nr_migrations`).
    public var migrations: Double?
    /// Time runnable but waiting for a CPU, percent of the interval (schedstat column 2).
    public var runDelayPercent: Double?
    public var lockWaits: Double?
    /// Time waiting for locks, percent of the interval.
    public var lockWaitPercent: Double?
    /// The CPU it last ran on (/proc/…/stat column 39).
    public var lastCPU: Int?
    /// Share of the interval in which it moved requests, percent; known of the engine's own
    /// threads.
    public var busyPercent: Double?
    /// Share of the interval in which it looked for work and found none, percent.
    public var pollPercent: Double?
    /// Values of the probes opened on it, in the order of `Snapshot.probeColumns`.
    public var probes: [ProbeValue] = []
    /// Nanoseconds between the two readings its switches per second are made of; `nil` where
    /// there are none.
    public var span: Nanoseconds?

    /// A thread with nothing measured yet.
    public init(tid: Int, role: Role, name: String, luns: [String] = []) {
        self.tid = tid
        self.role = role
        self.name = name
        self.luns = luns
    }
}

/// What waiting for one lock cost during the interval.
public struct LockActivity: Sendable, Equatable {
    /// The VM it belongs to; `nil` where only one is watched.
    public var vm: String?
    /// What the lock is: `BQL`, or the address and mapping of a futex.
    public var name: String
    /// Contended acquisitions per second.
    public var waits: Double?
    /// Time spent waiting by all waiters, percent of the interval (over 100 when several wait).
    public var waitPercent: Double?
    /// The longest single wait, microseconds.
    public var longest: Double?
    /// Names of the threads that waited.
    public var waiters: [String]
    /// 99 % of the waits took at most this, microseconds.
    public var p99: Double?

    /// A lock's waits.
    public init(
        name: String, waits: Double?, waitPercent: Double?, longest: Double?, waiters: [String]
    ) {
        self.name = name
        self.waits = waits
        self.waitPercent = waitPercent
        self.longest = longest
        self.waiters = waiters
    }
}
