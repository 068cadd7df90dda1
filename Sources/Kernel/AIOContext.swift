private import CKernel
public import SystemPackage

/// A Linux AIO context with a control block for each request that can be in flight.
///
/// Requests are named by a slot number `0..<capacity`. `prepare` any number, `submit` them with one
/// system call, `reap` completions from the ring the kernel maps into this process; where that ring
/// is not what we know, reaping falls back to the system call. One thread uses a context; nothing
/// here allocates after `init`.
public struct AIOContext: ~Copyable {
    /// What a request does.
    public enum Operation: CInt, Sendable { case read, write, readVector, writeVector, dataSync }

    private let context: UInt
    private let memory: SharedMapping
    /// Completions of requests are signalled here; kept open while any may be in flight.
    private let event: EventDescriptor
    private let canReapInUserSpace: Bool
    /// Slots that can be in flight.
    public let capacity: Int
    /// Prepared but not yet taken by the kernel.
    public private(set) var prepared = 0
    private var blocks: UInt { memory.address }
    private var pointers: UInt { blocks + UInt(capacity) * UInt(CK_AIO_BLOCK_SIZE) }
    private var events: UInt { pointers + UInt(capacity) * 8 }

    /// A context for `capacity` requests in flight whose completions signal `event`.
    ///
    /// The system has a common budget of contexts, /proc/sys/fs/aio-max-nr, in requests.
    public init(capacity: Int, signalling event: EventDescriptor) throws(KernelError) {
        let perSlot = CK_AIO_BLOCK_SIZE + 8 + CK_AIO_EVENT_SIZE
        let memory = try SharedMapping(byteCount: capacity * perSlot)
        let context = try Self.setUp(capacity: capacity)
        self.memory = memory
        self.context = context
        self.event = event
        self.capacity = capacity
        canReapInUserSpace = ck_aio_ring_is_mapped(context) != 0
    }

    private static func setUp(capacity: Int) throws(KernelError) -> UInt {
        let context = ck_aio_setup(CInt(capacity))
        if context >= 0 { return UInt(context) }
        let errno = Errno(rawValue: CInt(-context))
        throw KernelError(
            "create an AIO context for", "\(capacity) requests", errno,
            remedy: errno == .resourceTemporarilyUnavailable
                ? "the host's AIO contexts are used up: raise them with "
                    + "`sysctl fs.aio-max-nr=1048576`, or use fewer LUNs (--luns)"
                : nil)
    }

    deinit { ck_aio_destroy(context) }

    /// Fills slot `slot`'s control block and queues it for the next `submit`.
    ///
    /// `buffer` is the data's address and `count` its bytes, or an iovec array and its entries.
    public mutating func prepare(
        slot: Int, _ operation: Operation, descriptor: CInt, buffer: UInt, count: Int,
        offset: Int64
    ) {
        precondition(slot >= 0 && slot < capacity && prepared < capacity)
        let block = blocks + UInt(slot) * UInt(CK_AIO_BLOCK_SIZE)
        ck_aio_prepare(
            block, operation.rawValue, descriptor, buffer, UInt64(count), offset, UInt64(slot),
            event.descriptor)
        ck_store64_relaxed(pointers + UInt(prepared) * 8, UInt64(block))
        prepared += 1
    }

    /// What became of a `submit`.
    public enum Submission: Sendable, Equatable {
        /// All prepared requests are in flight.
        case all
        /// The kernel took some, the rest waits for the next `submit` (it is out of resources).
        case some
        /// The first waiting request was refused; it is no longer queued.
        case refused(slot: Int, Errno)
    }

    /// Hands all prepared requests to the kernel with one system call, as far as it takes them.
    public mutating func submit() -> Submission {
        guard prepared > 0 else { return .all }
        let taken = ck_aio_submit(context, prepared, pointers)
        if taken == prepared {
            prepared = 0
            return .all
        }
        if taken >= 0 {
            drop(first: taken)
            return .some
        }
        let errno = Errno(rawValue: CInt(-taken))
        if errno == .resourceTemporarilyUnavailable || errno == .interrupted { return .some }
        let block = ck_load64_relaxed(pointers)
        let slot = Int((UInt(block) - blocks) / UInt(CK_AIO_BLOCK_SIZE))
        drop(first: 1)
        return .refused(slot: slot, errno)
    }

    private mutating func drop(first count: Int) {
        for index in count..<prepared {
            let pointer = ck_load64_relaxed(pointers + UInt(index) * 8)
            ck_store64_relaxed(pointers + UInt(index - count) * 8, pointer)
        }
        prepared -= count
    }

    /// Whether a completion can be reaped, as far as this can be told without a system call.
    public var hasCompletion: Bool { canReapInUserSpace && ck_aio_has_completion(context) != 0 }

    /// Takes what has completed: how many, to be read with `completion(_:)` before the next `reap`.
    public mutating func reap() -> Int {
        if canReapInUserSpace { return ck_aio_reap(context, capacity, events) }
        return max(0, ck_aio_get_events(context, capacity, events))
    }

    /// Completion `index` of the last `reap`: its slot, and bytes moved or negative errno.
    public func completion(_ index: Int) -> (slot: Int, result: Int64) {
        (Int(ck_aio_event_tag(events, index)), ck_aio_event_result(events, index))
    }
}
