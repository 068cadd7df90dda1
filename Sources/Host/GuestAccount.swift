internal import ProcFS
public import Telemetry

/// What a guest's kernel says about itself, read file by file, as facts.
///
/// Whoever can read its files asks `nextFile` which one to read, and hands over what came of it,
/// until there is none left: the guest's agent from outside, vblktop itself inside. All texts are
/// taken as hostile.
public struct GuestAccount: Sendable {
    /// Disks that are looked at, and partitions of each.
    public static let diskLimit = 64
    static let partitionLimit = 16
    static let mountLimit = 256

    /// How much of what there is to know is read.
    public enum Round: Sendable {
        /// All there is.
        case whole
        /// What counts: interrupts and requests.
        case counters
    }

    /// What came of a file.
    enum Reading: Sendable {
        case text([UInt8])
        case missing(String)
    }

    /// What stands before a path where facts name their source.
    let place: String
    private var round = Round.whole
    /// What is to be read yet, the next one last.
    private var agenda: [GuestFile] = []
    private(set) var readings: [GuestFile: Reading] = [:]
    private(set) var disks: [GuestDisk] = []
    private(set) var interrupts = GuestInterrupts()
    private(set) var requests = GuestRequests()

    /// Nothing known. `place` goes before a path where facts name their source: `guest `.
    public init(place: String = "") { self.place = place }

    /// Begins to read. `readsDisks`: that of the disks too, which else somebody else tells
    /// (`take(disks:)`).
    public mutating func begin(_ round: Round, readsDisks: Bool = true) {
        self.round = round
        agenda = readsDisks ? [.diskStats] : []
        agenda.append(.interrupts)
        guard round == .whole else { return }
        agenda += [
            .useBio, .mounts, .idleGovernor, .cpuInfo, .delayAccounting, .bootLine, .clocksources,
            .clocksource,
        ]
        for disk in disks { plan(disk) }
    }

    /// The file to read next, `nil` when all are read.
    public mutating func nextFile() -> GuestFile? { agenda.popLast() }

    /// Takes the text of `file`, read at `now`; `isWhole` unless it goes on.
    public mutating func take(
        _ text: [UInt8], of file: GuestFile, isWhole: Bool, at now: Nanoseconds
    ) {
        guard isWhole || file.isReadInPart else {
            miss(file, because: "more than \(file.limit >> 10) KiB")
            return
        }
        switch file {
        case .interrupts: interrupts.take(text, at: now)
        case .diskStats: takeDisks(of: text, at: now)
        case .hardwareQueue(let disk, _): search(disk) { $0.found() }
        default: readings[file] = .text(text)
        }
    }

    /// There is no text of `file`, for `reason`.
    public mutating func miss(_ file: GuestFile, because reason: String) {
        let reason = reason.harmless(limit: 256)
        switch file {
        case .interrupts: interrupts.forget(because: reason)
        case .diskStats: requests.forget(because: reason)
        case .hardwareQueue(let disk, _): search(disk) { $0.missed(because: reason) }
        default: readings[file] = .missing(reason)
        }
    }

    /// Takes the completed requests of all disks and partitions by the kernel's names for them,
    /// as `source` told them at `now`.
    public mutating func take(
        disks counts: [(name: String, requests: UInt64)], from source: String, at now: Nanoseconds
    ) {
        let devices = counts.compactMap { count in
            GuestDevice(count.name).map { (device: $0, requests: count.requests) }
        }
        let whole = devices.filter(\.device.isWholeDisk).prefix(Self.diskLimit)
        requests.take(
            Dictionary(whole.map { ($0.device, $0.requests) }, uniquingKeysWith: { $1 }),
            from: source, at: now)
        let known = Dictionary(disks.map { ($0.device, $0) }, uniquingKeysWith: { $1 })
        disks = whole.map { entry in
            var disk = known[entry.device] ?? GuestDisk(entry.device)
            let partitions = devices.lazy.map(\.device).filter { $0.isPartition(of: entry.device) }
            disk.partitions = Array(partitions.prefix(Self.partitionLimit))
            return disk
        }
        for disk in disks where known[disk.device] == nil { plan(disk) }
        let there = Set(disks.map(\.device) + disks.flatMap(\.partitions))
        readings = readings.filter { file, _ in file.device.map(there.contains) ?? true }
    }

    /// Nothing counted so far can be compared with what comes, for `reason`.
    public mutating func forgetCounters(because reason: String) {
        interrupts.forget(because: reason)
        requests.forget(because: reason)
    }

    private mutating func takeDisks(of text: [UInt8], at now: Nanoseconds) {
        var lines = DiskStatsLines()
        var counts: [(name: String, requests: UInt64)] = []
        do throws(ProcFSError) {
            while let line = try lines.next(in: text.span) {
                counts.append((line.name, line.counters.requests))
            }
            take(disks: counts, from: place + GuestFile.diskStats.path, at: now)
        } catch {
            requests.forget(because: error.description)
        }
    }

    // MARK: Disks

    private mutating func plan(_ disk: GuestDisk) {
        agenda += disk.partitions.map { .partitionStart($0) }
        if let index = disks.firstIndex(where: { $0.device == disk.device }) {
            disks[index].queues = QueueSearch()
        }
        agenda += [
            .hardwareQueue(disk.device, 0), .rotational(disk.device), .addRandom(disk.device),
            .scheduler(disk.device),
        ]
    }

    /// Tells the search for the queues of `device` what came of its last question, and asks the
    /// next one.
    private mutating func search(_ device: GuestDevice, _ tell: (inout QueueSearch) -> Void) {
        guard let index = disks.firstIndex(where: { $0.device == device }) else { return }
        tell(&disks[index].queues)
        if let queue = disks[index].queues.next { agenda.append(.hardwareQueue(device, queue)) }
    }
}

/// A disk of the guest.
struct GuestDisk: Sendable {
    let device: GuestDevice
    var partitions: [GuestDevice] = []
    var queues = QueueSearch()

    init(_ device: GuestDevice) { self.device = device }
}

/// Finds out how many of a disk's queues there are by asking for single ones, as folders cannot be
/// listed through the agent: twice as far each time, then halving what is left.
struct QueueSearch: Sendable, Equatable {
    private static let limit = 4096
    /// So many are there: queues 0 to one less.
    private var there = 0
    /// The first that is known not to be.
    private var missing: Int?
    /// Why there is not even the first.
    private(set) var problem: String?

    /// The queue to ask for; `nil` when all is known.
    var next: UInt16? {
        if let missing {
            return missing > there ? UInt16(exactly: there + (missing - there) / 2) : nil
        }
        return there < Self.limit ? UInt16(exactly: max(0, 2 * there - 1)) : nil
    }

    /// How many there are; `nil` while that is not known, and where none was found.
    var count: Int? { next == nil && there > 0 ? there : nil }

    mutating func found() {
        if let next { there = Int(next) + 1 }
    }

    mutating func missed(because reason: String) {
        guard let next else { return }
        if next == 0 { problem = reason }
        missing = Int(next)
    }
}
