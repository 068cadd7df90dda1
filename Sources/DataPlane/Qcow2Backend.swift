import Kernel
import Qcow2
import SystemPackage
import Virtio

/// A qcow2 image in a file, through one of the ways to have requests to it under way.
///
/// A request whose data are one piece of the file, as most are, goes out as it came; one over
/// several pieces is done one piece after the other. What reads as zeroes costs no I/O. A write to
/// where nothing is gets its place when it is started; the tables go to the file in one batch per
/// turn, before the data. Reading an L2 table that is not in the cache, writing tables and
/// clearing ranges hold the device's thread up.
struct Qcow2Backend<Requests: FileRequests & ~Copyable>: ~Copyable, Backend {
    /// A request in flight and how far it has come.
    struct Transfer: BitwiseCopyable {
        var isWrite = false
        /// It got a new place, which is safe only once the tables are written.
        var isAllocating = false
        /// Where on the guest's disk the rest of it begins.
        var offset: UInt64 = 0
        /// What the guest is told was moved, when all has been.
        var byteCount: Int64 = 0
        /// Bytes to go.
        var rest: UInt64 = 0
        /// Bytes of the piece under way.
        var piece: UInt64 = 0
        /// The rest's data in the head's row of the desk's `vectors`.
        var segmentCount = 0
        /// The segments of the piece, whose last one was cut short by `cut` bytes.
        var pieceSegments = 0
        var cut: UInt = 0
    }

    private var desk: TransferDesk<Requests>
    private let file: BackingFile
    private let cache: CacheMode
    private var image: Qcow2Image
    private let transfers: FixedArray<Transfer>

    /// Opens the image in `file`, to be written to unless the file is read-only. `requests` has a
    /// slot for each descriptor of the queue. Throws what keeps it from being used.
    init(
        file: BackingFile, cache: CacheMode, requests: consuming Requests, queueSize: Int,
        segmentLimit: Int
    ) throws {
        image = try Qcow2Image.open(
            try Qcow2File(file, cache: cache), isWritable: !file.isReadOnly)
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

    // MARK: Starting

    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        switch request.operation {
        case .read, .write:
            guard desk.keepData(of: request, segments, head: head) else {
                return .completed(-Int64(Errno.invalidArgument.rawValue))
            }
            transfers[Int(head)] = Transfer(
                isWrite: request.operation == .write, offset: request.sector * 512,
                byteCount: Int64(request.byteCount), rest: request.byteCount,
                segmentCount: request.segmentCount)
            if let result = goOn(Int(head)) { return .completed(result) }
        case .flush:
            guard cache.syncs else { return .completed(0) }
            desk.prepareSync(Int(head), answering: 0)
        case .discard, .writeZeroes, .writeZeroesUnmapping:
            return .completed(clear(request))
        case .getID:
            return .completed(Int64(request.byteCount))
        }
        desk.begin()
        return .inFlight
    }

    private mutating func clear(_ request: BlockRequest) -> Int64 {
        do throws(Qcow2Error) {
            try image.clear(
                request.sector * 512, byteCount: request.byteCount,
                deallocates: request.operation != .writeZeroes)
            if cache.hasStableWrites, let errno = file.dataSync() {
                return desk.failure(-Int64(errno.rawValue))
            }
            return Int64(request.byteCount)
        } catch {
            return failed(by: error)
        }
    }

    /// The guest is told no more than that it failed.
    private func failed(by error: Qcow2Error) -> Int64 {
        file.fault.note(error.description)
        return -Int64(Errno.ioError.rawValue)
    }

    /// Moves what needs no I/O and queues the next piece: nil, or the final result.
    @inline(__always)
    private mutating func goOn(_ slot: Int) -> Int64? {
        do throws(Qcow2Error) {
            while transfers[slot].rest > 0 {
                let (offset, rest) = (transfers[slot].offset, transfers[slot].rest)
                let run =
                    transfers[slot].isWrite
                    ? try image.lookupForWriting(offset, byteCount: rest)
                    : try image.lookup(offset, byteCount: rest)
                switch run {
                case .data(let place, let count):
                    prepare(slot, at: place, byteCount: count)
                    return nil
                case .zero(let count):
                    if transfers[slot].isWrite {
                        transfers[slot].isAllocating = true
                        try image.allocate(offset, byteCount: count)
                    } else {
                        zeroFront(slot, byteCount: count)
                    }
                }
            }
            return transfers[slot].byteCount
        } catch {
            return failed(by: error)
        }
    }

    /// Queues the piece of `byteCount` bytes at `place` of the file.
    @inline(__always)
    private mutating func prepare(_ slot: Int, at place: UInt64, byteCount: UInt64) {
        transfers[slot].piece = byteCount
        if byteCount < transfers[slot].rest {
            cutOff(slot, byteCount: byteCount)
        } else {
            transfers[slot].pieceSegments = transfers[slot].segmentCount
            transfers[slot].cut = 0
        }
        desk.prepare(
            slot, isWrite: transfers[slot].isWrite,
            segmentCount: transfers[slot].pieceSegments, offset: Int64(place))
    }

    /// Shortens the segment in which the piece ends.
    private func cutOff(_ slot: Int, byteCount: UInt64) {
        let row = slot * desk.segmentLimit
        var rest = UInt(byteCount)
        var count = 0
        while rest > desk.vectors[row + count].byteCount {
            rest -= desk.vectors[row + count].byteCount
            count += 1
        }
        transfers[slot].pieceSegments = count + 1
        transfers[slot].cut = desk.vectors[row + count].byteCount - rest
        desk.vectors[row + count].byteCount = rest
    }

    // MARK: Submitting and reaping

    mutating func submit() -> Int {
        // If this fails the image says so from now on, and so do the writes that rely on it.
        if image.hasChanges { try? image.commit() }
        return desk.submit()
    }

    mutating func reap() -> Int {
        for index in 0..<desk.reap() {
            let (slot, result) = desk.result(index)
            if let final = advance(slot, by: result) {
                desk.end(Completion(head: UInt16(truncatingIfNeeded: slot), result: final))
            }
        }
        // Further pieces, and what the kernel had no room for.
        if desk.hasPrepared { _ = submit() }
        return desk.endedCount
    }

    func completion(_ index: Int) -> Completion { desk.completion(index) }

    /// Takes note of a completion: the final result, or nil if more of the transfer was queued.
    private mutating func advance(_ slot: Int, by result: Int64) -> Int64? {
        if result < 0 { return desk.failure(result) }
        if let answer = desk.syncAnswer(slot) { return answer }
        if transfers[slot].isAllocating, let error = image.failure { return failed(by: error) }
        let moved = UInt64(result)
        if moved == transfers[slot].rest { return transfers[slot].byteCount }
        let last = slot * desk.segmentLimit + transfers[slot].pieceSegments - 1
        desk.vectors[last].byteCount += transfers[slot].cut
        if moved > 0 {
            dropFront(slot, byteCount: moved)
        } else if transfers[slot].isWrite {
            return desk.failure(-Int64(Errno.noSpace.rawValue))
        } else {
            // The file ends here; what an image says is behind its end reads as zeroes.
            zeroFront(slot, byteCount: transfers[slot].piece)
        }
        return goOn(slot)
    }

    /// Takes the first `byteCount` bytes, which are moved, off the rest of a transfer.
    private func dropFront(_ slot: Int, byteCount: UInt64) {
        transfers[slot].segmentCount = desk.dropFront(
            slot, of: transfers[slot].segmentCount, byteCount: UInt(byteCount))
        transfers[slot].offset += byteCount
        transfers[slot].rest -= byteCount
    }

    /// Answers the first `byteCount` bytes of a read's rest with zeroes.
    private func zeroFront(_ slot: Int, byteCount: UInt64) {
        desk.zeroFront(slot, byteCount: UInt(byteCount))
        dropFront(slot, byteCount: byteCount)
    }

    /// Closes the image in good order, if nothing is in flight. An error leaves it marked as not
    /// closed, so that whoever opens it next repairs it.
    mutating func close() {
        guard desk.inFlight == 0 else { return }
        try? image.close()
        file.unlockImage()
    }
}
