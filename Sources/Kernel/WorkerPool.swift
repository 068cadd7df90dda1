private import CKernel
private import Glibc

/// Requests through threads that each do one at a time with a call that waits (preadv2, pwritev2,
/// fdatasync): what QEMU's aio=threads does.
///
/// It works with every file, page cache or not. The costs: a request waits for a thread to wake and
/// its completion for the owner to wake, some microseconds each and two switches of context; the
/// disk sees as many requests at once as there are workers, whatever the queue holds; and the owner
/// takes a lock that workers hold for some dozen nanoseconds, once a `submit` and once a `reap`
/// that finds something. A worker takes it once a request, as it lays down one and picks up the
/// next.
///
/// One worker is there from the start, the others come when there is work for them and stay.
public struct WorkerPool: ~Copyable, FileRequests {
    /// Threads unless asked for otherwise. QEMU goes up to 64 for each of its event loops; here a
    /// pool serves one LUN, and many LUNs share few cores.
    public static let usualWorkers = 4

    /// What threads are called that work for `owner`.
    public static func name(_ owner: String) -> String { "worker \(owner)" }

    private let desk: Desk
    private let name: String
    private let limit: Int
    private var workers: [PThread]
    public private(set) var prepared = 0

    /// A pool of up to `workers` threads for `capacity` requests of `owner` in flight, whose
    /// completions signal `event`. Throws if not even one thread starts.
    public init(
        capacity: Int, workers limit: Int = usualWorkers, owner: String = "",
        signalling event: EventDescriptor
    ) throws(KernelError) {
        precondition(capacity > 0 && limit > 0)
        let name = Self.name(owner)
        let desk = try Desk(capacity: capacity, signalling: event)
        let first = try Self.worker(name, at: desk)
        self.desk = desk
        self.name = name
        self.limit = limit
        workers = [first]
    }

    private static func worker(_ name: String, at desk: Desk) throws(KernelError) -> PThread {
        try PThread(name: name) { desk.work() }
    }

    /// Waits for what is in flight.
    deinit {
        desk.close()
        for worker in workers { worker.join() }
    }

    public var capacity: Int { desk.capacity }

    public mutating func prepare(slot: Int, _ request: FileRequest) {
        precondition(prepared < capacity)
        desk.note(request, slot: slot, at: prepared)
        prepared += 1
    }

    /// Hands all over under one lock; there is always room.
    public mutating func submit() -> Submission {
        guard prepared > 0 else { return .all }
        let unattended = desk.handOver(prepared)
        prepared = 0
        for _ in 0..<unattended where workers.count < limit {
            // Where no more threads are to be had, those there are do the work.
            guard let worker = try? Self.worker(name, at: desk) else { break }
            workers.append(worker)
        }
        return .all
    }

    public var hasCompletion: Bool { desk.hasCompletion }

    public mutating func reap() -> Int { desk.collect() }

    public func completion(_ index: Int) -> (slot: Int, result: Int64) {
        desk.collected(index)
    }
}

/// What the owner of a pool and its workers share.
@safe
private final class Desk: @unchecked Sendable {
    private struct Done: BitwiseCopyable {
        var slot = 0
        var result: Int64 = 0
    }

    let capacity: Int
    private let event: EventDescriptor
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let arrival: UnsafeMutablePointer<pthread_cond_t>

    // The owner's alone; a request's row is a worker's while it is in flight.

    private let requests: UnsafeMutablePointer<FileRequest>
    private let noted: UnsafeMutablePointer<Int>
    private let taken: UnsafeMutablePointer<Done>

    // Guarded by the mutex.

    /// Slots nobody works on yet: a ring of `capacity`.
    private let waiting: UnsafeMutablePointer<Int>
    private var firstWaiting = 0
    private var waitingCount = 0
    private let done: UnsafeMutablePointer<Done>
    private var doneCount = 0
    private var idle = 0
    private var isClosed = false

    /// Whether there is something to collect: changed under the mutex, read without.
    private let flag: SharedWords

    init(capacity: Int, signalling event: EventDescriptor) throws(KernelError) {
        flag = try SharedWords(count: 1)
        self.capacity = capacity
        self.event = event
        // SAFETY: all these stay at one address from here to `deinit`, which runs when neither
        // owner nor workers are left; every index is below `capacity`.
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe arrival = .allocate(capacity: 1)
        unsafe pthread_cond_init(arrival, nil)
        unsafe requests = .allocate(capacity: capacity)
        unsafe requests.initialize(repeating: .dataSync(-1), count: capacity)
        unsafe noted = .allocate(capacity: capacity)
        unsafe noted.initialize(repeating: 0, count: capacity)
        unsafe waiting = .allocate(capacity: capacity)
        unsafe waiting.initialize(repeating: 0, count: capacity)
        unsafe done = .allocate(capacity: capacity)
        unsafe done.initialize(repeating: Done(), count: capacity)
        unsafe taken = .allocate(capacity: capacity)
        unsafe taken.initialize(repeating: Done(), count: capacity)
    }

    deinit {
        unsafe pthread_cond_destroy(arrival)
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
        unsafe arrival.deallocate()
        unsafe requests.deallocate()
        unsafe noted.deallocate()
        unsafe waiting.deallocate()
        unsafe done.deallocate()
        unsafe taken.deallocate()
    }

    private func lock() { unsafe pthread_mutex_lock(mutex) }
    private func unlock() { unsafe pthread_mutex_unlock(mutex) }

    // MARK: The owner

    /// Writes down a request, the one `position` of the next `handOver`.
    func note(_ request: FileRequest, slot: Int, at position: Int) {
        precondition(slot >= 0 && slot < capacity && position >= 0 && position < capacity)
        unsafe requests[slot] = request
        unsafe noted[position] = slot
    }

    /// Gives the first `count` noted requests to the workers: how many of them no idle worker is
    /// there for.
    func handOver(_ count: Int) -> Int {
        lock()
        precondition(waitingCount + count <= capacity, "more requests than slots")
        for position in 0..<count {
            unsafe waiting[(firstWaiting + waitingCount) % capacity] = noted[position]
            waitingCount += 1
        }
        let woken = min(count, idle)
        let unattended = max(0, waitingCount - idle)
        unlock()
        for _ in 0..<woken { unsafe pthread_cond_signal(arrival) }
        return unattended
    }

    var hasCompletion: Bool { flag.acquire(0) != 0 }

    /// Takes all that is done: how many.
    func collect() -> Int {
        guard hasCompletion else { return 0 }
        lock()
        let count = doneCount
        unsafe taken.update(from: done, count: count)
        doneCount = 0
        flag.release(0, at: 0)
        unlock()
        return count
    }

    func collected(_ index: Int) -> (slot: Int, result: Int64) {
        precondition(index >= 0 && index < capacity)
        let entry = unsafe taken[index]
        return (entry.slot, entry.result)
    }

    /// Lets the workers go home when all that was handed over is done.
    func close() {
        lock()
        isClosed = true
        unlock()
        unsafe pthread_cond_broadcast(arrival)
    }

    // MARK: A worker

    func work() {
        lock()
        while let slot = next() {
            let request = unsafe requests[slot]
            unlock()
            let result = Self.perform(request)
            lock()
            precondition(doneCount < capacity, "more requests than slots")
            unsafe done[doneCount] = Done(slot: slot, result: result)
            doneCount += 1
            guard doneCount == 1 else { continue }
            // The owner has collected all it was told of: it wants to be told again.
            flag.release(1, at: 0)
            unlock()
            event.signal()
            lock()
        }
        unlock()
    }

    /// Waits for a slot to work on; nil when there is none and there will be none. Under the mutex.
    private func next() -> Int? {
        while waitingCount == 0 {
            if isClosed { return nil }
            idle += 1
            unsafe pthread_cond_wait(arrival, mutex)
            idle -= 1
        }
        let slot = unsafe waiting[firstWaiting]
        firstWaiting = (firstWaiting + 1) % capacity
        waitingCount -= 1
        return slot
    }

    private static func perform(_ request: FileRequest) -> Int64 {
        ck_file_perform(
            request.operation.rawValue, request.descriptor, request.buffer, UInt64(request.count),
            request.offset, request.isDurableWrite ? CInt(CK_DURABLE) : 0)
    }
}
