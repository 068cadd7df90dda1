public import Kernel
public import Virtio

/// Where a LUN's data are.
public enum BackendChoice: Sendable {
    /// Nowhere: requests complete at once, no byte moves. The size is only what the guest is told.
    case null(byteCount: Int64)
    /// In this process's memory.
    case memory(byteCount: Int64)
    /// In a file or block device, which is open with O_DIRECT if the cache mode is direct.
    case file(BackingFile, FileAccess = FileAccess())

    /// Capacity in 512-byte sectors.
    public var sectors: UInt64 {
        switch self {
        case .null(let byteCount), .memory(let byteCount): UInt64(max(0, byteCount)) / 512
        case .file(let file, let access):
            switch access.format {
            case .raw: UInt64(max(0, file.byteCount)) / 512
            case .qcow2(let byteCount): UInt64(max(0, byteCount)) / 512
            }
        }
    }

    /// Whether it reads as zeroes until it is written.
    var isBlank: Bool {
        if case .file(let file, _) = self { file.isBlank } else { true }
    }

    /// Whether writes are refused.
    public var isReadOnly: Bool {
        if case .file(let file, _) = self { file.isReadOnly } else { false }
    }
}

/// The load on one LUN, in fio's terms.
public struct JobConfiguration: Sendable {
    /// The order of the blocks a job touches.
    public enum Pattern: Sendable { case random, sequential }
    public var pattern: Pattern = .random
    /// Share of reads among reads and writes, 0…100.
    public var readPercent = 50
    /// Bytes of one request, a multiple of 512.
    public var blockSize = 4096
    /// Requests each job keeps in flight.
    public var depth = 32
    /// Jobs on the LUN, each with its own place and `depth` requests.
    public var jobs = 1
    /// Requests per second of all jobs together, `nil` for as many as go through.
    public var rate: Double?
    /// How far the rate swings around its mean, 0…1, and in how many seconds.
    public var swing = 0.0
    public var swingPeriod = 60.0
    /// A FLUSH after this many writes, 0 for none.
    public var flushEvery = 0
    /// Writes carry LUN, sector and generation, and reads check them.
    public var verifies = false
    /// The same seed gives the same requests.
    public var seed: UInt64 = 1

    /// The deck's job: 50/50 random, 4 KiB, 32 in flight, as fast as it goes.
    public init() {}
}

/// One LUN of the engine: its device, its data and its load.
public struct LUNConfiguration: Sendable {
    public var id: String
    public var backend: BackendChoice
    public var job: JobConfiguration
    /// Descriptors in the ring, a power of two up to 1024.
    public var queueSize = 256
    public var features: QueueFeatures = [.indirect, .eventIndex]
    /// A modelled service time on top of the backend's own.
    public var serviceTime: ServiceTime?
    /// Segments of data one request may have (SEG_MAX).
    public var segmentLimit = 126

    /// A LUN called `id`.
    public init(id: String, backend: BackendChoice, job: JobConfiguration) {
        self.id = id
        self.backend = backend
        self.job = job
    }

    /// Requests its jobs can have in flight together, whatever the ring holds.
    var slots: Int { max(1, job.depth * job.jobs) }
}
