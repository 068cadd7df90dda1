internal import Libraries
public import Telemetry

/// Requests to chosen disks of the host, counted and timed by BPF programs from issue to
/// completion, none left out. One thread uses it; it never waits. The programs run as long as it
/// lives.
///
/// A disk made of others by remapping (dm-linear, md) has no requests of its own: choose those
/// beneath it.
public struct BlockStages {
    /// The disks, each once, in the order of their slots.
    public let devices: [DeviceNumber]

    private let object: BPFObject
    private let tallies: BPFMap
    private let counts: BPFMap
    private let recording: BPFMap
    private var histograms: [Tally]
    private var books: [DiskCounts]
    private var lastSample: Nanoseconds?
    private var lostTold: UInt64 = 0
    private var scratch: [UInt64] = []
    private var sum: [UInt64] = []

    private static let name = "block"
    /// Of a disk: reads and writes, times of service and queued.
    private static let talliesPerDisk = 4
    /// Records taken with one call at most.
    private static let drainLimit = 1 << 16

    /// Loads the programs and starts them on `devices`. Single requests, once asked for, go through
    /// a ring of `ringByteCount` bytes, a power of two: 56 bytes each.
    public init(
        devices: [DeviceNumber], ringByteCount: Int = 1 << 20
    ) throws(KernelProbeError) {
        self.devices = Array(Set(devices)).sorted { $0.kernelNumber < $1.kernelNumber }
        object = try ProgramFile.read(Self.name)
        do throws(BPFError) {
            try Self.load(object, disks: self.devices.count, ringByteCount: ringByteCount)
            tallies = try object.map("tallies", words: Tally.words, perCPU: true)
            counts = try object.map("counts", words: DiskCounts.words, perCPU: true)
            recording = try object.map("recording", words: 1)
            let slots = try object.map("slots", words: 1)
            for (slot, device) in self.devices.enumerated() {
                try slots.put(device.kernelNumber, [UInt64(slot)])
            }
            try Self.attach(object)
        } catch {
            throw KernelProbeError(error, of: Self.name)
        }
        histograms = Array(repeating: Tally(), count: self.devices.count * Self.talliesPerDisk)
        books = Array(repeating: DiskCounts(), count: self.devices.count)
    }

    /// Whether the kernel's tracepoint gives the queue before the request, as before Linux 5.11.
    private static func isAfterQueue() throws(BPFError) -> Bool {
        try BPFObject.argumentCount(ofTracepoint: "block_rq_issue") > 1
    }

    private static func load(
        _ object: BPFObject, disks: Int, ringByteCount: Int
    ) throws(BPFError) {
        let unfit = try isAfterQueue() ? ["issue", "requeue"] : afterQueue
        for program in unfit { try object.leaveOut(program) }
        try object.resize("slots", to: disks)
        // As many as disks with long queues have under way.
        try object.resize("requests", to: min(max(disks, 4) * 4096, 1 << 17))
        try object.resize("tallies", to: disks * talliesPerDisk)
        try object.resize("counts", to: disks)
        try object.resize("ring", to: ringByteCount)
        try object.load()
    }

    private static let afterQueue = ["issue_after_queue", "requeue_after_queue"]

    /// Completions first: what is issued from now on is seen to its end.
    private static func attach(_ object: BPFObject) throws(BPFError) {
        try object.attach("complete")
        for program in try isAfterQueue() ? afterQueue : ["issue", "requeue"] {
            try object.attach(program)
        }
    }

    /// What every disk did since the sample before, the first time since the programs run. `clock`
    /// gives `CLOCK_MONOTONIC` nanoseconds.
    public mutating func sample(clock: () -> Nanoseconds) -> [DeviceNumber: BlockActivity] {
        let now = clock()
        let span = lastSample.map { now > $0 ? now - $0 : 0 } ?? 0
        lastSample = now
        var result: [DeviceNumber: BlockActivity] = [:]
        for slot in devices.indices {
            var activity = BlockActivity()
            activity.span = span
            let first = slot * Self.talliesPerDisk
            activity.reads = advance(first)
            activity.writes = advance(first + 1)
            activity.queuedReads = advance(first + 2)
            activity.queuedWrites = advance(first + 3)
            if (try? counts.read(UInt32(slot), into: &sum, scratch: &scratch)) != nil {
                books[slot].advance(to: sum, &activity)
            }
            result[devices[slot]] = activity
        }
        return result
    }

    private mutating func advance(_ place: Int) -> LatencyHistogram {
        histograms[place].advance(tallies, place, scratch: &scratch)
    }

    /// How often a program was skipped since they run, as it would have interrupted itself, at any
    /// disk of the host: a request is then missing, of one of them.
    public var skipped: UInt64 {
        (["complete", "issue", "issue_after_queue"].compactMap { object.missed($0) }).reduce(0, &+)
    }

    /// Has single requests kept for `takeRequests`, or no longer.
    public mutating func record(_ isOn: Bool) throws(KernelProbeError) {
        do { try recording.put(0, [isOn ? 1 : 0]) } catch {
            throw KernelProbeError(error, of: Self.name)
        }
    }

    /// The requests completed since this was called last, and how many of them found no room in
    /// the ring: exact.
    public mutating func takeRequests() -> (requests: [BlockRequestTrace], lost: UInt64) {
        let words =
            (try? object.drain(
                "ring", words: BlockRequestTrace.words, limit: Self.drainLimit)) ?? []
        let requests = stride(from: 0, to: words.count, by: BlockRequestTrace.words).map {
            BlockRequestTrace(record: words[$0..<$0 + BlockRequestTrace.words])
        }
        var lost: UInt64 = 0
        for slot in devices.indices {
            guard (try? counts.read(UInt32(slot), into: &sum, scratch: &scratch)) != nil else {
                continue
            }
            lost &+= sum[DiskCounts.lostPlace]
        }
        defer { lostTold = max(lost, lostTold) }
        return (requests, lost > lostTold ? lost - lostTold : 0)
    }
}
