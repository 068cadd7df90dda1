private import CKernel
private import Glibc
public import Telemetry

/// A mutex that tells who waits for it and how long: the Big QEMU Lock of the embedded engine.
///
/// Each thread that takes it has a number, `0..<threads`, and counts for itself. Waiting is timed
/// only where there is any, so that a lock nobody else wants costs what a mutex costs.
@safe
public final class CountedLock: @unchecked Sendable {
    private enum Word: Int, CaseIterable { case acquisitions, waits, waitTicks, longestTicks }
    /// A cache line for each thread.
    private static let stride = 8

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let words: SharedWords
    /// Waits by their length, in the layout of `LatencyBuckets`; written by the lock's holder.
    private let waits: SharedWords
    private let rate: TickRate
    /// Threads that may take it.
    public let threads: Int

    /// A lock for `threads` threads; `rate` is that of their ticks.
    public init(threads: Int, rate: TickRate) throws(KernelError) {
        words = try SharedWords(count: threads * Self.stride)
        waits = try SharedWords(count: LatencyBuckets.count)
        self.threads = threads
        self.rate = rate
        // SAFETY: the mutex stays at one address from here to `deinit`.
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Takes the lock, as thread number `thread`.
    public func lock(as thread: Int) {
        let first = thread * Self.stride
        if unsafe pthread_mutex_trylock(mutex) == 0 {
            words.add(1, at: first + Word.acquisitions.rawValue)
            return
        }
        let since = Clock.ticks()
        unsafe pthread_mutex_lock(mutex)
        let waited = Clock.ticks() &- since
        words.add(1, at: first + Word.acquisitions.rawValue)
        words.add(1, at: first + Word.waits.rawValue)
        words.add(waited, at: first + Word.waitTicks.rawValue)
        let longest = first + Word.longestTicks.rawValue
        if waited > words[longest] { words[longest] = waited }
        waits.add(1, at: LatencyBuckets.index(of: rate.nanoseconds(waited)))
    }

    /// Gives it back.
    public func unlock() { unsafe pthread_mutex_unlock(mutex) }

    /// What thread number `thread` counted since the start.
    public func counts(of thread: Int) -> LockCounts {
        let first = thread * Self.stride
        func word(_ word: Word) -> UInt64 { words[first + word.rawValue] }
        return LockCounts(
            acquisitions: word(.acquisitions), waits: word(.waits),
            waitTime: rate.nanoseconds(sum: word(.waitTicks)),
            longest: rate.nanoseconds(word(.longestTicks)))
    }

    /// Waits of all threads since the start by their length, in the layout of `LatencyBuckets`.
    public var waitBuckets: [UInt64] { waits.copy(0..<waits.count) }
}

/// What one thread had to do with a lock since the start.
public struct LockCounts: Sendable, Equatable {
    /// Times it took the lock.
    public var acquisitions: UInt64 = 0
    /// Times it had to wait for it.
    public var waits: UInt64 = 0
    /// Nanoseconds it waited.
    public var waitTime: Nanoseconds = 0
    /// The longest of the waits, nanoseconds.
    public var longest: Nanoseconds = 0

    /// Nothing counted.
    public init() {}

    init(acquisitions: UInt64, waits: UInt64, waitTime: Nanoseconds, longest: Nanoseconds) {
        self.acquisitions = acquisitions
        self.waits = waits
        self.waitTime = waitTime
        self.longest = longest
    }
}
