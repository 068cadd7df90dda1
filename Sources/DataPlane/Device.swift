import Glibc
import Kernel
import Telemetry
import Virtio

/// The device end of one LUN: its thread's whole state and its loop.
///
/// One turn: take all that is in the ring, start it, hand it over with one system call, take what
/// has completed, publish once, and interrupt at most once. Kicks are asked for only where the
/// thread would sleep, because a busy device finds work without them.
struct Device<B: Backend & ~Copyable>: ~Copyable {
    let shared: QueueShared
    let counters: LUNCounterBlock
    private let limits: BlockLimits
    private let manner: DeviceManner
    let waitMode: WaitMode
    var poll: AdaptivePoll
    var queue: DeviceQueue
    var backend: B
    var segments: SegmentList
    private let requests: FixedArray<BlockRequest>
    var isTracing = false
    /// What was completed and waits for its own turn to be answered; only where requests are served
    /// one by one.
    var bottomHalves: CompletionQueue
    /// The objects of requests under way, by head; there too.
    let objects: OwnedArray<RequestObject?>
    /// Heads started in this turn, and heads finished in it, for their stamps. A driver that offers
    /// a head anew before it has it back can make a turn finish a whole ring twice.
    private let started: FixedArray<UInt16>
    var startedCount = 0
    var gate: InterruptGate
    private let finished: FixedArray<UInt16>
    var finishedCount = 0

    init(shared: QueueShared, backend: consuming B, waitMode: WaitMode, pollTicks: UInt64) {
        self.shared = shared
        self.backend = backend
        self.waitMode = waitMode
        manner = DeviceManner(of: shared.configuration.path)
        let configuration = shared.configuration
        counters = shared.counters
        poll = AdaptivePoll(longest: pollTicks)
        limits = BlockLimits(
            sectors: configuration.backend.sectors,
            isReadOnly: configuration.backend.isReadOnly, serial: configuration.id)
        queue = DeviceQueue(
            ring: shared.memory.ring, memory: shared.memory.memory,
            features: configuration.features)
        segments = SegmentList(capacity: configuration.segmentLimit + 2)
        let size = configuration.queueSize
        requests = FixedArray(repeating: .none, count: size)
        bottomHalves = CompletionQueue(capacity: manner == .oneByOne ? size : 0)
        objects = OwnedArray(count: manner == .oneByOne ? size : 0) { _ in nil }
        started = FixedArray(repeating: 0, count: size)
        finished = FixedArray(repeating: 0, count: 2 * size)
        gate = InterruptGate(configuration.coalescing)
    }

    /// Serves the queue until ordered to stop and nothing is in flight any more.
    mutating func run() {
        queue.suppressKicks()
        var busyTurns = 0
        while true {
            if turn() > 0 {
                // A LUN whose vCPU runs on another CPU always finds work; the others want theirs.
                busyTurns &+= 1
                if waitMode == .yield, busyTurns & 7 == 0 { yieldProcessor() }
                continue
            }
            if shared.orders.devicesStop, !backend.holdsMemory { return backend.close() }
            wait()
        }
    }

    /// Moves what can be moved now: how many requests were taken or finished.
    mutating func turn() -> Int {
        let begin = Clock.ticks()
        isTracing = shared.orders.trace != .off
        startedCount = 0
        finishedCount = 0
        let taken = drain()
        hand()
        if taken > 0 {
            counters.add(UInt64(taken), to: .popped)
            if isTracing { stampStarted() }
        }
        reap()
        if gate.isDue() { interrupt() }
        guard taken > 0 || queue.unpublished > 0 else { return 0 }
        let published = queue.unpublished
        publish()
        counters.add(1, to: .turns)
        counters.add(UInt64(published), to: .requests)
        counters.add(Clock.ticks() &- begin, to: .busyTicks)
        return taken + published
    }

    /// Takes and starts everything in the ring.
    private mutating func drain() -> Int {
        let available = min(queue.refresh(), backend.batchLimit)
        // Later than the driver's stamp of whatever it has made available.
        let now = isTracing && available > 0 ? Clock.ticksAfterLoads() : 0
        var taken = 0
        while taken < available {
            switch queue.pop(into: &segments) {
            case .empty: return taken
            case .chain(let head):
                notePopped(head, at: now)
                start(head)
                if manner == .direct { hand() }
            case .malformed(let head, _):
                notePopped(head, at: now)
                counters.add(1, to: .malformed)
                giveBack(head, written: 0)
            case .broken:
                breakDown()
                return taken
            }
            taken += 1
        }
        if queue.breakage != nil { breakDown() }
        return taken
    }

    /// Hands over what was started since the last time.
    @inline(__always)
    mutating func hand() {
        if backend.submit() > 0 { counters.add(1, to: .submissions) }
    }

    @inline(__always)
    mutating func notePopped(_ head: UInt16, at now: UInt64) {
        guard isTracing else { return }
        shared.stamps.set(.popped, of: head, to: now)
        started[startedCount] = head
        startedCount &+= 1
    }

    @inline(__always)
    mutating func start(_ head: UInt16) {
        switch limits.parse(segments) {
        case .execute(let request):
            requests[Int(head)] = request
            if request.operation == .getID {
                complete(head, answerID(head))
                return
            }
            switch backend.start(head: head, request, segments) {
            case .completed(let result): complete(head, result)
            case .inFlight: break
            }
        case .answer(let status, let statusAddress):
            HostMemory.storeStatus(status, at: statusAddress)
            giveBack(head, written: 1)
        case .malformed:
            counters.add(1, to: .malformed)
            giveBack(head, written: 0)
        }
    }

    /// Takes note that the backend is done with a request.
    @inline(__always)
    mutating func complete(_ head: UInt16, _ result: Int64) {
        if manner == .oneByOne {
            bottomHalves.append(Completion(head: head, result: result))
        } else {
            finish(head, result)
        }
    }

    /// Queues a head for the used ring; everything that is given back passes here.
    @inline(__always)
    mutating func giveBack(_ head: UInt16, written: UInt32) {
        queue.push(head: head, written: written)
        if isTracing {
            finished[finishedCount] = head
            finishedCount &+= 1
        }
    }

    /// Writes the status byte and gives the head back.
    @inline(__always)
    mutating func finish(_ head: UInt16, _ result: Int64) {
        let request = requests[Int(head)]
        var written: UInt32 = 1
        if result >= 0 {
            HostMemory.storeStatus(BlockStatus.ok, at: request.statusAddress)
            if request.operation == .read || request.operation == .getID {
                written = UInt32(truncatingIfNeeded: request.byteCount &+ 1)
            }
        } else {
            let isUnsupported = result == -Int64(EOPNOTSUPP)
            HostMemory.storeStatus(
                isUnsupported ? BlockStatus.unsupported : BlockStatus.ioError,
                at: request.statusAddress)
        }
        giveBack(head, written: written)
    }

    /// The serial, at most 20 bytes, ended by a NUL where there is room (virtio 1.2 §5.2.6): bytes
    /// written. Finds the request by itself: one that is passed on would stand in memory for every
    /// request, not only for these.
    private mutating func answerID(_ head: UInt16) -> Int64 {
        let request = requests[Int(head)]
        var serial = limits.serial.utf8.prefix(20).makeIterator()
        var remaining = request.byteCount
        let end = request.firstSegment + request.segmentCount
        for index in request.firstSegment..<end {
            let segment = segments[index]
            for offset in 0..<segment.byteCount where remaining > 0 {
                HostMemory.storeStatus(serial.next() ?? 0, at: segment.address + offset)
                remaining -= 1
            }
        }
        return Int64(request.byteCount)
    }

    /// Mutating in name only, like others here: a `self` of this size that is merely borrowed would
    /// be copied for every call.
    ///
    /// All requests of this turn went out at the same instant, and those the backend answered on
    /// the spot were complete by then.
    mutating func stampStarted() {
        let now = Clock.ticks()
        for index in 0..<startedCount {
            shared.stamps.set(.submitted, of: started[index], to: now)
        }
        for index in 0..<finishedCount {
            shared.stamps.set(.completed, of: finished[index], to: now)
        }
    }

    /// Takes what the backend has completed.
    private mutating func reap() {
        let before = finishedCount
        if backend.inFlight > 0 {
            for index in 0..<backend.reap() {
                let completion = backend.completion(index)
                complete(completion.head, completion.result)
            }
        }
        if finishedCount > before { stampCompleted(from: before) }
    }

    /// Stamps what was finished since `finishedCount` was `first` as complete now.
    mutating func stampCompleted(from first: Int) {
        guard isTracing else { return }
        let now = Clock.ticks()
        for index in first..<finishedCount {
            shared.stamps.set(.completed, of: finished[index], to: now)
        }
    }

    /// Publishes what was finished, with its stamps, and interrupts if the driver wants to know.
    mutating func publish() {
        if isTracing, finishedCount > 0 {
            let now = Clock.ticks()
            for index in 0..<finishedCount {
                shared.stamps.set(.published, of: finished[index], to: now)
            }
        }
        let count = queue.unpublished
        guard count > 0 else { return }
        let isWanted = queue.publish()
        let left = backend.inFlight &+ bottomHalves.count
        if gate.opens(count, inFlight: left, isWanted: isWanted) {
            interrupt()
        } else {
            counters.add(1, to: .interruptsSuppressed)
        }
    }

    mutating func interrupt() {
        counters[.lastInterrupt] = Clock.ticks()
        counters.add(1, to: .interrupts)
        shared.interrupt.signal()
    }

    /// When something is to be done that nothing signals: the backend's time, or that of an
    /// interrupt that is held. `CLOCK_MONOTONIC` nanoseconds.
    var nextDue: Nanoseconds? {
        guard let held = gate.deadline else { return backend.nextDue }
        return min(held, backend.nextDue ?? .max)
    }

    /// The ring is incoherent: nothing more is taken from it. The guest is told by an interrupt, as
    /// a device sets DEVICE_NEEDS_RESET and sends one (virtio 1.2 §2.1.2); other LUNs go on.
    mutating func breakDown() {
        guard counters[DeviceCounter.isBroken] == 0 else { return }
        counters[DeviceCounter.isBroken] = 1
        shared.interrupt.signal()
    }
}
