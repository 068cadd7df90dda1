public import Kernel
internal import Telemetry

/// Looks at the virtqueues of VMs on a thread of its own.
///
/// What it sees is taken by `take`, once per sample; single requests by `requests`.
public final class RingSampler: Sendable {
    /// What a VM's rings are known by.
    public typealias Key = Int

    struct State {
        var vms: [Key: VMRings] = [:]
        var taken: [Key: (at: Nanoseconds, looks: Int)] = [:]
        var pace: RingPace
        var stops = false
        var thread: Int?
    }

    /// Whoever waits for it waits for the kernel's reading of a VM's memory, which may hang, as
    /// where its pages are elsewhere: nobody waits longer than `patience`.
    private let state: Lock<State>
    private static let patience: Nanoseconds = 50_000_000
    /// Locked for moments only.
    let feed = Lock(RequestBuffer())
    /// Signalled when there is something to do, or an end.
    private let ordered: EventDescriptor
    private let thread = Lock<PThread?>(nil)

    /// Looks `rate` times a second, 10…20,000, as far as that costs no more than `budget` percent
    /// of one core. Nothing is looked at yet.
    public init(rate: Double, budget: Double) throws(KernelError) {
        ordered = try EventDescriptor()
        state = Lock(State(pace: RingPace(rate: rate, budget: budget / 100)))
        let running = try EventDescriptor()
        let started = try PThread(name: "vblktop-rings") { [self] in
            state.withLock { $0.thread = PThread.currentID }
            running.signal()
            run()
        }
        thread.withLock { $0 = started }
        running.wait()
    }

    /// Watches the queues at `places` in `ram` from now on, in place of those before; whether that
    /// could be done now. `prefix` makes their LUNs' ids unique over all VMs; of `followed` LUNs
    /// (`LUN.id`) every request is followed, of the others as many as there is time for.
    @discardableResult
    public func watch(
        _ key: Key, _ ram: GuestRAM, _ places: [RingPlace], prefix: String?,
        followed: Set<String> = []
    ) throws(KernelError) -> Bool {
        let isDone: Void? = try state.withLock(within: Self.patience) {
            (state) throws(KernelError) in
            let prefix = prefix.map { $0 + "/" } ?? ""
            let rings = try VMRings(ram, places) { id in
                feed.withLock { $0.number(of: prefix + id) }
            }
            rings.followed = followed
            state.vms[key] = rings
            state.taken[key] = nil
        }
        ordered.signal()
        return isDone != nil
    }

    /// Lets go of a VM's queues; whether that could be done now.
    @discardableResult
    public func forget(_ key: Key) -> Bool {
        let isDone: Void? = state.withLock(within: Self.patience) { state in
            state.vms[key] = nil
            state.taken[key] = nil
        }
        return isDone != nil
    }

    /// What was seen of a VM's queues since this was called last; `nil` if none is watched.
    public func take(_ key: Key, prefix: String?) -> RingReading? {
        let prefix = prefix.map { $0 + "/" } ?? ""
        let reading = state.withLock(within: Self.patience) { state in
            state.take(key) { prefix + $0 }
        }
        if let reading { return reading }
        var hung = RingReading()
        hung.problem = .failed("the kernel has not returned from reading it")
        return hung
    }

    /// The kernel's id of the thread that looks.
    public var threadID: Int? { state.withLock { $0.thread } }

    /// Ends the thread; one that hangs ends with the process.
    public func stop() {
        guard state.withLock(within: Self.patience, { $0.stops = true }) != nil else { return }
        ordered.signal()
        let thread = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    private func run() {
        Clock.setTimerSlack(1000)
        var due = Clock.monotonic()
        var ended: [IOEvent] = []
        while true {
            let (stops, isIdle) = state.withLock { ($0.stops, $0.vms.isEmpty) }
            if stops { return }
            if isIdle {
                ordered.wait()
                due = Clock.monotonic()
                continue
            }
            let readsAll = feed.withLock { $0.isRecording || $0.isHolding }
            due = state.withLock { state in
                let moved = state.look(readsAll, &ended, clock: Clock.monotonic)
                let now = Clock.monotonic()
                state.pace.judge(now: now, cpu: Clock.threadCPU, moved: moved)
                return state.pace.next(after: due, now: now)
            }
            if !ended.isEmpty {
                feed.withLock { feed in ended.forEach { feed.add($0) } }
                ended.removeAll(keepingCapacity: true)
            }
            Clock.sleep(until: due)
        }
    }
}

extension RingSampler.State {
    /// What was seen of one VM since this was called last.
    mutating func take(_ key: RingSampler.Key, name: (String) -> String) -> RingReading? {
        guard let rings = vms[key] else { return nil }
        var reading = RingReading()
        reading.problem = rings.problem
        reading.newest = rings.last?.end
        reading.cpuPercent = pace.cost.map { $0 * 100 }
        guard let now = rings.last?.end, rings.problem == nil else { return reading }
        reading.luns = rings.take(name: name)
        if let before = taken[key], now > before.at {
            let looks = Double(rings.looks - before.looks)
            reading.rate = looks / (Double(now - before.at) / 1e9)
        }
        taken[key] = (now, rings.looks)
        return reading
    }

    /// Takes one look at every VM, and adds the requests that ended to `ended`; whether anything
    /// moved.
    mutating func look(
        _ readsAll: Bool, _ ended: inout [IOEvent], clock: () -> Nanoseconds
    ) -> Bool {
        var moved = false
        for rings in vms.values {
            rings.idleStride = pace.idleStride
            rings.readsAllChains = readsAll
            rings.look(clock: clock)
            rings.drainEnded { ended.append($0) }
            moved = moved || rings.isActive
        }
        return moved
    }
}
