internal import Kernel
internal import Telemetry
internal import Virtio

/// The virtqueues of one VM, and how their rings are read: with one system call for a thousand
/// pieces, or by copying where the VM's memory is mapped here.
///
/// A value, of which a look makes one access for all queues: of an object's properties each access
/// is checked for others at the same time, which costs a tenth of a look.
struct QueueTable {
    private struct Batch {
        let reader: GuestReader
        var queues: Range<Int>
    }

    var queues: [WatchedQueue] = []
    private var copies: [WatchedQueue.Copy] = []
    private var batches: [Batch] = []
    /// Reads some rings again: those of which too little was read, and those of which chains were.
    private let again: GuestReader
    /// Queues of which only the indices are read, as they are idle.
    private var isShort: [Bool]
    /// Queues of those that turned out not to be idle any more.
    private var moved: [Int] = []
    /// Queues of which all was looked at in the last look: the others are idle.
    private(set) var awake: [Int] = []
    private(set) var last: Look?
    /// Of queues that are idle, every so many are looked at in one look, and all of them in as many
    /// looks.
    var idleStride = 1
    /// What it was in the look before.
    private var strideBefore = 1
    private(set) var looks = 0

    /// The queues at `places` in `map`. Throws where there is no memory for their copies.
    init(_ places: [RingPlace], luns: [Int], _ map: GuestMap) throws(KernelError) {
        again = try GuestReader(map, byteCount: 4 << 20)
        for (place, lun) in zip(places, luns) { queues.append(WatchedQueue(place, lun: lun)) }
        isShort = Array(repeating: false, count: queues.count)
        try plan(map)
    }

    /// Lays the queues' parts out in as few readings as there is need of. A queue that is not in
    /// the VM's memory, and all behind it, have no copies.
    private mutating func plan(_ map: GuestMap) throws(KernelError) {
        var index = 0
        while index < queues.count {
            let reader = try GuestReader(map, byteCount: 4 << 20)
            let start = index
            while index < queues.count, let copy = queues[index].place.add(to: reader) {
                copies.append(copy)
                index += 1
            }
            if index == start { return }
            batches.append(Batch(reader: reader, queues: start..<index))
        }
    }

    /// The first queue that is not in the VM's memory.
    var missing: RingPlace? { copies.count < queues.count ? queues[copies.count].place : nil }

    // MARK: Looking

    /// Takes one look at all queues.
    mutating func look(clock: () -> Nanoseconds) throws(RingProblem) {
        moved.removeAll(keepingCapacity: true)
        awake.removeAll(keepingCapacity: true)
        for batch in batches {
            if idleStride > 1 || strideBefore > 1 { chooseIdle(batch) }
            let begin = clock()
            try batch.reader.read()
            let look = Look(begin: begin, end: clock())
            try follow(batch, look)
            last = look
        }
        strideBefore = idleStride
        looks &+= 1
        try lookAgain(moved, clock: clock)
    }

    /// Has the queues of `batch` take a look at their copies. Of one that was idle only the indices
    /// were read: if they have moved, it is looked at again.
    private mutating func follow(_ batch: Batch, _ look: Look) throws(RingProblem) {
        for index in batch.queues {
            let wasShort = isShort[index]
            if wasShort {
                guard isDue(index) else { continue }
                guard batch.reader.has(copies[index].pieces) else { throw unmapped(index) }
                if queues[index].lookAtIdle(copies[index], look) { continue }
                moved.append(index)
            } else {
                try take(copies[index], of: index, batch.reader, look)
            }
            awake.append(index)
            guard let heads = copies[index].heads else { continue }
            isShort[index] = !wasShort && queues[index].isIdle
            guard isShort[index] != wasShort else { continue }
            batch.reader.limit(copies[index].pieces, to: wasShort ? nil : heads)
        }
    }

    /// Whether queue number `index`, which is idle, is looked at in this look.
    private func isDue(_ index: Int) -> Bool {
        idleStride <= 1 || index % idleStride == looks % idleStride
    }

    /// Says of the idle queues of `batch` which are read.
    private func chooseIdle(_ batch: Batch) {
        for index in batch.queues where isShort[index] {
            batch.reader.limit(copies[index].pieces, to: isDue(index) ? copies[index].heads : 0)
        }
    }

    private mutating func take(
        _ copy: WatchedQueue.Copy, of index: Int, _ reader: GuestReader, _ look: Look
    ) throws(RingProblem) {
        guard reader.has(copy.pieces) else { throw unmapped(index) }
        queues[index].look(copy, look)
        if queues[index].isStale {
            throw .stale("no virtqueue of \(queues[index].place.lun) is there any more")
        }
    }

    private func unmapped(_ index: Int) -> RingProblem {
        .stale("a virtqueue of \(queues[index].place.lun) is not mapped any more")
    }

    /// Reads the queues of these numbers once more, whole; whether there was room for all.
    @discardableResult
    mutating func lookAgain(
        _ indices: [Int], clock: () -> Nanoseconds
    ) throws(RingProblem) -> Bool {
        guard !indices.isEmpty else { return true }
        again.removeAll()
        var found: [(Int, WatchedQueue.Copy)] = []
        for index in indices {
            guard let copy = queues[index].place.add(to: again) else { break }
            found.append((index, copy))
        }
        let begin = clock()
        try again.read()
        let look = Look(begin: begin, end: clock())
        for (index, copy) in found { try take(copy, of: index, again, look) }
        last = look
        return found.count == indices.count
    }

    /// Where the chain of the request `head` of queue number `index` begins, if that is still to be
    /// seen.
    func start(of head: UInt16, _ index: Int) -> ChainStart? {
        queues[index].start(of: head, copies[index])
    }
}
