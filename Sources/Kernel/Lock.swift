private import CKernel
private import Glibc
public import Telemetry

/// A mutex around a value. For control paths only: the data plane takes no lock.
@safe
public final class Lock<Value: ~Copyable>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    /// A lock that guards `value`.
    public init(_ value: consuming sending Value) {
        // SAFETY: the mutex stays at one address from here to `deinit`.
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        self.value = value
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the value, alone.
    public func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }

    /// Likewise; `nil`, and nothing done, where somebody else has the value for longer than
    /// `patience` nanoseconds.
    public func withLock<Result, Failure: Error>(
        within patience: Nanoseconds, _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard unsafe ck_lock_within(UInt(bitPattern: mutex), patience) == 0 else { return nil }
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}

/// A one-slot box between two threads: the newest value wins, and the taker is woken.
public final class Mailbox<Value: Sendable>: Sendable {
    /// Signalled when a value arrives.
    public let arrival: EventDescriptor
    private let slot = Lock<Value?>(nil)

    /// An empty mailbox.
    public init() throws(KernelError) { arrival = try EventDescriptor() }

    /// Puts `value` in, replacing one that nobody took.
    public func post(_ value: Value) {
        slot.withLock { $0 = value }
        arrival.signal()
    }

    /// Puts `value` in; `merge` may save something of one that nobody took, which it replaces.
    public func post(_ value: Value, merging merge: (_ old: Value, _ new: inout Value) -> Void) {
        slot.withLock { slot in
            var value = value
            if let old = slot { merge(old, &value) }
            slot = value
        }
        arrival.signal()
    }

    /// Takes the value out, if there is one.
    public func take() -> Value? {
        slot.withLock { slot in
            defer { slot = nil }
            return slot
        }
    }
}
