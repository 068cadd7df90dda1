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
        var feed = RequestBuffer()
    }

    let state: Lock<State>
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

    /// Watches the queues at `places` in `ram` from now on, in place of those before. `prefix`
    /// makes their LUNs' ids unique over all VMs; of `followed` LUNs (`LUN.id`) every request is
    /// followed, of the others as many as there is time for.
    public func watch(
        _ key: Key, _ ram: GuestRAM, _ places: [RingPlace], prefix: String?,
        followed: Set<String> = []
    ) throws(KernelError) {
        try state.withLock { (state) throws(KernelError) in
            let prefix = prefix.map { $0 + "/" } ?? ""
            let rings = try VMRings(ram, places) { id in state.feed.number(of: prefix + id) }
            rings.followed = followed
            rings.readsAllChains = state.readsAllChains
            state.vms[key] = rings
            state.taken[key] = nil
        }
        ordered.signal()
    }

    /// Lets go of a VM's queues.
    public func forget(_ key: Key) {
        state.withLock { state in
            state.vms[key] = nil
            state.taken[key] = nil
        }
    }

    /// What was seen of a VM's queues since this was called last; `nil` if none is watched.
    public func take(_ key: Key, prefix: String?) -> RingReading? {
        let prefix = prefix.map { $0 + "/" } ?? ""
        return take(key) { prefix + $0 }
    }

    private func take(_ key: Key, name: (String) -> String) -> RingReading? {
        state.withLock { state in
            guard let rings = state.vms[key] else { return nil }
            var reading = RingReading()
            reading.problem = rings.problem
            reading.newest = rings.last?.end
            reading.cpuPercent = state.pace.cost.map { $0 * 100 }
            guard let now = rings.last?.end, rings.problem == nil else { return reading }
            reading.luns = rings.take(name: name)
            if let before = state.taken[key], now > before.at {
                let looks = Double(rings.looks - before.looks)
                reading.rate = looks / (Double(now - before.at) / 1e9)
            }
            state.taken[key] = (now, rings.looks)
            return reading
        }
    }

    /// The kernel's id of the thread that looks.
    public var threadID: Int? { state.withLock { $0.thread } }

    /// Ends the thread.
    public func stop() {
        state.withLock { $0.stops = true }
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
        while true {
            let (stops, isIdle) = state.withLock { ($0.stops, $0.vms.isEmpty) }
            if stops { return }
            if isIdle {
                ordered.wait()
                due = Clock.monotonic()
                continue
            }
            due = state.withLock { state in
                let moved = state.look(clock: Clock.monotonic)
                let now = Clock.monotonic()
                state.pace.judge(now: now, cpu: Clock.threadCPU(), moved: moved)
                return state.pace.next(after: due, now: now)
            }
            Clock.sleep(until: due)
        }
    }
}

extension RingSampler.State {
    /// Takes one look at every VM; whether anything moved.
    mutating func look(clock: () -> Nanoseconds) -> Bool {
        var moved = false
        for rings in vms.values {
            rings.idleStride = pace.idleStride
            rings.look(clock: clock)
            rings.drainEnded { feed.add($0) }
            moved = moved || rings.isActive
        }
        return moved
    }
}
