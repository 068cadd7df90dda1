import QMP
import Telemetry

/// What QEMU said of the VM as a whole, of its IOThreads and of its jobs, besides properties of
/// objects.
struct MachineState: Sendable, Equatable {
    /// The first vCPU's place in the object model (`query-cpus-fast`).
    var cpuPath: String?
    /// `query-iothreads`; empty before it is answered too.
    var ioThreads: [QMPIOThread] = []
    var hasListedIOThreads = false
    /// `query-machines`
    var types: [QMPMachineType]?
    /// `query-memdev`
    var memory: [QMPMemoryBackend]?
    /// `x-query-ramblock`, or its elder `info ramblock`.
    var ramBlocks: [QMPRAMBlock]?
    /// `query-balloon`, bytes.
    var balloon: UInt64?
    var migration: QMPMigration?
    /// The least that was left to move since the migration began, bytes, and since when.
    var leastRemaining: Remainder?
    /// `query-block-jobs`
    var jobs: [QMPBlockJob]?
    /// Since when each job that only waits to be completed does so.
    var readySince: [String: Nanoseconds] = [:]
    /// `query-pci`
    var pciDevices: [QMPPCIDevice]?
    /// Whether a virtio-blk disk has the property `iothread-vq-mapping` (`qom-list`).
    var hasQueueMapping: Bool?
    /// Ids of the devices with one, and their models (`qom-list /machine/peripheral`); likewise
    /// those without an id.
    var devices: [String: String]?
    var anonymousDevices: [String: String]?
    /// Objects by id, and their types (`qom-list /objects`).
    var objects: [String: String]?
    /// QEMU's words where it refused one of these questions.
    var refusals: [String: String] = [:]
    /// The last two readings of what the guest tells its balloon driver.
    var guestStats: GuestStats?
    var previousGuestStats: GuestStats?

    /// Where the object for the main loop is, where there is one (QEMU 7.1).
    var mainLoopPath: String? {
        objects?.first { $0.value == "main-loop" }.map { "/objects/" + $0.key }
    }

    /// Where the balloon is.
    var balloonPath: String? {
        if let named = devices?.first(where: { $0.value.hasPrefix("virtio-balloon") }) {
            return "/machine/peripheral/" + named.key
        }
        return anonymousDevices?.first { $0.value.hasPrefix("virtio-balloon") }
            .map { "/machine/peripheral-anon/" + $0.key }
    }
}

/// What a migration still had to move.
struct Remainder: Sendable, Equatable {
    /// Bytes.
    var bytes: UInt64
    var since: Nanoseconds
}

/// What a guest told its balloon driver (`guest-stats`).
struct GuestStats: Sendable, Equatable {
    /// Seconds by the host's wall clock; 0: never.
    var updatedAt: UInt64
    /// Bytes since the guest began.
    var swapped: UInt64?
    /// Bytes.
    var available: UInt64?
    var total: UInt64?

    init?(_ value: QMPValue) {
        guard let updatedAt = value["last-update"]?.uint64, let stats = value["stats"] else {
            return nil
        }
        self.updatedAt = updatedAt
        // What a guest does not tell stands at 2⁶⁴-1.
        func known(_ name: String) -> UInt64? {
            stats[name]?.uint64.flatMap { $0 == .max ? nil : $0 }
        }
        if let moved = known("stat-swap-in"), let out = known("stat-swap-out") {
            swapped = moved &+ out
        }
        available = known("stat-available-memory")
        total = known("stat-total-memory")
    }
}

extension MachineState {
    /// Takes an answer about the VM as a whole.
    mutating func take(_ reply: QMPReply, to query: QMPQuery, at now: Nanoseconds) {
        refusals[query.command] = nil
        switch (query, reply) {
        case (_, .ioThreads(let threads)):
            ioThreads = threads
            hasListedIOThreads = true
        case (_, .cpus(let cpus)): cpuPath = cpus.first?.qomPath ?? cpuPath
        case (_, .machines(let machines)): types = machines
        case (_, .memoryBackends(let backends)): memory = backends
        case (_, .ramBlocks(let blocks)): ramBlocks = blocks
        case (.monitorText(.ramBlocks), .monitorText(let text)):
            ramBlocks = QMPRAMBlock.all(in: text)
        case (_, .balloon(let bytes)): balloon = bytes
        case (_, .migration(let migration)): take(migration, at: now)
        case (_, .blockJobs(let jobs)): take(jobs, at: now)
        case (_, .pci(let devices)): pciDevices = devices
        case (.qomGet(_, "guest-stats"), .qomValue(let value)):
            let stats = GuestStats(value)
            // Read again before the guest has told more.
            if stats?.updatedAt != guestStats?.updatedAt { previousGuestStats = guestStats }
            guestStats = stats
        case (.qomList(let path), .qomList(let properties)):
            takeList(properties, path: path)
        default: break
        }
    }

    /// Takes note that QEMU refused `query`, and why.
    mutating func takeRefusal(of query: QMPQuery, saying words: String) {
        // The property itself keeps why it was refused.
        if case .qomGet = query { return }
        // What could be told before, and cannot any more, is not what it was.
        if case .balloon = query { balloon = nil }
        refusals[query.command] = words
    }

    private mutating func take(_ migration: QMPMigration, at now: Nanoseconds) {
        self.migration = migration
        guard migration.isActive, let bytes = migration.remaining else {
            leastRemaining = nil
            return
        }
        if bytes < leastRemaining?.bytes ?? .max {
            leastRemaining = Remainder(bytes: bytes, since: now)
        }
    }

    private mutating func take(_ jobs: [QMPBlockJob], at now: Nanoseconds) {
        self.jobs = jobs
        let ready = jobs.filter { $0.isReady == true || $0.status == "ready" }
        readySince = Dictionary(
            ready.compactMap { job in job.device.map { ($0, readySince[$0] ?? now) } },
            uniquingKeysWith: { first, _ in first })
    }

    private mutating func takeList(_ properties: [QMPProperty], path: String) {
        let children = Self.children(properties)
        switch path {
        case "/machine/peripheral": devices = children
        case "/machine/peripheral-anon": anonymousDevices = children
        case "/objects": objects = children
        default: hasQueueMapping = properties.contains { $0.name == "iothread-vq-mapping" }
        }
    }

    /// `child<iothread>` is an object of type `iothread`.
    private static func children(_ properties: [QMPProperty]) -> [String: String] {
        var children: [String: String] = [:]
        for property in properties {
            guard let name = property.name, let type = property.type, type.hasPrefix("child<"),
                type.hasSuffix(">")
            else { continue }
            children[name] = String(type.dropFirst("child<".count).dropLast())
        }
        return children
    }
}

extension QMPMigration {
    /// Whether memory moves, or is about to.
    var isActive: Bool {
        switch status {
        case nil, "none", "completed", "failed", "cancelled": false
        default: true
        }
    }
}
