internal import Telemetry

/// What a report counts of requests. Its memory depends on the number of LUNs, not on that of the
/// requests: 150 kB for each of the first `slots` LUNs that occur.
struct RequestTotals: Sendable {
    /// LUNs that are counted one by one; the requests of further ones are only counted as such.
    static let slots = 1024

    private let options: Report.Options
    private(set) var tallies: [LUNTally] = []
    private var slotOfName: [String: Int] = [:]
    // In the place of a slot: the LUN is not looked at; had no request yet; came too late.
    private static let notWanted = -1
    private static let unseen = -2
    private static let noRoom = -3

    /// The names of the last batch, and the slot of each.
    private var names: [String] = []
    private var slotOfIndex: [Int] = []
    private(set) var axis = TimeAxis()
    private(set) var activity: [Activity] = []
    private(set) var idle = IdleGaps()
    private(set) var slowest: SlowestRequests
    private(set) var stalls: StallList
    private(set) var count: UInt64 = 0
    /// Requests without any stamp, of no named LUN, and of LUNs for which there was no room.
    private(set) var unusable: UInt64 = 0
    private(set) var crowdedOut: UInt64 = 0

    init(_ options: Report.Options) {
        self.options = options
        slowest = SlowestRequests(room: options.slowest)
        stalls = StallList()
    }

    /// Counts `requests`, whose `lun` is an index in `names`.
    mutating func add(_ requests: [IOEvent], _ names: [String]) {
        if activity.isEmpty { activity = Array(repeating: .zero, count: TimeAxis.cells) }
        learn(names)
        let (from, to) = (options.from ?? 0, options.to ?? .max)
        for index in requests.indices {
            let start = requests[index].start
            guard start != 0, Int(requests[index].lun) < slotOfIndex.count else {
                unusable &+= 1
                continue
            }
            guard start >= from, start <= to else { continue }
            var slot = slotOfIndex[Int(requests[index].lun)]
            if slot < 0 {
                if slot == Self.unseen { slot = makeSlot(Int(requests[index].lun)) }
                if slot == Self.noRoom { crowdedOut &+= 1 }
                guard slot >= 0 else { continue }
            }
            add(requests[index], slot: slot, start)
        }
    }

    @inline(__always)
    private mutating func add(_ event: IOEvent, slot: Int, _ start: Nanoseconds) {
        let last = event.end
        let latency = last >= start ? last &- start : nil
        let end = max(start, last)
        if let move = axis.note(start, end) { apply(move) }
        let kind = RequestKind(type: event.type)
        count &+= 1
        let isUntold = latency.map { event.isUntold($0) } ?? false
        tallies[slot].count(
            event, kind, start, end, latency: latency, isUntold: isUntold, axis: axis)
        countActivity(
            axis.cell(of: end), kind, event.byteCount, latency, isUntold: isUntold)
        idle.add(start, end)
        guard let latency else { return }
        if latency >= slowest.threshold {
            slowest.add(event, latency: latency, lun: tallies[slot].name)
        }
        let previous = tallies[slot].lastEnd
        if end > previous {
            let waited = end &- max(previous, start)
            if waited >= options.stall {
                stalls.add(
                    Stall(lun: tallies[slot].name, start: end &- waited, end: end, isOver: true))
            }
            tallies[slot].lastEnd = end
        }
    }

    @inline(__always)
    private mutating func countActivity(
        _ cell: Int, _ kind: RequestKind, _ bytes: UInt32, _ latency: Nanoseconds?,
        isUntold: Bool
    ) {
        var cells = activity.mutableSpan
        switch kind {
        case .read:
            cells[cell].reads &+= 1
            cells[cell].readBytes &+= UInt64(bytes)
        case .write:
            cells[cell].writes &+= 1
            cells[cell].writeBytes &+= UInt64(bytes)
        default: cells[cell].others &+= 1
        }
        if let latency {
            cells[cell].timed &+= 1
            if isUntold { cells[cell].untold &+= 1 }
            cells[cell].latencySum = cells[cell].latencySum.addingClamped(latency)
        }
    }

    /// Judges what still waits.
    mutating func finish() {
        for slot in tallies.indices {
            tallies[slot].finish()
        }
        idle.finish()
    }

    private mutating func apply(_ move: TimeAxis.Move) {
        activity = move.apply(toCells: activity)
        for slot in tallies.indices {
            tallies[slot].depthSteps = move.apply(toBorders: tallies[slot].depthSteps)
        }
    }

    private mutating func learn(_ names: [String]) {
        guard names != self.names || slotOfIndex.isEmpty else { return }
        self.names = names
        slotOfIndex = names.map { name in
            if let wanted = options.luns, !wanted.contains(name) { return Self.notWanted }
            return slotOfName[name] ?? Self.unseen
        }
    }

    /// A slot for the LUN `index` of the batch, of which this is the first request.
    private mutating func makeSlot(_ index: Int) -> Int {
        let name = names[index]
        var slot = slotOfName[name] ?? Self.noRoom
        if slot == Self.noRoom, tallies.count < Self.slots {
            slot = tallies.count
            tallies.append(LUNTally(name: name))
            slotOfName[name] = slot
        }
        slotOfIndex[index] = slot
        return slot
    }
}
