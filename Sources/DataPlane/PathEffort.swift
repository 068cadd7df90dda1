import Kernel

/// What guest and host had to do for a LUN's requests since the start: what tells one path from
/// another.
public struct PathEffort: Sendable, Equatable {
    /// Times the guest was left: for kicks, for the ends of interrupts without PV-EOI, for accesses
    /// to emulated registers. An interrupt that arrives counts too: the vCPU is stopped for it.
    public var exits: UInt64 = 0
    /// Of these, accesses to emulated registers.
    public var traps: UInt64 = 0
    public var kicks: UInt64 = 0
    public var interrupts: UInt64 = 0
    /// Calls that handed requests to the backend's kernel interface.
    public var submissions: UInt64 = 0
    /// Turns of the device that moved requests, and the requests they moved.
    public var turns: UInt64 = 0
    public var requests: UInt64 = 0
    /// Times the guest took the lock of its request queue; 0 where its driver has none.
    public var requestLocks: UInt64 = 0

    /// Nothing yet.
    public init() {}

    /// Times the guest was left for telling the end of an interrupt, as without PV-EOI.
    public var endsOfInterrupt: UInt64 { exits &- kicks &- traps &- interrupts }

    /// Adds what was done for another LUN.
    public mutating func add(_ other: PathEffort) {
        for counter: WritableKeyPath<PathEffort, UInt64> in [
            \.exits, \.traps, \.kicks, \.interrupts, \.submissions, \.turns, \.requests,
            \.requestLocks,
        ] { self[keyPath: counter] &+= other[keyPath: counter] }
    }

    mutating func add(_ queue: QueueShared) {
        let counters = queue.counters
        let (kicks, traps) = (counters[DriverCounter.kicks], counters[DriverCounter.traps])
        let interrupts = counters[DeviceCounter.interrupts]
        exits &+= queue.exits(kicks: kicks, traps: traps, interrupts: interrupts)
        self.traps &+= traps
        self.kicks &+= kicks
        self.interrupts &+= interrupts
        submissions &+= counters[DeviceCounter.submissions]
        turns &+= counters[DeviceCounter.turns]
        requests &+= counters[DeviceCounter.requests]
        requestLocks &+= queue.requestLock?.counts(of: 0).acquisitions ?? 0
    }
}

extension QueueShared {
    /// Times the guest was left for so many kicks, traps and interrupts.
    func exits(kicks: UInt64, traps: UInt64, interrupts: UInt64) -> UInt64 {
        kicks &+ traps &+ interrupts &* (configuration.hasPVEOI ? 1 : 2)
    }
}
