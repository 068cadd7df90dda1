import Kernel
import Telemetry
import Virtio

/// The host's side of an IDE channel: its registers, and the storage behind them.
///
/// Everything here happens under the Big QEMU Lock, as it does in QEMU: a vCPU holds it for each
/// access to a port, the main loop for each completion.
// SAFETY: two threads have it, and only the holder of the lock touches what changes in it.
final class IDEController: LockedDevice, @unchecked Sendable {
    private enum Word: Int, CaseIterable { case isActive }

    private let shared: QueueShared
    private let lock: CountedLock
    /// The main loop's number among the lock's threads.
    private let mainLoop: Int
    private var channel: IDEChannel
    private let backend: BackendBox
    private var segments: SegmentList
    private var outcome: IDEChannel.Outcome?
    private var isTracing = false
    /// Whether a request is under way, for who looks without the lock.
    private let words: SharedWords

    init(
        shared: QueueShared, backend: BackendBox, lock: CountedLock, mainLoop: Int
    ) throws(KernelError) {
        self.shared = shared
        self.backend = backend
        self.lock = lock
        self.mainLoop = mainLoop
        words = try SharedWords(count: Word.allCases.count)
        let lun = shared.configuration
        channel = IDEChannel(
            drive: IDEChannel.Drive(
                sectors: lun.backend.sectors, isReadOnly: lun.backend.isReadOnly, serial: lun.id))
        // As many entries as a table of 64 KiB holds would be too many for any job here.
        segments = SegmentList(capacity: lun.job.blockSize / 4096 + 2)
    }

    // MARK: The guest's accesses

    /// The guest reads a register; the caller holds the lock.
    func read(_ register: IDERegister) -> UInt32 { channel.read(register) }

    /// The guest writes a register; the caller holds the lock.
    func write(_ register: IDERegister, _ value: UInt32) { obey(channel.write(register, value)) }

    private func obey(_ effect: IDEChannel.Effect) {
        switch effect {
        case .none: break
        case .start(let request): start(request)
        case .interrupt:
            shared.counters[.lastInterrupt] = Clock.ticks()
            shared.counters.add(1, to: .interrupts)
            shared.interrupt.signal()
        }
    }

    /// Starts a request; what is over at once is told by the main loop, not in the guest's access.
    private func start(_ request: IDERequest) {
        words[Word.isActive.rawValue] = 1
        isTracing = shared.orders.trace != .off
        stamp(.popped)
        if request.operation == .flush {
            segments.removeAll()
        } else if PRDTable.gather(request, in: shared.memory.memory, into: &segments) != nil {
            end(.busMasterFault)
            return
        }
        switch backend.start(
            head: 0, request.block(segmentCount: segments.count), segments)
        {
        case .completed(let result): end(result < 0 ? .failed : .done)
        case .inFlight:
            if backend.submit() > 0 { shared.counters.add(1, to: .submissions) }
            stamp(.submitted)
            // The main loop may be asleep and would not know how long.
            if backend.nextDue != nil { shared.doorbell.signal() }
        }
    }

    private func end(_ outcome: IDEChannel.Outcome) {
        stamp(.submitted)
        stamp(.completed)
        self.outcome = outcome
        shared.doorbell.signal()
    }

    /// The request under way, of which there is one, is at `stage` now.
    private func stamp(_ stage: StampTable.Stamp) {
        if isTracing { shared.stamps.set(stage, of: 0, to: Clock.ticks()) }
    }

    // MARK: The main loop's part

    var doorbell: EventDescriptor { shared.doorbell }

    var holdsMemory: Bool { whileActive { backend.holdsMemory } ?? false }

    var nextDue: Nanoseconds? { whileActive { backend.nextDue } ?? nil }

    func close() { backend.close() }

    private func whileActive<Result>(_ body: () -> Result) -> Result? {
        guard words[Word.isActive.rawValue] != 0 else { return nil }
        lock.lock(as: mainLoop)
        defer { lock.unlock() }
        return body()
    }

    func handleKick() -> Int {
        take()
        return outcome == nil ? 0 : 1
    }

    private func take() {
        guard outcome == nil, backend.inFlight > 0, backend.reap() > 0 else { return }
        stamp(.completed)
        outcome = backend.completion(0).result < 0 ? .failed : .done
    }

    func answerAll(under lock: CountedLock, as thread: Int) -> Int {
        whileActive {
            take()
            guard let outcome else { return 0 }
            self.outcome = nil
            words[Word.isActive.rawValue] = 0
            shared.counters.add(1, to: .requests)
            shared.counters.add(1, to: .turns)
            stamp(.published)
            obey(channel.complete(outcome))
            return 1
        } ?? 0
    }
}
