import Kernel
import Virtio

/// Where a device's data are. One device thread owns a backend; it never allocates per request.
///
/// A request is named by its head, which is unique while it is in flight.
protocol Backend: ~Copyable, SendableMetatype {
    /// The most requests to start in one turn.
    var batchLimit: Int { get }

    /// Starts a request, or completes it on the spot.
    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started

    /// Hands over what was started since the last call, with one system call. Returns how many
    /// requests went out.
    mutating func submit() -> Int

    /// Takes what has completed: how many, to be read with `completion` before the next `reap`.
    mutating func reap() -> Int

    /// Completion `index` of the last `reap`.
    func completion(_ index: Int) -> Completion

    /// Whether `reap` would find something, as far as this can be told without a system call.
    var hasCompletion: Bool { get }

    /// Requests started and not reaped.
    var inFlight: Int { get }

    /// Whether somebody else may still read or write the memory of a request: such a request is
    /// waited for before the memory goes.
    var holdsMemory: Bool { get }

    /// `CLOCK_MONOTONIC` nanoseconds at which `reap` will find something that nothing signals; nil
    /// if all of it is signalled.
    var nextDue: UInt64? { get }

    /// Leaves what is behind it in good order; the last call, with nothing in flight.
    mutating func close()
}

extension Backend where Self: ~Copyable {
    @inline(__always)
    var holdsMemory: Bool { inFlight > 0 }
    @inline(__always)
    var nextDue: UInt64? { nil }
    mutating func close() {}
}

/// A request a backend is done with: bytes moved, or negative errno.
struct Completion: BitwiseCopyable {
    var head: UInt16
    var result: Int64
}

/// How a backend took a request.
enum Started {
    /// It is done: bytes moved, or negative errno.
    case completed(Int64)
    /// `reap` will tell.
    case inFlight
}

/// Completes everything at once and moves no byte: what is left is the cost of the data plane
/// itself.
struct NullBackend: ~Copyable, Backend {
    var batchLimit: Int { 256 }
    var hasCompletion: Bool { false }
    var inFlight: Int { 0 }

    @inline(__always)
    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        .completed(Int64(bitPattern: request.byteCount))
    }

    @inline(__always)
    mutating func submit() -> Int { 0 }
    @inline(__always)
    mutating func reap() -> Int { 0 }
    func completion(_ index: Int) -> Completion { Completion(head: 0, result: 0) }
}

/// A RAM disk in this process: each transfer is a copy.
struct MemoryBackend: ~Copyable, Backend {
    var batchLimit: Int { 256 }
    private let disk: SharedMapping
    var hasCompletion: Bool { false }
    var inFlight: Int { 0 }

    /// A RAM disk in `disk`, whose size is the LUN's.
    init(disk: SharedMapping) { self.disk = disk }

    @inline(__always)
    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        var at = disk.address &+ UInt(request.sector &* 512)
        switch request.operation {
        case .read, .write:
            let end = request.firstSegment &+ request.segmentCount
            for index in request.firstSegment..<end {
                let segment = segments[index]
                if request.operation == .read {
                    HostMemory.copy(to: segment.address, from: at, byteCount: segment.byteCount)
                } else {
                    HostMemory.copy(to: at, from: segment.address, byteCount: segment.byteCount)
                }
                at &+= segment.byteCount
            }
        case .discard, .writeZeroes, .writeZeroesUnmapping:
            HostMemory.fill(at, with: 0, byteCount: UInt(request.byteCount))
        case .flush, .getID: break
        }
        return .completed(Int64(bitPattern: request.byteCount))
    }

    @inline(__always)
    mutating func submit() -> Int { 0 }
    @inline(__always)
    mutating func reap() -> Int { 0 }
    func completion(_ index: Int) -> Completion { Completion(head: 0, result: 0) }
}
