/// The host under the VM.
public struct Host: Sendable, Equatable {
    public var disks: [HostDisk]
    /// All CPUs together, percent of the host's whole CPU time (/proc/stat).
    public var cpuPercent: Double?

    /// A host; nothing known unless given.
    public init(disks: [HostDisk] = [], cpuPercent: Double? = nil) {
        self.disks = disks
        self.cpuPercent = cpuPercent
    }
}

/// One block device of the host, in iostat's words (/sys/block/NAME/stat, /proc/diskstats).
public struct HostDisk: Sendable, Equatable {
    /// The kernel's name: `nvme0n1`, `dm-3`.
    public var name: String
    /// The scheduler in use (/sys/block/NAME/queue/scheduler): `none`, `mq-deadline`, …
    public var scheduler: String?
    /// Requests the device's queue takes (queue/nr_requests).
    public var queueSize: Int?
    /// Whether the kernel takes it for a spinning disk (queue/rotational).
    public var isRotational: Bool?
    /// Ids of the LUNs whose data lie on it, `VM/id` where several VMs are watched.
    public var luns: [String] = []
    /// Completed requests per second, all types together.
    public var iops: Double?
    public var reads: Double?
    public var writes: Double?
    public var flushes: Double?
    public var discards: Double?
    /// Bytes per second (512 for each sector counted).
    public var readBytes: Double?
    public var writeBytes: Double?
    /// Requests merged into others before they were queued, per second.
    public var readMerges: Double?
    public var writeMerges: Double?
    /// Mean microseconds from queueing to completion (r_await, w_await).
    public var readAwait: Double?
    public var writeAwait: Double?
    /// 99 % of the reads, of the writes, took at most this from the issue to the driver to their
    /// completion, microseconds; known while BPF programs look.
    public var readP99: Double?
    public var writeP99: Double?
    /// Requests in flight, time-weighted mean over the interval (aqu-sz).
    public var queueDepth: Double?
    /// Requests in flight at the instant of the sample.
    public var inFlight: Int?
    /// Share of the interval with at least one request in flight, 0…100; a parallel device at 100
    /// may still have room.
    public var utilPercent: Double?
    /// Nanoseconds between the two readings its rates are made of; `nil` where there are none, or
    /// they come from elsewhere.
    public var span: Nanoseconds?

    /// A disk called `name`, nothing measured.
    public init(name: String) { self.name = name }
}
