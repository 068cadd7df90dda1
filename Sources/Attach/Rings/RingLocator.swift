import ProcFS
import QMP
import Rings
import Telemetry

/// Finds the virtqueues of a VM, and finds them again when they have moved.
///
/// Knows neither clock nor socket: it says what it wants to ask, and takes what comes, whoever
/// asked for it. What may be wrong is dropped at once, and known again some questions later.
struct RingLocator: Sendable {
    /// How often it is checked whether something is still as it was, nanoseconds.
    private static let checkPause: Nanoseconds = 5_000_000_000
    /// How long a place that was wrong is left alone where that happened before, nanoseconds.
    private static let longestRest: Nanoseconds = 60_000_000_000

    private(set) var location: RingLocation?
    private(set) var memory = RingMemory()
    private(set) var devices: [RingDevice] = []
    /// Why those who know the places cannot read there.
    private(set) var readProblem: RingProblem?
    /// Whether this QEMU has no command that tells of virtqueues.
    private(set) var isUnsupported = false
    private var pid: Int?
    private var generation = 0
    private var pending: Set<QMPQuery> = []
    private var checkAt: Nanoseconds = 0
    private var checkTurn = 0
    private var staleAt: Nanoseconds?
    private var rest: Nanoseconds = 0
    /// Places that lay outside of the memory known, which was asked for again because of them.
    private var outside: Set<RingPlace> = []

    /// Nothing known.
    init() {}

    /// Learns which disks there are, and the process they are in; `nil`: it is not known, or gone.
    mutating func update(_ identities: [RingDevice.Identity], pid: Int?) {
        if pid != self.pid {
            forgetEverything()
            self.pid = pid
        }
        let known = Dictionary(
            devices.map { ($0.identity.path, $0) }, uniquingKeysWith: { first, _ in first })
        let before = devices.map(\.identity)
        devices = identities.map { identity in
            guard var device = known[identity.path], device.identity.isVhost == identity.isVhost
            else { return RingDevice(identity) }
            device.identity = identity
            return device
        }
        // With a thousand disks it would be felt every time.
        if !before.elementsEqual(identities, by: { $0.isSame(as: $1) }) { settle() }
    }

    // MARK: Questions

    /// At most `count` questions to ask at `now`: where memory is, then where the virtqueues of
    /// the busiest disks are, and now and then whether they still are.
    mutating func next(_ count: Int, at now: Nanoseconds) -> [QMPQuery] {
        guard pid != nil, !isUnsupported, !devices.isEmpty, count > 0 else { return [] }
        var queries: [QMPQuery] = []
        func wanted() -> Set<QMPQuery> { pending.union(queries) }
        while queries.count < count, let query = memory.question(pending: wanted()) {
            queries.append(query)
        }
        for device in devices.sorted(by: { $0.identity.rate > $1.identity.rate })
        where queries.count < count {
            queries += device.questions(pending: pending, at: now).prefix(count - queries.count)
        }
        if queries.isEmpty, now >= checkAt { queries = nextCheck() }
        if !queries.isEmpty { checkAt = now &+ Self.checkPause }
        return queries
    }

    private mutating func nextCheck() -> [QMPQuery] {
        let complete = devices.indices.filter { devices[$0].isComplete }
        guard !complete.isEmpty else { return [] }
        checkTurn &+= 1
        return [devices[complete[checkTurn % complete.count]].checkQuestion()]
    }

    /// `query` was sent, by whomever.
    mutating func asked(_ query: QMPQuery) { pending.insert(query) }

    /// Nobody waits for the answer to `query` any more.
    mutating func gaveUp(_ query: QMPQuery) { pending.remove(query) }

    // MARK: Answers

    /// Takes an answer, whoever asked; `blocks` is what QEMU told of its own memory.
    mutating func take(
        _ reply: QMPReply, to query: QMPQuery, blocks: [QMPRAMBlock], at now: Nanoseconds
    ) {
        pending.remove(query)
        switch (query, reply) {
        case (.monitorText(.memoryMap), .monitorText(let text)):
            memory.take(map: text, blocks: blocks)
        case (.monitorText(.hostAddress(let guest)), .monitorText(let text)):
            memory.take(host: text, ofGuest: guest)
        case (.virtioStatus(let path), .virtioStatus(let status)):
            change(path) { $0.take(status, at: now) }
        case (.virtioQueueStatus(let path, let number), .virtioQueueStatus(let queue)):
            change(path) { $0.take(RingDevice.Ring(queue), ofQueue: Int(number), at: now) }
        case (.vhostQueueStatus(let path, let number), .vhostQueueStatus(let queue)):
            change(path) { $0.take(RingDevice.Ring(queue), ofQueue: Int(number), at: now) }
        default: break
        }
    }

    /// Takes note that QEMU does not answer `query`, for an error of `kind`.
    mutating func takeRefusal(
        of query: QMPQuery, kind: String, saying words: String, at now: Nanoseconds
    ) {
        pending.remove(query)
        switch query {
        case .virtioStatus(let path), .virtioQueueStatus(let path, _),
            .vhostQueueStatus(let path, _):
            if kind == "CommandNotFound" { isUnsupported = true }
            change(path) { $0.takeRefusal(saying: words, at: now) }
        case .monitorText(.memoryMap): memory.takeRefusal(saying: words)
        case .monitorText(.hostAddress(let guest)): memory.take(host: nil, ofGuest: guest)
        default: break
        }
    }

    /// Takes what the process's own map says: see `RingMemory.check`.
    mutating func take(_ map: MemoryMap, file: RingMemory.SealedFile) {
        memory.check(map, file: file)
        settle()
    }

    /// The process's map cannot be read.
    mutating func takeUnreadable(_ reason: String) {
        memory.takeUnreadable(reason)
        settle()
    }

    private mutating func change(_ path: String, _ body: (inout RingDevice) -> Void) {
        guard let index = devices.firstIndex(where: { $0.identity.path == path }) else { return }
        let before = devices[index].places
        body(&devices[index])
        if devices[index].places != before { settle() }
    }

    // MARK: Changes

    /// Takes an event that may mean that the rings are elsewhere.
    mutating func take(_ event: QMPEvent) {
        switch event.name {
        case "RESET": forgetDevices()
        case "MIGRATION" where event.data["status"]?.text == "completed": forgetDevices()
        case "DEVICE_DELETED": forgetDevice(at: event.data["path"]?.text ?? "")
        // A module of memory was plugged, or one of virtio-mem's was resized.
        case "ACPI_DEVICE_OST", "MEMORY_DEVICE_SIZE_CHANGE": memory = RingMemory()
        default: return
        }
        settle()
    }

    /// What those who read the rings of `generation` found wrong there; `nil`: nothing.
    mutating func take(_ problem: RingProblem?, ofGeneration generation: Int, at now: Nanoseconds) {
        guard generation == self.generation, location != nil else { return }
        readProblem = problem
        guard case .stale = problem else { return }
        // Whoever finds fault with every answer is not asked for more of them at once.
        let isRepeated = staleAt.map { now &- $0 < Self.longestRest &+ rest } ?? false
        rest = isRepeated ? min(Self.longestRest, max(1_000_000_000, rest &* 2)) : 0
        staleAt = now
        memory = RingMemory()
        forgetDevices(until: now &+ rest)
    }

    /// Whether the virtqueues of the disk at `path` still serve it: see `RingDevice.judge`. Where
    /// they do not, they are asked for again.
    mutating func isServing(
        _ path: String, ended: UInt64, looks: ClosedRange<Nanoseconds>, count: UInt64,
        at time: Nanoseconds
    ) -> Bool {
        guard let index = devices.firstIndex(where: { $0.identity.path == path }) else {
            return true
        }
        switch devices[index].judge(ended: ended, looks: looks, count: count, at: time) {
        case .serving: return true
        case .doubtful: return false
        case .abandoned:
            change(path) { $0.forget() }
            return false
        }
    }

    /// The connection is gone. The rings are where they were until somebody sees otherwise.
    mutating func loseConnection() { pending = [] }

    /// Nobody knows what happened meanwhile, or who this is.
    mutating func forgetEverything() {
        pending = []
        isUnsupported = false
        memory = RingMemory()
        forgetDevices()
    }

    /// What was unplugged is a disk, or whatever else: memory, perhaps.
    private mutating func forgetDevice(at path: String) {
        let gone = devices.indices.filter { index in
            let own = devices[index].identity.path
            return own == path || own.hasPrefix(path + "/")
        }
        for index in gone { devices[index].forget() }
        if gone.isEmpty { memory = RingMemory() }
    }

    private mutating func forgetDevices(until time: Nanoseconds = 0) {
        for index in devices.indices { devices[index].forget(until: time) }
        settle()
    }

    /// Brings the location up to date.
    private mutating func settle() {
        let found = whatIsFound()
        guard found?.ram != location?.ram || found?.places != location?.places else { return }
        generation &+= 1
        readProblem = nil
        location = found.map {
            RingLocation(generation: generation, ram: $0.ram, places: $0.places)
        }
    }

    private mutating func whatIsFound() -> (ram: GuestRAM, places: [RingPlace])? {
        guard let pid, let regions = memory.regions, !regions.isEmpty else { return nil }
        let ram = GuestRAM(pid: pid, regions: regions)
        let known = devices.flatMap(\.places)
        let places = known.filter { $0.lies(in: ram) }
        let lost = Set(known).subtracting(places)
        guard lost.isSubset(of: outside) else {
            // Memory was plugged, and a ring is in it; if it is still outside then, it stays there.
            outside = lost
            memory = RingMemory()
            return nil
        }
        return places.isEmpty ? nil : (ram, places)
    }
}

extension RingDevice.Identity {
    /// Whether it names the same disk by the same name.
    fileprivate func isSame(as other: Self) -> Bool {
        path == other.path && lun == other.lun && isVhost == other.isVhost
    }
}
