internal import Kernel
internal import Telemetry
internal import Virtio

/// The virtqueues of one VM, and how they are read: a look reads the rings of all of them with one
/// system call for a thousand pieces, and then the chains of some requests.
final class VMRings {
    /// Chains read after one look, so that a busy VM does not take all our time.
    static let mostChains = 16
    /// Likewise, of LUNs that are followed request by request.
    private static let mostOfFollowed = 256
    /// Every so many looks, chains of older requests are read too.
    private static let sweepPeriod = 16
    /// A request this old is read in a sweep, nanoseconds.
    private static let sweepAge: Nanoseconds = 2_000_000

    private struct Batch {
        let reader: GuestReader
        var queues: Range<Int>
    }

    private(set) var queues: [WatchedQueue] = []
    private var copies: [WatchedQueue.Copy] = []
    private var batches: [Batch] = []
    private let chains: ChainReader
    /// Reads some rings again: those of which too little was read, and those of which chains were.
    private let again: GuestReader
    /// Queues of which only the indices are read, as they are idle.
    private var isShort: [Bool] = []
    /// LUNs of which every chain is read.
    var followed: Set<String> = []
    /// Queues of those that turned out not to be idle any more.
    private var moved: [Int] = []
    private(set) var luns: [LUNSums] = []
    private(set) var problem: RingProblem?
    private(set) var last: Look?
    private(set) var looks = 0
    /// Whether the last look saw anything move, or under way.
    private(set) var isActive = false
    /// Of queues that are idle, every so many are looked at in one look, and all of them in as many
    /// looks.
    var idleStride = 1
    /// Whether every chain is read, whatever it costs.
    var readsAllChains = false

    /// Watches the queues at `places` in `ram`; `number` gives each LUN its index among those of
    /// all VMs.
    init(
        _ ram: GuestRAM, _ places: [RingPlace], number: (String) -> UInt16
    ) throws(KernelError) {
        let map = GuestMap(ram)
        chains = try ChainReader(map)
        again = try GuestReader(map, byteCount: 4 << 20)
        for place in places where WatchedQueue.canFollow(place) {
            let lun = luns.firstIndex { $0.id == place.lun } ?? luns.count
            if lun == luns.count {
                luns.append(LUNSums(id: place.lun, number: number(place.lun)))
            }
            luns[lun].queues.append(queues.count)
            queues.append(WatchedQueue(place, lun: lun))
        }
        try plan(map)
        isShort = Array(repeating: false, count: queues.count)
    }

    /// Lays the queues' parts out in as few readings as there is need of.
    private func plan(_ map: GuestMap) throws(KernelError) {
        var index = 0
        while index < queues.count {
            let reader = try GuestReader(map, byteCount: 4 << 20)
            let start = index
            while index < queues.count, let copy = queues[index].add(to: reader) {
                copies.append(copy)
                index += 1
            }
            if index == start {
                problem = .stale(
                    "virtqueue \(queues[index].place.queue) of "
                        + "\(queues[index].place.lun) is not in the VM's memory")
                (queues, luns) = ([], [])
                return
            }
            batches.append(Batch(reader: reader, queues: start..<index))
        }
    }

    /// Takes one look at all queues.
    func look(clock: () -> Nanoseconds) {
        guard problem == nil, !queues.isEmpty else { return }
        do {
            let before = last
            moved.removeAll(keepingCapacity: true)
            for batch in batches {
                chooseIdle(batch)
                let begin = clock()
                try batch.reader.read()
                let look = Look(begin: begin, end: clock())
                try follow(batch, look)
                last = look
            }
            try lookAgain(moved, clock: clock)
            try readChains(clock: clock)
            finishLook(since: before)
        } catch {
            problem = error
        }
    }

    /// Has the queues of `batch` take a look at their copies. Of one that was idle only the indices
    /// were read: if they have moved, it is looked at again.
    private func follow(_ batch: Batch, _ look: Look) throws(RingProblem) {
        for index in batch.queues {
            if isShort[index] {
                guard isDue(index) else { continue }
                guard batch.reader.has(copies[index].pieces[0]) else { throw unmapped(index) }
                if queues[index].lookAtIdle(copies[index], look) { continue }
                moved.append(index)
            } else {
                try take(copies[index], of: index, batch.reader, look)
            }
            guard copies[index].head != nil else { continue }
            // How much is read of an idle one is chosen before each look.
            let wasShort = isShort[index]
            isShort[index] = !wasShort && queues[index].isIdle
            if wasShort { batch.reader.limit(copies[index].pieces[0], to: nil) }
        }
    }

    /// Whether queue number `index`, which is idle, is looked at in this look.
    private func isDue(_ index: Int) -> Bool {
        idleStride <= 1 || index % idleStride == looks % idleStride
    }

    /// Says of the idle queues of `batch` which are read.
    private func chooseIdle(_ batch: Batch) {
        for index in batch.queues where isShort[index] {
            batch.reader.limit(
                copies[index].pieces[0], to: isDue(index) ? copies[index].head : 0)
        }
    }

    private func take(
        _ copy: WatchedQueue.Copy, of index: Int, _ reader: GuestReader, _ look: Look
    ) throws(RingProblem) {
        for piece in copy.pieces where !reader.has(piece) { throw unmapped(index) }
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
    private func lookAgain(
        _ indices: [Int], clock: () -> Nanoseconds
    ) throws(RingProblem) -> Bool {
        guard !indices.isEmpty else { return true }
        again.removeAll()
        var found: [(Int, WatchedQueue.Copy)] = []
        for index in indices {
            guard let copy = queues[index].add(to: again) else { break }
            found.append((index, copy))
        }
        let begin = clock()
        try again.read()
        let look = Look(begin: begin, end: clock())
        for (index, copy) in found { try take(copy, of: index, again, look) }
        last = look
        return found.count == indices.count
    }

    /// Reads chains of requests under way. What was read counts where another look at the ring,
    /// taken afterwards, shows the request under way still.
    private func readChains(clock: () -> Nanoseconds) throws(RingProblem) {
        let wanted = chooseChains()
        guard !wanted.isEmpty else { return }
        let places = { (index: Int) in self.queues[index].place }
        let found = try chains.read(wanted, places)
        let noted = wanted.map { queues[$0.queue].record.book[$0.head].published }
        let touched = Set(wanted.map(\.queue)).sorted()
        guard try lookAgain(touched, clock: clock) else { return }
        for (index, want) in wanted.enumerated() {
            let entry = queues[want.queue].record.book[want.head]
            guard entry.state != .absent, entry.published == noted[index] else { continue }
            queues[want.queue].record.book.describe(want.head, found[index])
        }
    }

    /// The requests whose chains are read now: those just published, and from time to time those
    /// that are old and not read yet.
    private func chooseChains() -> [ChainReader.Wanted] {
        var wanted: [ChainReader.Wanted] = []
        let limit = readsAllChains ? Self.mostOfFollowed : Self.mostChains
        looks += 1
        let sweeps = looks % Self.sweepPeriod == 0
        let now = last?.end ?? 0
        isActive = false
        for index in queues.indices {
            isActive = isActive || queues[index].current?.inFlight ?? 0 > 0
            if !queues[index].record.fresh.isEmpty {
                takeFresh(of: index, into: &wanted, limit)
                isActive = true
            }
            guard sweeps, wanted.count < limit else { continue }
            queues[index].record.book.forEach { head, entry in
                guard entry.chain == .unread, wanted.count < limit,
                    now > entry.published.latest &+ Self.sweepAge,
                    let start = queues[index].start(of: head, copies[index])
                else { return }
                wanted.append(.init(queue: index, head: head, start: start))
            }
        }
        return wanted
    }

    /// The requests just published in queue number `index` that are under way still, as far as
    /// there is time.
    private func takeFresh(of index: Int, into wanted: inout [ChainReader.Wanted], _ limit: Int) {
        let isFollowed = followed.contains(queues[index].place.lun)
        let limit = isFollowed ? Self.mostOfFollowed : limit
        for fresh in queues[index].record.fresh where wanted.count < limit {
            guard queues[index].record.book[fresh.head].state == .underWay else { continue }
            wanted.append(.init(queue: index, head: fresh.head, start: fresh.start))
        }
        queues[index].record.fresh.removeAll(keepingCapacity: true)
    }

    /// Adds up the depths of LUNs with several queues.
    private func finishLook(since before: Look?) {
        guard let before, let last else { return }
        let duration = last.middle &- before.middle
        for index in luns.indices where luns[index].queues.count > 1 {
            var (outstanding, size) = (0, 0)
            for queue in luns[index].queues {
                outstanding += queues[queue].current?.outstanding ?? 0
                size += queues[queue].place.size
            }
            luns[index].note(outstanding: outstanding, size: size, duration: duration)
        }
    }

    /// Counts the requests that ended, and hands them over one by one.
    func drainEnded(_ body: (IOEvent) -> Void) {
        for index in queues.indices where !queues[index].record.ended.isEmpty {
            let lun = queues[index].lun
            for ended in queues[index].record.ended {
                let event = IOEvent(
                    ended, lun: luns[lun].number, queue: queues[index].place.queue)
                luns[lun].add(event)
                body(event)
            }
            queues[index].record.ended.removeAll(keepingCapacity: true)
        }
    }

    /// Begins a new interval.
    func withSums(_ body: (inout [LUNSums], inout [WatchedQueue]) -> Void) {
        body(&luns, &queues)
    }
}

extension IOEvent {
    /// A request that was followed. Its stamps are the middles of their bounds; where the first
    /// and the last may have been in either order, the thirds of the time they were in.
    init(_ ended: QueueRecord.Ended, lun: UInt16, queue: Int) {
        let entry = ended.entry
        let last = ended.reaped ?? ended.ended
        let isWithinOneLook = last.earliest < entry.published.latest
        let all = Bounds(earliest: entry.published.earliest, latest: last.latest)
        let third = all.width / 3
        let begin = isWithinOneLook ? all.earliest &+ third : entry.published.middle
        let end = max(begin, isWithinOneLook ? all.latest &- third : last.middle)
        let completed = min(max(begin, ended.ended.middle), end)
        self.init(
            type: entry.type, status: IOEvent.unknownStatus, lun: lun, head: ended.head,
            sector: entry.sector, byteCount: UInt32(clamping: entry.byteCount ?? 0),
            queued: begin, kicked: 0,
            popped: entry.popped == 0 ? 0 : min(max(begin, entry.popped), completed),
            submitted: 0, completed: 0, published: completed, notified: 0,
            reaped: ended.reaped == nil ? 0 : end,
            queue: UInt16(truncatingIfNeeded: queue))
        let errors =
            isWithinOneLook
            ? (2 &* third, 2 &* third)
            : (entry.published.width / 2, last.width / 2)
        queuedError = UInt32(clamping: errors.0)
        endError = UInt32(clamping: errors.1)
    }
}
