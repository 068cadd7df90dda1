/// One virtual disk: what it is and what it did during the interval.
public struct LUN: Sendable, Equatable {
    /// The VM it belongs to; `nil` where only one is watched.
    public var vm: String?
    /// The device's id, unique in its VM: QEMU's qdev id, or `vd00`… in the embedded engine.
    public var id: String
    /// The block node under it (QMP `node-name`).
    public var node: String?
    /// The device model, for example `virtio-blk-pci`.
    public var device: String
    /// The way its requests take to the storage, in the embedded engine's words (`data-plane`,
    /// `big-lock`, …); `nil` for a VM, of which device, IOThread and backend say it.
    public var path: String?
    /// Number of request virtqueues.
    public var queues: Int?
    /// Descriptors in each virtqueue.
    public var queueSize: Int?
    /// The IOThread that serves it, several joined by `,` (iothread-vq-mapping); `nil` for the main
    /// loop and where it is not known.
    public var ioThread: String?
    /// Whether the main loop serves it, and no IOThread; `nil` where that is not known.
    public var isOnMainLoop: Bool?
    /// Its place on the guest's PCI bus: `0000:00:05.0`.
    public var pciAddress: String?
    /// The file or device behind it.
    public var file: String?
    /// Image format: `raw`, `qcow2`, …
    public var format: String?
    /// QEMU's word for the cache mode: `none`, `writeback`, …
    public var cache: String?
    /// QEMU's word for the I/O model: `native`, `threads`, `io_uring`.
    public var aio: String?
    /// The block graph under it, the root first.
    public var graph: [BlockNode] = []
    /// Limits set on it, in QEMU's words: `iops-total=1000 iops-total-max=2000
    /// iops-total-max-length=10 iops-size=4096 group=g0`. Bursts that last a second, and sizes of
    /// 0, are not named.
    public var throttle: String?
    /// Names of the virtio features the driver took (`x-query-virtio-status`).
    public var features: [String] = []
    /// The host's disk its data lie on, a name of `Host.disks`.
    public var hostDisk: String?
    /// What of this LUN is modelled and not incurred, for example an added service time.
    public var modelled: String?
    public var rates: BlockRates
    public var virtqueues: [Virtqueue]
    /// Reads, submission to completion as the guest sees it; `nil` where only means are known.
    public var readLatencies: LatencyHistogram?
    /// Writes, likewise.
    public var writeLatencies: LatencyHistogram?
    /// Nanoseconds between the two readings its rates are made of; `nil` where there are none, or
    /// they come from elsewhere.
    public var span: Nanoseconds?

    /// Unique over all VMs watched: `VM/id` where there are several, else the id.
    public var qualifiedID: String { vm.map { $0 + "/" + id } ?? id }

    /// Whether `other` is the same LUN, set up the same way, whatever either does.
    public func isSetUp(like other: LUN) -> Bool {
        vm == other.vm && id == other.id && node == other.node && device == other.device
            && path == other.path && queues == other.queues && queueSize == other.queueSize
            && ioThread == other.ioThread && isOnMainLoop == other.isOnMainLoop
            && pciAddress == other.pciAddress && file == other.file && format == other.format
            && cache == other.cache && aio == other.aio && graph == other.graph
            && throttle == other.throttle && features == other.features
            && hostDisk == other.hostDisk && modelled == other.modelled
    }

    /// A LUN with nothing known but its identity.
    public init(id: String, device: String) {
        self.id = id
        self.device = device
        self.rates = BlockRates()
        self.virtqueues = []
    }
}

/// What one LUN, or all together, did per second.
public struct BlockRates: Sendable, Equatable {
    /// Completed requests per second by type.
    public var reads: Double?
    public var writes: Double?
    public var flushes: Double?
    public var discards: Double?
    public var writeZeroes: Double?
    /// All completed requests per second, whatever their type.
    public var iops: Double?
    /// Bytes per second moved by completed reads and writes.
    public var readBytes: Double?
    public var writeBytes: Double?
    /// Requests merged into others before they went to the backend, per second.
    public var merges: Double?
    public var queueDepth: QueueDepth?
    public var readLatency: LatencySummary?
    public var writeLatency: LatencySummary?
    public var stages: StageTimes?
    /// How each of `stages` came about.
    public var stageQuality = StageQualities()
    /// By how much a request's latency may be off in either direction, microseconds, the mean of
    /// those that `readLatency` and `writeLatency` count; `nil` where they were stamped.
    public var latencyUncertainty: Double?
    /// Kicks (driver to device notifications) per second.
    public var kicks: Double?
    /// Interrupts (device to driver notifications) per second.
    public var interrupts: Double?
    /// Times per second that the guest was left: for a kick, for an access to an emulated register,
    /// for an interrupt that arrived and for telling its end. The embedded engine counts them;
    /// `nil` for a VM, whose exits nobody tells apart by LUN.
    public var exits: Double?
    /// Requests that ended with an error per second.
    public var errors: Double?
    /// Age of the oldest request in flight, microseconds; `nil` when none is in flight or unknown.
    public var oldestInFlight: Double?

    /// Nothing known.
    public init() {}

    /// Bytes per second in both directions.
    public var bytes: Double? { sum(readBytes, writeBytes) }

    /// Mean latency of reads and writes together, microseconds, weighted by their rates; `nil`
    /// where more than one in ten is of a kind whose mean is not known.
    public var meanLatency: Double? {
        LatencySummary.mean(of: [readLatency, writeLatency], by: [reads, writes])
    }

    /// The larger p99 of reads and writes, microseconds.
    public var worstP99: Double? {
        guard let read = readLatency?.p99, let write = writeLatency?.p99 else {
            return readLatency?.p99 ?? writeLatency?.p99
        }
        return max(read, write)
    }

    /// Mean size of a read or write, bytes.
    public var meanRequestBytes: Double? {
        guard let bytes, let requests = sum(reads, writes), requests > 0 else { return nil }
        return bytes / requests
    }

    /// `rate` for each completed request, for example interrupts per I/O.
    public func perRequest(_ rate: Double?) -> Double? {
        guard let rate, let iops, iops > 0 else { return nil }
        return rate / iops
    }

    private func sum(_ a: Double?, _ b: Double?) -> Double? {
        a == nil && b == nil ? nil : (a ?? 0) + (b ?? 0)
    }
}

/// Requests in flight, from submission by the driver to the driver's having seen the completion.
public struct QueueDepth: Sendable, Equatable {
    /// At the instant of the sample; `nil` where only the mean is known.
    public var now: Int?
    /// Time-weighted over the interval; iostat's aqu-sz.
    public var mean: Double
    /// Half of the time the depth was at most this.
    public var p50: Int?
    /// 99 % of the time the depth was at most this.
    public var p99: Int?
    public var max: Int?

    /// The depth now where it is known, else the interval's mean.
    public var nowOrMean: Double { now.map(Double.init) ?? mean }

    /// A queue depth; percentiles `nil` where they cannot be added up (totals).
    public init(now: Int?, mean: Double, p50: Int? = nil, p99: Int? = nil, max: Int? = nil) {
        self.now = now
        self.mean = mean
        self.p50 = p50
        self.p99 = p99
        self.max = max
    }
}

/// Where a request's time went, mean microseconds each.
public struct StageTimes: Sendable, Equatable {
    /// The stages in the order a request passes them.
    public enum Stage: Int, Sendable, CaseIterable {
        case ringWait, submit, storage, complete, notify

        /// The JSON key.
        public var key: String {
            switch self {
            case .ringWait: "ring_wait"
            case .submit: "submit"
            case .storage: "storage"
            case .complete: "complete"
            case .notify: "notify"
            }
        }
    }
    /// Published in the avail ring → popped by the device.
    public var ringWait: Double?
    /// Popped → handed to the backend.
    public var submit: Double?
    /// Handed to the backend → completed by it.
    public var storage: Double?
    /// Completed → published in the used ring.
    public var complete: Double?
    /// Published in the used ring → seen by the driver.
    public var notify: Double?

    /// Stage means in microseconds.
    public init(
        ringWait: Double? = nil, submit: Double? = nil, storage: Double? = nil,
        complete: Double? = nil, notify: Double? = nil
    ) {
        self.ringWait = ringWait
        self.submit = submit
        self.storage = storage
        self.complete = complete
        self.notify = notify
    }

    /// The mean of one stage, microseconds.
    public subscript(stage: Stage) -> Double? {
        get {
            switch stage {
            case .ringWait: ringWait
            case .submit: submit
            case .storage: storage
            case .complete: complete
            case .notify: notify
            }
        }
        set {
            switch stage {
            case .ringWait: ringWait = newValue
            case .submit: submit = newValue
            case .storage: storage = newValue
            case .complete: complete = newValue
            case .notify: notify = newValue
            }
        }
    }
}

/// One virtqueue as a read-only observer sees it (virtio 1.2 §2.7).
public struct Virtqueue: Sendable, Equatable {
    /// 0-based number of the queue in its device.
    public var index: Int
    /// Descriptors in the table.
    public var size: Int
    /// `avail.idx` as last published by the driver (wraps at 65,536).
    public var availIndex: UInt16
    /// `used.idx` as last published by the device (wraps at 65,536).
    public var usedIndex: UInt16
    /// Requests the driver published and the device has not completed: `avail.idx − used.idx`.
    public var inFlight: Int
    /// Published by the driver, not yet popped by the device; `nil` where that cannot be seen.
    public var waiting: Int?
    public var kicks: Double?
    public var interrupts: Double?
    /// Share of the batches for which the device had asked not to be kicked, percent.
    public var kicksSuppressedPercent: Double?
    /// Share of the batches for which the driver had asked not to be interrupted, percent.
    public var interruptsSuppressedPercent: Double?
    /// Share of the interval during which the driver had requests it could not place, percent.
    public var fullPercent: Double?
    /// Mean requests per turn of the device thread.
    public var batch: Double?
    /// Completed by the device, not yet reaped by the driver; `nil` where that cannot be seen.
    public var unreaped: Int?
    /// Published by the driver per second (steps of `avail.idx`).
    public var submissions: Double?
    /// Completed by the device per second (steps of `used.idx`).
    public var completions: Double?
    /// Time-weighted mean of `inFlight` over the interval.
    public var meanInFlight: Double?

    /// A virtqueue with its indices.
    public init(index: Int, size: Int, availIndex: UInt16, usedIndex: UInt16, inFlight: Int) {
        self.index = index
        self.size = size
        self.availIndex = availIndex
        self.usedIndex = usedIndex
        self.inFlight = inFlight
    }
}
