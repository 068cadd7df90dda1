import Kernel
import SystemPackage
import Virtio

/// A file or block device, through one of the ways to have requests to it under way.
///
/// A transfer that comes back short is resumed where it stopped; a read at the end of the file is
/// filled up with zeroes; a write that moves nothing has hit the end of the space. What is stable
/// when is the cache mode's to say (`CacheMode`).
struct FileBackend<Requests: FileRequests & ~Copyable>: ~Copyable, Backend {
    /// The kernel holds a batch back until the last request of it is submitted, some 2 µs each: of
    /// 32 at once the disk would see the first after 60 µs. Eight share the system call nearly as
    /// well and are on their way while the next eight are taken from the ring.
    static var batchLimit: Int { 8 }

    /// A request in flight and how far it has come.
    struct Transfer: BitwiseCopyable {
        var isWrite = false
        /// A FLUSH, or what makes a cleared range stable.
        var isSync = false
        var offset: Int64 = 0
        /// What the guest is told was moved, when all has been.
        var byteCount: Int64 = 0
        var moved: Int64 = 0
        /// The data in the head's row of `vectors`.
        var segmentCount = 0
    }

    private var requests: Requests
    private let file: BackingFile
    private let cache: CacheMode
    private let transfers: FixedArray<Transfer>
    /// `segmentLimit` segments for each head, filled only for requests that have more than one.
    private let vectors: FixedArray<Segment>
    private let segmentLimit: Int
    private(set) var inFlight = 0
    /// A request the kernel refused at submission, to be told by the next `reap`.
    private var refusal: Completion?
    private let completions: FixedArray<Completion>
    private var completedCount = 0

    /// `requests` has a slot for each descriptor of the queue.
    init(
        file: BackingFile, cache: CacheMode, requests: consuming Requests, queueSize: Int,
        segmentLimit: Int
    ) {
        precondition(requests.capacity >= queueSize)
        self.file = file
        self.cache = cache
        self.requests = requests
        self.segmentLimit = segmentLimit
        transfers = FixedArray(repeating: Transfer(), count: queueSize)
        vectors = FixedArray(
            repeating: Segment(address: 0, byteCount: 0), count: queueSize * segmentLimit)
        completions = FixedArray(
            repeating: Completion(head: 0, result: 0), count: queueSize + 1)
    }

    /// Where the kernel took nothing for want of resources and holds nothing of ours, no completion
    /// will come to wake us: then it is up to us to try again. Nor does one tell of a refusal.
    private var isUpToUs: Bool {
        refusal != nil || requests.prepared > 0 && requests.prepared == inFlight
    }

    var hasCompletion: Bool { requests.hasCompletion || isUpToUs }
    var nextDue: UInt64? { isUpToUs ? 0 : nil }

    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        switch request.operation {
        case .read, .write:
            // One more goes through the ring if header or status share a segment with the data.
            guard request.segmentCount <= segmentLimit else {
                return .completed(-Int64(Errno.invalidArgument.rawValue))
            }
            startTransfer(head, request, segments)
        case .flush:
            guard cache.syncs else { return .completed(0) }
            prepareSync(head, answering: 0)
        case .discard, .writeZeroes, .writeZeroesUnmapping:
            if let error = clear(request) { return .completed(-Int64(error.rawValue)) }
            guard cache.hasStableWrites else { return .completed(Int64(request.byteCount)) }
            prepareSync(head, answering: Int64(request.byteCount))
        case .getID:
            return .completed(Int64(request.byteCount))
        }
        inFlight += 1
        return .inFlight
    }

    private func clear(_ request: BlockRequest) -> Errno? {
        file.zero(
            offset: Int64(request.sector) * 512, byteCount: Int64(request.byteCount),
            deallocate: request.operation != .writeZeroes)
    }

    /// Queues a sync of all that has completed; `byteCount` is the answer when it is done.
    private mutating func prepareSync(_ head: UInt16, answering byteCount: Int64) {
        transfers[Int(head)] = Transfer(isSync: true, byteCount: byteCount)
        requests.prepare(slot: Int(head), .dataSync(file.descriptor))
    }

    private mutating func startTransfer(
        _ head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) {
        let row = Int(head) * segmentLimit
        for index in 0..<request.segmentCount {
            vectors[row + index] = segments[request.firstSegment + index]
        }
        transfers[Int(head)] = Transfer(
            isWrite: request.operation == .write, offset: Int64(request.sector) * 512,
            byteCount: Int64(request.byteCount), segmentCount: request.segmentCount)
        prepare(head)
    }

    /// Queues what is left of a transfer.
    private mutating func prepare(_ head: UInt16) {
        let transfer = transfers[Int(head)]
        let row = Int(head) * segmentLimit
        let offset = transfer.offset + transfer.moved
        let isVector = transfer.segmentCount != 1
        let operation: FileRequest.Operation =
            switch (transfer.isWrite, isVector) {
            case (false, false): .read
            case (false, true): .readVector
            case (true, false): .write
            case (true, true): .writeVector
            }
        requests.prepare(
            slot: Int(head),
            FileRequest(
                operation, descriptor: file.descriptor,
                buffer: isVector ? vectors.address(of: row) : vectors[row].address,
                count: isVector ? transfer.segmentCount : Int(vectors[row].byteCount),
                offset: offset, isDurable: cache.hasStableWrites))
    }

    mutating func submit() -> Int {
        guard requests.prepared > 0, refusal == nil else { return 0 }
        let waiting = requests.prepared
        if case .refused(let slot, let errno) = requests.submit() {
            refusal = Completion(head: UInt16(slot), result: refusedResult(slot: slot, errno))
            return waiting - requests.prepared - 1
        }
        return waiting - requests.prepared
    }

    /// A kernel or file without AIO fdsync says EINVAL: then sync here and now.
    private func refusedResult(slot: Int, _ errno: Errno) -> Int64 {
        if transfers[slot].isSync, errno == .invalidArgument {
            return file.dataSync().map { -Int64($0.rawValue) } ?? transfers[slot].byteCount
        }
        return -Int64(errno.rawValue)
    }

    mutating func reap() -> Int {
        completedCount = 0
        if let refused = refusal {
            refusal = nil
            take(refused)
        }
        for index in 0..<requests.reap() {
            let (slot, result) = requests.completion(index)
            if let final = advance(slot: slot, by: result) {
                take(Completion(head: UInt16(truncatingIfNeeded: slot), result: final))
            }
        }
        // A short transfer, or one the kernel had no room for, goes out again.
        if requests.prepared > 0 { _ = submit() }
        return completedCount
    }

    private mutating func take(_ completion: Completion) {
        completions[completedCount] = completion
        completedCount += 1
        inFlight -= 1
    }

    func completion(_ index: Int) -> Completion { completions[index] }

    /// Takes note of a completion: the final result, or nil if the rest of the transfer was queued.
    private mutating func advance(slot: Int, by result: Int64) -> Int64? {
        var transfer = transfers[slot]
        if result < 0 { return result }
        if transfer.isSync { return transfer.byteCount }
        transfer.moved += result
        if transfer.moved >= transfer.byteCount { return transfer.byteCount }
        dropFront(slot: slot, &transfer, byteCount: UInt(result))
        transfers[slot] = transfer
        if result == 0 {
            if transfer.isWrite { return -Int64(Errno.noSpace.rawValue) }
            zeroRest(slot: slot, transfer)
            return transfer.byteCount
        }
        prepare(UInt16(slot))
        return nil
    }

    private func dropFront(slot: Int, _ transfer: inout Transfer, byteCount: UInt) {
        let row = slot * segmentLimit
        var drop = byteCount
        var kept = 0
        for index in 0..<transfer.segmentCount {
            var segment = vectors[row + index]
            let cut = min(drop, segment.byteCount)
            drop -= cut
            segment.address += cut
            segment.byteCount -= cut
            if segment.byteCount > 0 {
                vectors[row + kept] = segment
                kept += 1
            }
        }
        transfer.segmentCount = kept
    }

    private func zeroRest(slot: Int, _ transfer: Transfer) {
        for index in 0..<transfer.segmentCount {
            let segment = vectors[slot * segmentLimit + index]
            HostMemory.fill(segment.address, with: 0, byteCount: segment.byteCount)
        }
    }
}
