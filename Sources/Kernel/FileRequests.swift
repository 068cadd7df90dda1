public import SystemPackage

/// Reads, writes and syncs of files under way, each named by a slot `0..<capacity`.
///
/// `prepare` any number of requests, `submit` them together, `reap` what has completed; each
/// completion signals the `EventDescriptor` the conforming type was made with. A slot belongs to
/// its request until its completion is reaped. One thread uses a value; nothing allocates per
/// request. A transfer may move less than was asked for, as with read(2) and write(2), and the
/// kernel may complete requests in any order.
public protocol FileRequests: ~Copyable, SendableMetatype {
    /// Slots that can be in flight.
    var capacity: Int { get }

    /// Requests prepared and not yet taken by the kernel.
    var prepared: Int { get }

    /// Whether a completion can be reaped, as far as this can be told without a system call.
    var hasCompletion: Bool { get }

    /// Queues a request for the next `submit`; its slot is in nobody else's use, and the buffers it
    /// names stay until its completion is reaped.
    mutating func prepare(slot: Int, _ request: FileRequest)

    /// Hands all prepared requests over, as far as they are taken.
    mutating func submit() -> Submission

    /// Takes what has completed: how many, to be read with `completion(_:)` before the next `reap`.
    mutating func reap() -> Int

    /// Completion `index` of the last `reap`: its slot, and bytes moved or negative errno.
    func completion(_ index: Int) -> (slot: Int, result: Int64)
}

/// What became of a `submit`.
public enum Submission: Sendable, Equatable {
    /// All prepared requests are in flight.
    case all
    /// Some were taken, the rest waits for the next `submit` (the kernel is out of resources).
    case some
    /// The first waiting request was refused; it is no longer queued, and no completion will come.
    case refused(slot: Int, Errno)
}

/// What to do with a file.
public struct FileRequest: BitwiseCopyable, Sendable {
    /// The vectors' buffers are iovec arrays (`Segment`s), the others' are data.
    public enum Operation: CInt, Sendable, BitwiseCopyable {
        case read, write, readVector, writeVector
        /// Makes all writes completed before stable, with what is needed to find them
        /// (fdatasync(2)).
        case dataSync
    }

    public var operation: Operation
    /// The open file.
    public var descriptor: CInt
    /// The data's address, or an iovec array's; 0 for a sync.
    public var buffer: UInt
    /// Bytes of data, or entries of the array.
    public var count: Int
    /// Where in the file, bytes.
    public var offset: Int64
    /// A write completes when it is stable (RWF_DSYNC; Linux 4.13). Without meaning for others.
    public var isDurable: Bool

    /// A transfer of `count` bytes at `buffer`, or of the `count` segments there.
    public init(
        _ operation: Operation, descriptor: CInt, buffer: UInt, count: Int, offset: Int64,
        isDurable: Bool = false
    ) {
        self.operation = operation
        self.descriptor = descriptor
        self.buffer = buffer
        self.count = count
        self.offset = offset
        self.isDurable = isDurable
    }

    /// A sync of the data of a file.
    public static func dataSync(_ descriptor: CInt) -> Self {
        Self(.dataSync, descriptor: descriptor, buffer: 0, count: 0, offset: 0)
    }

    /// Whether its transfer is to be stable when it completes.
    var isDurableWrite: Bool { isDurable && (operation == .write || operation == .writeVector) }
}
