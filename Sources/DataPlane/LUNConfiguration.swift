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

    /// Whether where its data are stands in tables that writes change.
    var hasTables: Bool {
        if case .file(_, let access) = self, case .qcow2 = access.format { true } else { false }
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

    /// Requests its jobs can have in flight together, whatever the ring holds.
    var slots: Int { max(1, depth * jobs) }

    /// The deck's job: 50/50 random, 4 KiB, 32 in flight, as fast as it goes.
    public init() {}
}

/// One LUN of the engine: its device, its data and its load.
public struct LUNConfiguration: Sendable {
    /// Queues a LUN may have; its guest memory has room for as many.
    public static let mostQueues = 8

    public var id: String
    public var path = IOPath.dataPlane
    public var backend: BackendChoice
    public var job: JobConfiguration
    /// Virtqueues, 1…8, each with a thread and a part of the jobs of its own; more than one only on
    /// `IOPath.multiQueue`.
    public var queues = 1
    /// Descriptors in each ring, a power of two up to 1024.
    public var queueSize = 256
    /// What driver and device agreed on.
    public var features: QueueFeatures {
        get {
            // The old path told the other side of every request; it had no event indices.
            path.takesBigLock ? offeredFeatures.subtracting(.eventIndex) : offeredFeatures
        }
        set { offeredFeatures = newValue }
    }
    private var offeredFeatures: QueueFeatures = [.indirect, .eventIndex]
    /// A modelled service time on top of the backend's own.
    public var serviceTime: ServiceTime?
    /// A modelled class of storage in front of the backend.
    public var storageModel: StorageModel?
    /// Segments of data one request may have (SEG_MAX).
    public var segmentLimit = 126
    /// Whether the driver kicks once for all that it placed together, as `virtio_queue_rqs` does,
    /// and not for every request. The old path never does.
    public var batchesKicks = true
    public var coalescing = InterruptCoalescing.none
    /// How the guest's driver puts requests into the ring; only virtio-blk has the choice.
    public var driver = GuestDriver.bio
    /// Whether the guest ends an interrupt by writing to memory, without an exit (PV-EOI).
    public var hasPVEOI = true

    /// A LUN called `id`.
    public init(id: String, backend: BackendChoice, job: JobConfiguration) {
        self.id = id
        self.backend = backend
        self.job = job
    }

    /// Descriptors of an indirect table: a merged request may have as many segments as a request
    /// may.
    var tableEntries: Int {
        driver == .request ? segmentLimit + 2 : LUNMemory.descriptorsPerTable
    }

    /// Whether each request has a kick of its own.
    var kicksEach: Bool { !batchesKicks || path.takesBigLock }
    /// Whether each request has an interrupt of its own.
    var notifiesEach: Bool { path.takesBigLock }

    /// The jobs of queue `number`: whole ones where there are enough, else equal parts of their
    /// depth, as a job has that many CPUs submit for.
    func job(ofQueue number: Int) -> JobConfiguration {
        guard queues > 1 else { return job }
        func share(_ whole: Int) -> Int { whole / queues + (number < whole % queues ? 1 : 0) }
        var mine = job
        if job.jobs >= queues {
            mine.jobs = share(job.jobs)
        } else {
            (mine.jobs, mine.depth) = (1, share(job.slots))
        }
        mine.rate = job.rate.map { $0 * Double(mine.slots) / Double(job.slots) }
        mine.seed = job.seed &+ UInt64(number) << 32
        return mine
    }

    /// The sectors that the jobs of queue `number` work on: each queue has a part of the disk, so
    /// that no two of them meet in a block.
    func part(ofQueue number: Int) -> Range<UInt64> {
        let sectorsPerBlock = UInt64(max(512, job.blockSize)) / 512
        let blocks = max(1, backend.sectors / sectorsPerBlock)
        let queues = UInt64(max(1, self.queues))
        func border(_ number: Int) -> UInt64 { blocks * UInt64(number) / queues * sectorsPerBlock }
        return border(number)..<border(number + 1)
    }
}
