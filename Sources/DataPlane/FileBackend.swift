import Kernel
import SystemPackage
import Virtio

/// A file or block device, through one of the ways to have requests to it under way.
///
/// A transfer that comes back short is resumed where it stopped; a read at the end of the file is
/// filled up with zeroes; a write that moves nothing has hit the end of the space. What is stable
/// when is the cache mode's to say (`CacheMode`).
struct FileBackend<Requests: FileRequests & ~Copyable>: ~Copyable, Backend {
    /// A request in flight and how far it has come.
    struct Transfer: BitwiseCopyable {
        var isWrite = false
        var offset: Int64 = 0
        /// What the guest is told was moved, when all has been.
        var byteCount: Int64 = 0
        var moved: Int64 = 0
        /// The data in the head's row of the desk's `vectors`.
        var segmentCount = 0
    }

    private var desk: TransferDesk<Requests>
    private let file: BackingFile
    private let cache: CacheMode
    private let transfers: FixedArray<Transfer>

    /// `requests` has a slot for each descriptor of the queue.
    init(
        file: BackingFile, cache: CacheMode, requests: consuming Requests, queueSize: Int,
        segmentLimit: Int
    ) {
        self.file = file
        self.cache = cache
        desk = TransferDesk(
            file: file, cache: cache, requests: requests, queueSize: queueSize,
            segmentLimit: segmentLimit)
        transfers = FixedArray(repeating: Transfer(), count: queueSize)
    }

    var batchLimit: Int { file.batchLimit }
    var inFlight: Int { desk.inFlight }
    var hasCompletion: Bool { desk.hasCompletion }
    var nextDue: UInt64? { desk.nextDue }

    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        switch request.operation {
        case .read, .write:
            guard desk.keepData(of: request, segments, head: head) else {
                return .completed(-Int64(Errno.invalidArgument.rawValue))
            }
            transfers[Int(head)] = Transfer(
                isWrite: request.operation == .write, offset: Int64(request.sector) * 512,
                byteCount: Int64(request.byteCount), segmentCount: request.segmentCount)
            prepare(Int(head))
        case .flush:
            guard cache.syncs else { return .completed(0) }
            desk.prepareSync(Int(head), answering: 0)
        case .discard, .writeZeroes, .writeZeroesUnmapping:
            if let error = clear(request) {
                return .completed(desk.failure(-Int64(error.rawValue)))
            }
            guard cache.hasStableWrites else { return .completed(Int64(request.byteCount)) }
            desk.prepareSync(Int(head), answering: Int64(request.byteCount))
        case .getID:
            return .completed(Int64(request.byteCount))
        }
        desk.begin()
        return .inFlight
    }

    private func clear(_ request: BlockRequest) -> Errno? {
        file.zero(
            offset: Int64(request.sector) * 512, byteCount: Int64(request.byteCount),
            deallocate: request.operation != .writeZeroes)
    }

    /// Queues what is left of a transfer.
    private mutating func prepare(_ slot: Int) {
        let transfer = transfers[slot]
        desk.prepare(
            slot, isWrite: transfer.isWrite, segmentCount: transfer.segmentCount,
            offset: transfer.offset + transfer.moved)
    }

    mutating func submit() -> Int { desk.submit() }

    mutating func reap() -> Int {
        for index in 0..<desk.reap() {
            let (slot, result) = desk.result(index)
            if let final = advance(slot: slot, by: result) {
                desk.end(Completion(head: UInt16(truncatingIfNeeded: slot), result: final))
            }
        }
        // A short transfer, or one the kernel had no room for, goes out again.
        if desk.hasPrepared { _ = submit() }
        return desk.endedCount
    }

    func completion(_ index: Int) -> Completion { desk.completion(index) }

    /// Takes note of a completion: the final result, or nil if the rest of the transfer was queued.
    private mutating func advance(slot: Int, by result: Int64) -> Int64? {
        if result < 0 { return desk.failure(result) }
        if let answer = desk.syncAnswer(slot) { return answer }
        var transfer = transfers[slot]
        transfer.moved += result
        if transfer.moved >= transfer.byteCount { return transfer.byteCount }
        transfer.segmentCount = desk.dropFront(
            slot, of: transfer.segmentCount, byteCount: UInt(result))
        transfers[slot] = transfer
        if result == 0 {
            if transfer.isWrite { return desk.failure(-Int64(Errno.noSpace.rawValue)) }
            desk.zeroFront(slot, byteCount: UInt(transfer.byteCount - transfer.moved))
            return transfer.byteCount
        }
        prepare(slot)
        return nil
    }
}

extension BackingFile {
    /// The most requests to hand over at once. The kernel holds a batch for a disk back until the
    /// last request of it is submitted, some 2 µs each: of 32 at once the disk would see the first
    /// after 60 µs. Eight share the system call nearly as well and are on their way while the next
    /// eight are taken from the ring. Where there is no disk, the fewer calls the better.
    var batchLimit: Int { isInMemory ? 256 : 8 }
}
