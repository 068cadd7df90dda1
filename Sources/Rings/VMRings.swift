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

    private var table: QueueTable
    private let chains: ChainReader
    /// LUNs of which every chain is read.
    var followed: Set<String> = []
    private(set) var luns: [LUNSums] = []
    private(set) var problem: RingProblem?
    /// Requests that ended and were not handed over.
    private var ended: [IOEvent] = []
    /// Whether the last look saw anything move, or under way.
    private(set) var isActive = false
    /// Whether every chain is read, whatever it costs.
    var readsAllChains = false

    /// Watches the queues at `places` in `ram`; `number` gives each LUN its index among those of
    /// all VMs.
    init(
        _ ram: GuestRAM, _ places: [RingPlace], number: (String) -> UInt16
    ) throws(KernelError) {
        let map = GuestMap(ram)
        let places = places.filter(WatchedQueue.canFollow)
        var members: [Int] = []
        for (index, place) in places.enumerated() {
            let lun = luns.firstIndex { $0.id == place.lun } ?? luns.count
            if lun == luns.count {
                luns.append(LUNSums(id: place.lun, number: number(place.lun)))
            }
            luns[lun].queues.append(index)
            members.append(lun)
        }
        chains = try ChainReader(map, places)
        table = try QueueTable(places, luns: members, map)
        if let place = table.missing {
            problem = .stale(
                "virtqueue \(place.queue) of \(place.lun) is not in the VM's memory")
            luns = []
        }
    }

    var queues: [WatchedQueue] { table.queues }
    var last: Look? { table.last }
    var looks: Int { table.looks }
    /// Of queues that are idle, every so many are looked at in one look, and all of them in as many
    /// looks.
    var idleStride: Int {
        get { table.idleStride }
        set { table.idleStride = newValue }
    }

    /// Takes one look at all queues.
    func look(clock: () -> Nanoseconds) {
        guard problem == nil, !table.queues.isEmpty else { return }
        do {
            let before = table.last
            try table.look(clock: clock)
            try readChains(clock: clock)
            countEnded()
            finishLook(since: before)
        } catch {
            problem = error
        }
    }

    /// Reads chains of requests under way. What was read counts where another look at the ring,
    /// taken afterwards, shows the request under way still.
    private func readChains(clock: () -> Nanoseconds) throws(RingProblem) {
        let wanted = chooseChains()
        guard !wanted.isEmpty else { return }
        let found = try chains.read(wanted)
        let noted = wanted.map { table.queues[$0.queue].record.book[$0.head].published }
        let touched = wanted.indices.filter { $0 == 0 || wanted[$0].queue != wanted[$0 - 1].queue }
        guard try table.lookAgain(touched.map { wanted[$0].queue }, clock: clock) else { return }
        for (index, want) in wanted.enumerated() {
            let entry = table.queues[want.queue].record.book[want.head]
            guard entry.state != .absent, entry.published == noted[index] else { continue }
            table.queues[want.queue].record.book.describe(want.head, found[index])
        }
    }

    /// The requests whose chains are read now: those just published, and from time to time those
    /// that are old and not read yet.
    private func chooseChains() -> [ChainReader.Wanted] {
        var wanted: [ChainReader.Wanted] = []
        let limit = readsAllChains ? Self.mostOfFollowed : Self.mostChains
        let sweeps = looks % Self.sweepPeriod == 0
        let now = last?.end ?? 0
        isActive = false
        for index in table.awake {
            let state = table.queues[index].current
            if state?.outstanding ?? 0 > 0 { table.queues[index].record.meter.busyLooks += 1 }
            isActive = isActive || state?.inFlight ?? 0 > 0
            if !table.queues[index].record.fresh.isEmpty {
                takeFresh(of: index, into: &wanted, limit)
                isActive = true
            }
            guard sweeps, wanted.count < limit else { continue }
            table.queues[index].record.book.forEach { head, entry in
                guard entry.chain == .unread, wanted.count < limit,
                    now > entry.published.latest &+ Self.sweepAge,
                    let start = table.start(of: head, index)
                else { return }
                wanted.append(.init(queue: index, head: head, start: start))
            }
        }
        return wanted
    }

    /// The requests just published in queue number `index` that are under way still, as far as
    /// there is time.
    private func takeFresh(of index: Int, into wanted: inout [ChainReader.Wanted], _ limit: Int) {
        let isFollowed = followed.contains(table.queues[index].place.lun)
        let limit = isFollowed ? Self.mostOfFollowed : limit
        for fresh in table.queues[index].record.fresh where wanted.count < limit {
            guard table.queues[index].record.book[fresh.head].state == .underWay else { continue }
            wanted.append(.init(queue: index, head: fresh.head, start: fresh.start))
        }
        table.queues[index].record.fresh.removeAll(keepingCapacity: true)
    }

    /// Adds up the depths of LUNs with several queues.
    private func finishLook(since before: Look?) {
        guard let before, let last else { return }
        let duration = last.middle &- before.middle
        for index in luns.indices where luns[index].queues.count > 1 {
            var (outstanding, size) = (0, 0)
            for queue in luns[index].queues {
                outstanding += table.queues[queue].current?.outstanding ?? 0
                size += table.queues[queue].place.size
            }
            luns[index].note(outstanding: outstanding, size: size, duration: duration)
        }
    }

    /// Counts the requests that ended. Of queues that are idle none did.
    private func countEnded() {
        for index in table.awake where !table.queues[index].record.ended.isEmpty {
            let lun = table.queues[index].lun
            for request in table.queues[index].record.ended {
                let event = IOEvent(
                    request, lun: luns[lun].number, queue: table.queues[index].place.queue)
                luns[lun].add(event)
                ended.append(event)
            }
            table.queues[index].record.ended.removeAll(keepingCapacity: true)
        }
    }

    /// Hands over the requests that ended, one by one.
    func drainEnded(_ body: (IOEvent) -> Void) {
        ended.forEach(body)
        ended.removeAll(keepingCapacity: true)
    }

    /// Begins a new interval.
    func withSums(_ body: (inout [LUNSums], inout [WatchedQueue]) -> Void) {
        body(&luns, &table.queues)
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
