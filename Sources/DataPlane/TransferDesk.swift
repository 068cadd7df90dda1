import Kernel
import SystemPackage
import Virtio

/// What the backends of files have in common: the requests that are under way, one that the kernel
/// refused, what has completed, and each request's data.
///
/// A request is named by its head. How far its transfer has come, and what is to be done next, is
/// the backend's to know.
struct TransferDesk<Requests: FileRequests & ~Copyable>: ~Copyable {
    private var requests: Requests
    private let file: BackingFile
    private let cache: CacheMode
    /// `segmentLimit` segments for each head: what is left of its data.
    let vectors: FixedArray<Segment>
    let segmentLimit: Int
    /// What each head is answered when its sync is done; `noSync` where it is no sync.
    private let syncAnswers: FixedArray<Int64>
    /// Requests begun and not ended.
    private(set) var inFlight = 0
    /// A request the kernel refused at submission, to be told by the next `reap`.
    private var refusal: Completion?
    private let completions: FixedArray<Completion>
    private var completedCount = 0
    private static var noSync: Int64 { -1 }

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
        vectors = FixedArray(
            repeating: Segment(address: 0, byteCount: 0), count: queueSize * segmentLimit)
        syncAnswers = FixedArray(repeating: Self.noSync, count: queueSize)
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

    // MARK: Starting

    /// Keeps the data of `request`; false if they have more segments than there is room for, as one
    /// more goes through the ring if header or status share a segment with the data.
    mutating func keepData(
        of request: BlockRequest, _ segments: borrowing SegmentList, head: UInt16
    ) -> Bool {
        guard request.segmentCount <= segmentLimit else { return false }
        let row = Int(head) * segmentLimit
        for index in 0..<request.segmentCount {
            vectors[row + index] = segments[request.firstSegment + index]
        }
        return true
    }

    /// A request has begun that will be completed by `reap`.
    mutating func begin() { inFlight += 1 }

    /// Queues the first `segmentCount` segments of `slot`'s data, to or from `offset` in the file.
    @inline(__always)
    mutating func prepare(_ slot: Int, isWrite: Bool, segmentCount: Int, offset: Int64) {
        let row = slot * segmentLimit
        let isVector = segmentCount != 1
        let operation: FileRequest.Operation =
            switch (isWrite, isVector) {
            case (false, false): .read
            case (false, true): .readVector
            case (true, false): .write
            case (true, true): .writeVector
            }
        syncAnswers[slot] = Self.noSync
        requests.prepare(
            slot: slot,
            FileRequest(
                operation, descriptor: file.descriptor,
                buffer: isVector ? vectors.address(of: row) : vectors[row].address,
                count: isVector ? segmentCount : Int(vectors[row].byteCount), offset: offset,
                isDurable: cache.hasStableWrites))
    }

    /// Queues a sync of all that has completed; `byteCount` is the answer when it is done.
    mutating func prepareSync(_ slot: Int, answering byteCount: Int64) {
        syncAnswers[slot] = byteCount
        requests.prepare(slot: slot, .dataSync(file.descriptor))
    }

    // MARK: Submitting

    /// What `slot` is answered when its sync is done; nil if it is no sync.
    func syncAnswer(_ slot: Int) -> Int64? {
        syncAnswers[slot] == Self.noSync ? nil : syncAnswers[slot]
    }

    /// Hands over what was prepared: how many requests went out.
    mutating func submit() -> Int {
        guard requests.prepared > 0, refusal == nil else { return 0 }
        let waiting = requests.prepared
        if case .refused(let slot, let errno) = requests.submit() {
            refusal = Completion(
                head: UInt16(truncatingIfNeeded: slot), result: refusedResult(slot, errno))
            return waiting - requests.prepared - 1
        }
        return waiting - requests.prepared
    }

    /// A kernel or file without AIO fdsync says EINVAL: then sync here and now.
    private func refusedResult(_ slot: Int, _ errno: Errno) -> Int64 {
        if let answer = syncAnswer(slot), errno == .invalidArgument {
            return file.dataSync().map { failure(-Int64($0.rawValue)) } ?? answer
        }
        return failure(-Int64(errno.rawValue))
    }

    /// Takes note of `result`, a negative errno.
    func failure(_ result: Int64) -> Int64 {
        file.fault.note(Errno(rawValue: CInt(truncatingIfNeeded: -result)).description)
        return result
    }

    /// Whether something is prepared and not yet taken.
    var hasPrepared: Bool { requests.prepared > 0 }

    // MARK: Reaping

    /// Begins a `reap`: how many requests of the kernel's completed, to be read with `result`.
    mutating func reap() -> Int {
        completedCount = 0
        if let refused = refusal {
            refusal = nil
            end(refused)
        }
        return requests.reap()
    }

    /// Completion `index` of the kernel's: its slot, and bytes moved or negative errno.
    func result(_ index: Int) -> (slot: Int, result: Int64) { requests.completion(index) }

    /// Ends a request.
    mutating func end(_ completion: Completion) {
        completions[completedCount] = completion
        completedCount += 1
        inFlight -= 1
    }

    /// Requests that have ended since the last `reap` began.
    var endedCount: Int { completedCount }

    /// The one of them with number `index`.
    func completion(_ index: Int) -> Completion { completions[index] }

    /// Takes the first `byteCount` bytes off the `count` segments of `slot`'s data: how many are
    /// left.
    func dropFront(_ slot: Int, of count: Int, byteCount: UInt) -> Int {
        let row = slot * segmentLimit
        var drop = byteCount
        var kept = 0
        for index in 0..<count {
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
        return kept
    }

    /// Sets the first `byteCount` bytes of `slot`'s data to zero; they have as many.
    func zeroFront(_ slot: Int, byteCount: UInt) {
        var left = byteCount
        var index = slot * segmentLimit
        while left > 0 {
            let segment = vectors[index]
            let count = min(left, segment.byteCount)
            HostMemory.fill(segment.address, with: 0, byteCount: count)
            left -= count
            index += 1
        }
    }
}
