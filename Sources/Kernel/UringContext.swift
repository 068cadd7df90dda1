private import CKernel
internal import SystemPackage

/// Requests through io_uring: two rings shared with the kernel, one of requests and one of
/// completions.
///
/// A batch goes out with one `io_uring_enter`. Completions are read from the ring; those of a disk
/// wait inside the kernel until this thread next enters it, which submitting does, so that a busy
/// thread pays no call for them and an idle one, which sees a flag, one for all. Through the page
/// cache, what cannot be done at once (durable writes, and syncs everywhere) goes to threads of the
/// kernel's own, named iou-wrk, at the cost of a hand-over each.
///
/// The ring's size is `capacity` rounded up to a power of two. Needs Linux 5.6.
public struct UringContext: ~Copyable, FileRequests {
    /// liburing's description of the ring, then the completions last reaped.
    private let memory: SharedMapping
    /// Completions are signalled here; kept open while any may be in flight.
    private let event: EventDescriptor
    public let capacity: Int
    /// Taken by the kernel and not reaped.
    private var inFlight = 0
    private var ring: UInt { memory.address }
    private var events: UInt { ring + UInt(CK_URING_SIZE + 15) & ~15 }

    /// A ring for at least `capacity` requests in flight, a power of two of them, whose completions
    /// signal `event`.
    public init(capacity: Int, signalling event: EventDescriptor) throws(KernelError) {
        // More than the kernel knows it refuses itself; it counts in 32 bits.
        let entries = UInt32(clamping: max(1, capacity))
        let roundedUp = Int(min(entries, 1 << 30)) * 2
        let memory = try SharedMapping(
            byteCount: CK_URING_SIZE + 16 + roundedUp * CK_URING_EVENT_SIZE)
        let result = ck_uring_setup(memory.address, entries, event.descriptor)
        guard result > 0 else { throw Self.cannotSetUp(capacity, Errno(rawValue: -result)) }
        self.memory = memory
        self.event = event
        self.capacity = Int(result)
    }

    static func cannotSetUp(_ capacity: Int, _ errno: Errno) -> KernelError {
        let remedy: String? =
            switch errno {
            case .notPermitted, .permissionDenied:
                "io_uring is not allowed here: allow it with "
                    + "`sysctl kernel.io_uring_disabled=0` and, in a container, in its seccomp "
                    + "profile, or use --aio aio or --aio threads"
            case .noFunction:
                "this kernel has no io_uring, or one before Linux 5.6; use --aio aio or "
                    + "--aio threads"
            case .noMemory: "raise the limit of locked memory (ulimit -l), or use fewer LUNs"
            case .tooManyOpenFiles: "raise the limit of open files (ulimit -n)"
            default: nil
            }
        return KernelError(
            "create an io_uring for", "\(capacity) requests", errno, remedy: remedy)
    }

    /// Waits for what is in flight: its buffers are the caller's again afterwards.
    deinit {
        var left = inFlight
        while left > 0 {
            let error = Errno(rawValue: -ck_uring_wait(ring))
            guard error.rawValue == 0 || error == .interrupted else { break }
            left -= Int(ck_uring_reap(ring, UInt32(capacity), events))
        }
        ck_uring_destroy(ring)
    }

    public var prepared: Int { Int(ck_uring_prepared(ring)) }

    public mutating func prepare(slot: Int, _ request: FileRequest) {
        precondition(slot >= 0 && slot < capacity)
        let isTaken = ck_uring_prepare(
            ring, request.operation.rawValue, request.descriptor, request.buffer,
            UInt64(request.count), request.offset, UInt64(slot),
            request.isDurableWrite ? CInt(CK_DURABLE) : 0)
        precondition(isTaken != 0, "more requests than slots")
    }

    /// A request that the kernel does not like is refused by its completion; `refused` means that
    /// the ring itself is of no more use.
    public mutating func submit() -> Submission {
        let waiting = prepared
        guard waiting > 0 else { return .all }
        let taken = Int(ck_uring_submit(ring))
        if taken >= 0 {
            inFlight += taken
            return taken == waiting ? .all : .some
        }
        let errno = Errno(rawValue: CInt(-taken))
        switch errno {
        case .resourceTemporarilyUnavailable, .resourceBusy, .interrupted: return .some
        default: return .refused(slot: Int(ck_uring_take_back_first(ring)), errno)
        }
    }

    public var hasCompletion: Bool { ck_uring_has_completion(ring) != 0 }

    public mutating func reap() -> Int {
        let count = Int(ck_uring_reap(ring, UInt32(capacity), events))
        inFlight -= count
        return count
    }

    public func completion(_ index: Int) -> (slot: Int, result: Int64) {
        precondition(index >= 0 && index < capacity)
        let event = events + UInt(index * CK_URING_EVENT_SIZE)
        return (Int(ck_load64_relaxed(event)), Int64(bitPattern: ck_load64_relaxed(event + 8)))
    }

    /// The ring's own descriptor.
    var descriptor: CInt { ck_uring_descriptor(ring) }
}
