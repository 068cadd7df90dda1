internal import Kernel
internal import ProcFS
internal import SystemPackage
public import Telemetry

/// The tracepoints of probe files, every occurrence on a VM's threads kept as a single event. One
/// thread uses it; nothing it meets makes it throw.
///
/// An event costs the VM some 200 ns: a trace is for seconds. It opens events of its own, each
/// recorded whole, and leaves those of a `ProbeSession` as they are. From its begin to its end
/// every occurrence the kernel counted is in exactly one number of the tally.
public struct EventTrace: Sendable {
    /// What became of the occurrences of a whole trace; exact.
    public struct Tally: Sendable, Equatable {
        /// Occurrences the kernel counted.
        public var seen: UInt64 = 0
        /// Those that were handed over.
        public var recorded: UInt64 = 0
        /// Those for which a ring or the buffer had no room.
        public var lost: UInt64 = 0
        /// Those of which the kernel left neither a record nor a word, as it does of some that
        /// happen in interrupts; `nil` where the kernel did not say what it counted.
        public var hidden: UInt64? = 0
        /// Threads that were never opened, for want of descriptors or rights.
        public var threadsLeftOut = 0

        /// Nothing happened yet.
        public init() {}
    }

    /// Larger rings than those of a session, as nothing may be left out: 1 MiB a thread.
    public static let usualLimits = ProbeLimits(ringByteCount: 1 << 20, ringMemory: 64 << 20)
    /// Events that wait to be taken, at most: some 15 MB.
    public static let usualCapacity = 1 << 18

    private let system: any ProbeSystem
    private let limits: ProbeLimits
    private let events: [TracedEvent]
    /// Tracepoints that cannot be had, and why, a text each.
    public private(set) var missing: [String]
    private var threads: [TracedThread] = []
    private var buffer: TraceBuffer
    private var scratch = ProbeScratch()
    private var books = Tally()
    /// Threads that could not be opened; each is told once.
    private var leftOut: Set<Int> = []
    private var lostTold: UInt64 = 0

    /// A trace of what `definitions` open on threads. It watches nothing yet.
    public init(_ definitions: [ProbeDefinition]) {
        self.init(definitions, system: HostProbeSystem())
    }

    /// The same with another kernel and other limits, for tests.
    public init(
        _ definitions: [ProbeDefinition], limits: ProbeLimits = usualLimits,
        capacity: Int = usualCapacity, system: any ProbeSystem
    ) {
        self.system = system
        self.limits = limits
        let tracefs = Tracefs { path throws(KernelError) in try system.read(path) }
        (events, missing) = TracedEvent.all(of: definitions, in: tracefs)
        buffer = TraceBuffer(capacity: capacity)
    }

    /// What is recorded: each event's name, and which of its fields are `a` and `b`.
    public var legend: [String] { events.map(\.legend) }

    /// Whether there is any event to record.
    public var isEmpty: Bool { events.isEmpty }

    /// Makes `threads` the ones to trace. Those traced already go on; the others begin and end.
    public mutating func watch(_ threads: [ProbedThread]) {
        var kept: [TracedThread] = []
        for index in self.threads.indices {
            if threads.contains(self.threads[index].thread) {
                kept.append(self.threads[index])
            } else {
                close(index)
            }
        }
        let known = Set(kept.map(\.thread.tid))
        self.threads = kept
        for thread in threads where !known.contains(thread.tid) {
            open(thread, of: threads.count)
        }
    }

    /// Takes what is in the rings into the buffer. A ring of 1 MiB has room for some ten thousand
    /// events: every 20 ms or so is often enough.
    public mutating func drain() {
        for index in threads.indices {
            threads[index].drain(events, into: &buffer, scratch: &scratch.bytes)
        }
    }

    /// The events since this was called last, and how many were lost since then.
    public mutating func take() -> (events: [KernelEvent], lost: UInt64) {
        for index in threads.indices { threads[index].count(scratch: &scratch.words) }
        drain()
        let lost = threads.reduce(books.lost &+ buffer.dropped) { $0 &+ $1.lost }
        defer { lostTold = max(lost, lostTold) }
        return (buffer.take(), lost > lostTold ? lost - lostTold : 0)
    }

    /// Closes everything, and says what became of it; events that wait can still be taken.
    public mutating func end() -> Tally {
        for index in threads.indices { close(index) }
        threads = []
        var tally = books
        tally.lost &+= buffer.dropped
        tally.recorded &-= buffer.dropped
        tally.threadsLeftOut = leftOut.count
        return tally
    }

    // MARK: Threads

    private mutating func open(_ thread: ProbedThread, of count: Int) {
        var (requests, indices): ([PerfRequest], [Int]) = ([], [])
        for (index, event) in events.enumerated() {
            guard let request = event.request(for: thread.role) else { continue }
            requests.append(request)
            indices.append(index)
        }
        let used = threads.reduce(0) { $0 + $1.descriptorCount }
        while !requests.isEmpty {
            guard requests.count <= limits.descriptors - used else {
                leftOut.insert(thread.tid)
                return
            }
            do throws(PerfError) {
                let recorder = try system.recorder(
                    requests, on: .thread(thread.tid),
                    ringByteCount: limits.ringByteCount(targets: count))
                threads.append(TracedThread(thread, recorder, indices))
                leftOut.remove(thread.tid)
                return
            } catch {
                switch error.cause.errno {
                case .noSuchProcess: return
                case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory:
                    leftOut.insert(thread.tid)
                    return
                default: break
                }
                let place = min(max(0, error.index), requests.count - 1)
                refuse(events[indices[place]].name, error.cause)
                requests.remove(at: place)
                indices.remove(at: place)
                if requests.isEmpty { leftOut.insert(thread.tid) }
            }
        }
    }

    private mutating func refuse(_ name: String, _ error: KernelError) {
        let text = name + ": " + error.description
        if !missing.contains(where: { $0.hasPrefix(name + ":") }) { missing.append(text) }
    }

    /// Ends a thread's trace: nothing happens between the last record and the last count.
    private mutating func close(_ index: Int) {
        threads[index].recorder.stop()
        threads[index].count(scratch: &scratch.words)
        threads[index].drain(events, into: &buffer, scratch: &scratch.bytes)
        let thread = threads[index]
        books.recorded &+= thread.samples
        books.lost &+= thread.lost
        let known = thread.samples &+ thread.lost
        guard let seen = thread.seen else {
            books.seen &+= known
            books.hidden = nil
            return
        }
        books.seen &+= max(seen, known)
        books.hidden = books.hidden.map { $0 &+ (max(seen, known) - known) }
    }
}

/// One traced thread, with the events that are open on it.
private struct TracedThread: Sendable {
    let thread: ProbedThread
    let recorder: any ProbeRecorder
    /// The place of each of the recorder's events among those of the trace.
    let indices: [Int]
    private(set) var samples: UInt64 = 0
    /// Occurrences, as far as the kernel has told; `nil` where it does not.
    private(set) var seen: UInt64?
    private var lostByEvent: UInt64?
    private var lostInRing: UInt64 = 0

    init(_ thread: ProbedThread, _ recorder: any ProbeRecorder, _ indices: [Int]) {
        self.thread = thread
        self.recorder = recorder
        self.indices = indices
    }

    var descriptorCount: Int { indices.count }

    /// Records that found no room in the ring.
    var lost: UInt64 { lostByEvent ?? lostInRing }

    /// Asks the kernel what it counted.
    mutating func count(scratch words: inout [UInt64]) {
        guard let counts = try? recorder.read(scratch: &words), counts.count == indices.count,
            !counts.contains(nil)
        else {
            seen = nil
            return
        }
        seen = counts.reduce(0) { $0 &+ ($1?.events ?? 0) }
        let lost = counts.compactMap { $0?.lost }
        if lost.count == counts.count { lostByEvent = lost.reduce(0, &+) }
    }

    mutating func drain(
        _ events: [TracedEvent], into buffer: inout TraceBuffer, scratch: inout [UInt8]
    ) {
        let (recorder, indices) = (recorder, indices)
        var samples = samples
        let drained = recorder.drain(scratch: &scratch) { index, sample, fields in
            guard indices.indices.contains(index) else { return }
            samples &+= 1
            guard buffer.hasRoom() else { return }
            let event = events[indices[index]]
            buffer.append(
                KernelEvent(
                    monotonic: sample.time, name: event.name,
                    tid: Int32(truncatingIfNeeded: sample.tid),
                    cpu: UInt16(truncatingIfNeeded: sample.cpu),
                    a: event.a?.bits(in: fields) ?? 0, b: event.b?.bits(in: fields) ?? 0))
        }
        lostInRing &+= drained.lost
        self.samples = samples
    }
}

/// Events that wait to be taken. What finds no room is dropped and counted: the newest.
private struct TraceBuffer: Sendable {
    private var events: [KernelEvent] = []
    private let capacity: Int
    private(set) var dropped: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Whether one more event can be kept; counts it as dropped if not.
    mutating func hasRoom() -> Bool {
        if events.count < capacity { return true }
        dropped &+= 1
        return false
    }

    mutating func append(_ event: KernelEvent) { events.append(event) }

    mutating func take() -> [KernelEvent] {
        defer { events = [] }
        return events
    }
}
