private import CKernel
private import SystemPackage

/// Requests through Linux AIO: a context with a control block for each request that can be in
/// flight.
///
/// A batch goes out with one system call, and completions are taken from the ring the kernel maps
/// into this process; where that ring is not what we know, reaping falls back to the system call.
/// With O_DIRECT, submitting does not wait for the disk. Through the page cache it does: then the
/// kernel reads, or writes and syncs, before `submit` returns, as if there were no AIO.
public struct AIOContext: ~Copyable, FileRequests {
    private let context: UInt
    private let memory: SharedMapping
    /// Completions of requests are signalled here; kept open while any may be in flight.
    private let event: EventDescriptor
    private let canReapInUserSpace: Bool
    public let capacity: Int
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
                    + "`sysctl fs.aio-max-nr=1048576`, or use fewer LUNs (--luns) or "
                    + "--aio io_uring"
                : nil)
    }

    deinit { ck_aio_destroy(context) }

    public mutating func prepare(slot: Int, _ request: FileRequest) {
        precondition(slot >= 0 && slot < capacity && prepared < capacity)
        let block = blocks + UInt(slot) * UInt(CK_AIO_BLOCK_SIZE)
        ck_aio_prepare(
            block, request.operation.rawValue, request.descriptor, request.buffer,
            UInt64(request.count), request.offset, UInt64(slot),
            request.isDurableWrite ? CInt(CK_DURABLE) : 0, event.descriptor)
        ck_store64_relaxed(pointers + UInt(prepared) * 8, UInt64(block))
        prepared += 1
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

    public var hasCompletion: Bool { canReapInUserSpace && ck_aio_has_completion(context) != 0 }

    public mutating func reap() -> Int {
        if canReapInUserSpace { return ck_aio_reap(context, capacity, events) }
        return max(0, ck_aio_get_events(context, capacity, events))
    }

    public func completion(_ index: Int) -> (slot: Int, result: Int64) {
        (Int(ck_aio_event_tag(events, index)), ck_aio_event_result(events, index))
    }
}
