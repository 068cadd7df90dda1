public import Telemetry

/// How a guest's requests reach storage: the ways that a hypervisor has had, each doing here what
/// the real one does.
public enum IOPath: String, Sendable, CaseIterable {
    /// virtio-blk with a dedicated thread for each LUN that takes no lock: all that is in the ring
    /// in one turn, one submission, one interrupt at most.
    case dataPlane = "data-plane"
    /// The same with several virtqueues a LUN, each with a thread of its own (IOThread–virtqueue
    /// mapping).
    case multiQueue = "multi-queue"
    /// virtio-blk as it was before: one loop for all LUNs, one mutex that vCPUs take for each exit,
    /// a request object, a submission and an interrupt for every request.
    case bigLock = "big-lock"
    /// A worker for each device, as vhost-blk has in the kernel: it sleeps when its ring is empty,
    /// and submits each request where it takes it from the ring.
    case vhost
    /// A device given to the guest: no virtqueue and no other thread, the vCPU submits to Linux AIO
    /// itself.
    case passThrough = "pass-through"
    /// One virtio-scsi controller with many LUNs behind it: CDBs, addresses, sense data.
    case virtioSCSI = "virtio-scsi"
    /// An emulated IDE disk: one request at a time, a trap for every register.
    case ide

    /// One sentence for the help text.
    public var summary: String {
        switch self {
        case .dataPlane: "virtio-blk, a thread for each LUN that takes no lock"
        case .multiQueue: "the same with several virtqueues, each with a thread"
        case .bigLock: "virtio-blk before that: one loop, one lock, a kick for every request"
        case .vhost: "a worker for each device, as in the kernel"
        case .passThrough: "a device given to the guest, whose vCPUs submit themselves"
        case .virtioSCSI: "LUNs behind one virtio-scsi controller"
        case .ide: "an emulated IDE disk: one request at a time, a trap for each register"
        }
    }

    /// Whether requests go through a virtqueue of virtio-blk.
    public var hasBlockQueue: Bool {
        switch self {
        case .dataPlane, .multiQueue, .bigLock, .vhost: true
        case .passThrough, .virtioSCSI, .ide: false
        }
    }

    /// Whether the guest may kick once for several requests: the old path's never does, and
    /// elsewhere there is no kick or a single request at a time.
    public var batchesKicks: Bool { self == .virtioSCSI || hasBlockQueue && self != .bigLock }

    /// Whether requests pass `stage` on it. Where the guest submits itself there is no ring to wait
    /// in, and nobody who completes or tells.
    public func passes(_ stage: StageTimes.Stage) -> Bool {
        self != .passThrough || stage == .submit || stage == .storage
    }

    /// Whether its exits and its storage's completions take the Big QEMU Lock.
    public var takesBigLock: Bool { self == .bigLock || self == .ide }
}
