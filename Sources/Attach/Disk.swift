import QMP
import Telemetry

/// What QEMU's object model and its virtio commands say of one disk, asked for one by one.
struct DiskFacts: Sendable, Equatable {
    /// The device model (`qom-get type`).
    var model: String?
    /// `.some(nil)`: served by the main loop.
    var ioThread: String??
    var queues: Int?
    var queueSize: Int?
    var features: [String] = []
    /// What is on offer; `nil` before QEMU has said.
    var hostFeatures: [String]?
    /// How many IOThreads a mapping names; `nil` before QEMU has said.
    var mappedThreads: Int?
}

/// What QEMU counted of a disk and nobody likes to see, since it began.
struct DiskFaults: Sendable, Equatable {
    var failed: UInt64
    var invalid: UInt64
    /// Discards below; `nil` where nobody counts them.
    var failedDiscards: UInt64?
    var passedDiscards: UInt64?

    init(_ stats: QMPBlockStats) {
        let all = [stats.reads, stats.writes, stats.flushes, stats.discards]
        failed = all.reduce(0) { $0 &+ ($1.failed ?? 0) }
        invalid = all.reduce(0) { $0 &+ ($1.invalid ?? 0) }
        failedDiscards = stats.failedDiscards
        // Of a guest that discards all the time, every sample would be news otherwise.
        passedDiscards = stats.passedDiscards.map { $0.rounded(toDigits: 2) }
    }
}

extension UInt64 {
    /// The number with its first `digits` digits only, and 0 after them.
    func rounded(toDigits digits: Int) -> UInt64 {
        var unit: UInt64 = 1
        var rest = self
        for _ in 0..<digits { rest /= 10 }
        while rest > 0 {
            unit *= 10
            rest /= 10
        }
        return self / unit * unit
    }
}

/// One disk of a VM: what it is, its last counters, and what they came to.
struct Disk: Sendable {
    /// How QMP tells this disk from the others: its qdev path, else its name.
    let key: String
    var block: QMPBlockDevice
    var facts = DiskFacts()
    /// What it is, without rates.
    var identity: LUN
    /// `identity` with what it did between its last two readings.
    var lun: LUN
    var counters: LUNCounters?
    /// From the last reading; `nil` before the first.
    var faults: DiskFaults?
    /// When each queue was last asked, and what it said.
    var queues: [Int: (at: Nanoseconds, queue: QMPVirtioQueue)] = [:]

    init(key: String, block: QMPBlockDevice) {
        self.key = key
        self.block = block
        identity = LUN(id: Self.name(of: block), device: Self.guessedModel(of: block))
        lun = identity
    }

    /// `nil` for a drive without a medium or without a device, which is no disk of the guest's, and
    /// for read-only removable media.
    static func key(of block: QMPBlockDevice) -> String? {
        guard let inserted = block.inserted, let qdev = block.qdev, !qdev.isEmpty else {
            return nil
        }
        if block.isRemovable == true && inserted.isReadOnly == true { return nil }
        return qdev
    }

    /// What people call it: the `id=` of its `-device`, else of its `-drive`, else its node.
    static func name(of block: QMPBlockDevice) -> String {
        let path = (block.qdev ?? "").split(separator: "/")
        if path.count >= 3, path[1] == "peripheral" { return clean(String(path[2])) }
        if path.count == 1 { return clean(String(path[0])) }
        let candidates = [block.device, block.inserted?.nodeName]
        let named = candidates.compactMap { $0 }.first { !$0.isEmpty && !$0.hasPrefix("#") }
        return clean(named ?? (path.count >= 3 ? String(path[2]) : "disk"))
    }

    private static func guessedModel(of block: QMPBlockDevice) -> String {
        block.qdev?.hasSuffix("/virtio-backend") == true ? "virtio-blk" : "disk"
    }

    /// Whether QEMU's virtio commands know it.
    var isVirtio: Bool { key.hasSuffix("/virtio-backend") }

    /// Where its properties are: the PCI function, not the backend inside it.
    var objectPath: String {
        if isVirtio { return String(key.dropLast("/virtio-backend".count)) }
        return key.hasPrefix("/") ? key : "/machine/peripheral/" + key
    }

    /// Its `id=`, `nil` for a device without one.
    var qdevID: String? {
        let parts = objectPath.split(separator: "/")
        return parts.count == 3 && parts[1] == "peripheral" ? String(parts[2]) : nil
    }
}

extension Disk {
    /// Brings `identity` up to date.
    mutating func describe(
        graph: BlockGraph, pci: [String: String], commandLine: QEMUCommandLine?,
        limits: [String: QMPValue]
    ) {
        guard let root = block.inserted else { return }
        let chain = graph.chain(from: root)
        identity.node = root.nodeName.map(clean)
        identity.graph = chain.map(\.described)
        identity.format = BlockGraph.format(of: chain).map(clean)
        identity.file = (chain.last?.place ?? root.place ?? chain.last?.driver).map(clean)
        identity.cache = root.cacheWord(leaf: chain.last)
        identity.throttle = root.throttling.words ?? throttleWords(chain, limits)
        identity.pciAddress = qdevID.flatMap { pci[$0] }
        describeDevice(chain: chain, commandLine: commandLine)
        let rates = lun.rates
        let (virtqueues, reads, writes) = (lun.virtqueues, lun.readLatencies, lun.writeLatencies)
        lun = identity
        (lun.rates, lun.virtqueues) = (rates, virtqueues)
        (lun.readLatencies, lun.writeLatencies) = (reads, writes)
    }

    /// What was asked of this QEMU goes before what it was started with.
    private mutating func describeDevice(chain: [QMPBlockNode], commandLine: QEMUCommandLine?) {
        let nodes = chain.compactMap(\.nodeName)
        identity.queues = facts.queues
        identity.queueSize = facts.queueSize
        identity.ioThread = facts.ioThread ?? nil
        identity.isOnMainLoop = facts.ioThread.map { $0 == nil }
        identity.features = facts.features
        if let model = facts.model { identity.device = clean(model) }
        guard let commandLine else { return }
        let drives = [block.device].compactMap { $0 }.filter { !$0.isEmpty }
        identity.aio = commandLine.aio(drive: drives.first, nodes: nodes)
        guard let option = commandLine.device(id: qdevID ?? "", drives: drives + nodes) else {
            return
        }
        if facts.model == nil, let model = option["driver"] { identity.device = clean(model) }
        commandLine.describe(&identity, device: option)
        // The answer "none" is an answer, and so is a device without the option.
        if case .some(.none) = facts.ioThread { identity.ioThread = nil }
        identity.isOnMainLoop = identity.ioThread == nil
    }

    private func throttleWords(_ chain: [QMPBlockNode], _ limits: [String: QMPValue]) -> String? {
        guard let group = BlockGraph.throttleGroup(of: chain) else { return nil }
        let words = limits[group].map { value in
            Self.limitNames.flatMap { name in
                limitWords(
                    name, value[name]?.uint64, burst: value[name + "-max"]?.uint64,
                    length: value[name + "-max-length"]?.uint64)
            } + requestSizeWords(value["iops-size"]?.uint64)
        }
        return ((words ?? []) + ["group=" + clean(group)]).joined(separator: " ")
    }

    private static let limitNames = [
        "iops-total", "iops-read", "iops-write", "bps-total", "bps-read", "bps-write",
    ]
}

/// One limit in QEMU's words: `iops-total=1000 iops-total-max=2000 iops-total-max-length=10`; none
/// where it is 0, and no lengths of one second, which is what they are by default.
private func limitWords(
    _ name: String, _ mean: UInt64?, burst: UInt64?, length: UInt64?
) -> [String] {
    guard let mean, mean > 0 else { return [] }
    var words = ["\(name)=\(mean)"]
    guard let burst, burst > 0 else { return words }
    words.append("\(name)-max=\(burst)")
    if let length, length > 1 { words.append("\(name)-max-length=\(length)") }
    return words
}

/// The size from which on requests count as several, in QEMU's words; none where they never do.
private func requestSizeWords(_ size: UInt64?) -> [String] {
    size.flatMap { $0 > 0 ? ["iops-size=\($0)"] : nil } ?? []
}

extension QMPBlockNode {
    /// QEMU's word for the cache mode. The root of a `-blockdev` graph does not say whether the
    /// file below it is opened past the page cache: only the `leaf` does.
    fileprivate func cacheWord(leaf: QMPBlockNode?) -> String? {
        // A format's own word for it is not that of the file below, which may not be known yet.
        let lowest = leaf ?? self
        guard let isWriteback, lowest.isProtocol, let isDirect = lowest.isDirect else { return nil }
        if ignoresFlushes == true { return "unsafe" }
        return Attach.cacheWord(isWriteback: isWriteback, isDirect: isDirect)
    }
}

/// QEMU's word for a cache mode that does not ignore flushes.
func cacheWord(isWriteback: Bool, isDirect: Bool) -> String {
    switch (isWriteback, isDirect) {
    case (true, true): "none"
    case (true, false): "writeback"
    case (false, true): "directsync"
    case (false, false): "writethrough"
    }
}

extension QMPBlockNode {
    /// Whether it is a file or device itself, and not a format or filter over one.
    var isProtocol: Bool { driver.map(BlockGraph.isProtocol) ?? false }
}

extension QMPThrottling {
    /// The limits in QEMU's words, `nil` where there are none.
    fileprivate var words: String? {
        let limits = [
            ("iops-total", iops), ("iops-read", readIOPS), ("iops-write", writeIOPS),
            ("bps-total", bytes), ("bps-read", readBytes), ("bps-write", writeBytes),
        ]
        let words = limits.flatMap { name, limit in
            limitWords(name, limit?.mean, burst: limit?.burst, length: limit?.burstLength)
        }
        guard !words.isEmpty else { return nil }
        let group = group.map { ["group=" + clean($0)] } ?? []
        return (words + requestSizeWords(requestSize) + group).joined(separator: " ")
    }
}
