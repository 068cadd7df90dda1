import Virtio

/// The request queue of a guest's block layer with a deadline scheduler in front of a driver, as
/// Linux had it in 2013 (block/deadline-iosched.c): requests wait sorted by sector in either
/// direction, neighbours are merged, and one that waited too long goes first.
///
/// A request is named by its slot, and is no more than a small record here. A merged request is a
/// list of slots in the order of their sectors. All tables are allocated once, with a place for
/// each slot; time is handed in. Whoever shares one between threads locks it: that lock is the
/// `queue_lock` of the request-based driver.
struct RequestScheduler: ~Copyable {
    /// Bounds of a merged request.
    struct Limits: Sendable {
        /// Bytes; Linux's max_sectors_kb of 512.
        var byteCount: UInt32 = 512 << 10
        /// Segments of data, which with header and status must have room in the virtqueue.
        var segmentCount = 126
    }

    /// Linux's tunables, with its values.
    struct Tuning: Sendable {
        /// Nanoseconds after which a read, and a write, goes first.
        var readExpiry: UInt64 = 500_000_000
        var writeExpiry: UInt64 = 5_000_000_000
        /// Requests in a row, in the order of their sectors, before expiry is looked at again.
        var batch = 16
        /// How often reads may be preferred while a write waits.
        var writesStarved = 2
    }

    /// A request as it comes in.
    struct Request: BitwiseCopyable {
        /// Below the number of slots, and of no other request that waits.
        var slot: UInt16
        var isWrite: Bool
        /// First 512-byte sector.
        var sector: UInt64
        /// A multiple of 512.
        var byteCount: UInt32
        var segmentCount = 1
    }

    /// A request to hand to the driver: `partCount` slots beginning with `first`, to be followed by
    /// `part(after:)` before any of them is inserted again.
    struct Dispatched: BitwiseCopyable, Equatable {
        var first: UInt16
        var partCount: Int
        var isWrite: Bool
        var sector: UInt64
        var byteCount: UInt32
        var segmentCount: Int
    }

    /// What became of a request that came in.
    enum Inserted: Equatable { case queued, merged }

    static let none = UInt16.max

    /// A request that waits, under the slot it was queued with.
    struct Node: BitwiseCopyable {
        var sector: UInt64 = 0
        var byteCount: UInt32 = 0
        var segmentCount = 0
        var isWrite = false
        var deadline: UInt64 = 0
        var firstPart = RequestScheduler.none
        var lastPart = RequestScheduler.none
        var partCount = 0
        /// Neighbours in the order of arrival.
        var earlier = RequestScheduler.none
        var later = RequestScheduler.none

        /// The sector behind the last.
        var end: UInt64 { sector &+ UInt64(byteCount / 512) }
    }

    /// One direction: how many wait, and the first and last to have come.
    struct Direction: BitwiseCopyable {
        var count = 0
        var oldest = RequestScheduler.none
        var newest = RequestScheduler.none
    }

    private let limits: Limits
    private let tuning: Tuning
    private let slotCount: Int
    private let nodes: FixedArray<Node>
    /// The next part of the same request, by slot.
    private let nextPart: FixedArray<UInt16>
    /// The waiting slots by sector: a row of reads, a row of writes.
    private let sorted: FixedArray<UInt16>
    private let directions: FixedArray<Direction>
    /// Where the batch under way goes on, and how many it had.
    private var next = RequestScheduler.none
    private var batched = 0
    private var starved = 0

    /// An empty queue for slots `0..<slotCount`, at most 65,535.
    init(slotCount: Int, limits: Limits = Limits(), tuning: Tuning = Tuning()) {
        precondition(slotCount <= Int(Self.none))
        self.limits = limits
        self.tuning = tuning
        self.slotCount = slotCount
        nodes = FixedArray(repeating: Node(), count: slotCount)
        nextPart = FixedArray(repeating: Self.none, count: slotCount)
        sorted = FixedArray(repeating: Self.none, count: 2 * slotCount)
        directions = FixedArray(repeating: Direction(), count: 2)
    }

    /// Requests that wait, merged ones counted once.
    var count: Int { directions[0].count + directions[1].count }

    /// The part that follows `slot` in a dispatched request, nil after the last.
    func part(after slot: UInt16) -> UInt16? {
        let next = nextPart[Int(slot)]
        return next == Self.none ? nil : next
    }

    // MARK: In

    /// Takes a request in at `now` nanoseconds, and merges it with its neighbours if it can.
    mutating func insert(_ request: Request, now: UInt64) -> Inserted {
        let slot = request.slot
        let direction = request.isWrite ? 1 : 0
        nodes[Int(slot)] = Node(
            sector: request.sector, byteCount: request.byteCount,
            segmentCount: request.segmentCount, isWrite: request.isWrite,
            deadline: now &+ (request.isWrite ? tuning.writeExpiry : tuning.readExpiry),
            firstPart: slot, lastPart: slot, partCount: 1)
        nextPart[Int(slot)] = Self.none
        let place = place(after: request.sector, direction)
        let before = place > 0 ? sortedSlot(direction, place - 1) : Self.none
        let behind = place < directions[direction].count ? sortedSlot(direction, place) : Self.none
        if before != Self.none, canJoin(before, slot) {
            join(slot, behind: before)
            // The gap that was between the two may be closed now.
            if behind != Self.none, canJoin(before, behind) {
                replaceInFIFO(behind, by: before, direction)
                removeSorted(at: place, direction)
                if next == behind { next = before }
                join(behind, behind: before)
            }
            return .merged
        }
        if behind != Self.none, canJoin(slot, behind) {
            join(slot, before: behind)
            return .merged
        }
        insertSorted(slot, at: place, direction)
        append(slot, direction)
        return .queued
    }

    private func canJoin(_ first: UInt16, _ second: UInt16) -> Bool {
        let (one, other) = (nodes[Int(first)], nodes[Int(second)])
        return one.end == other.sector
            && UInt64(one.byteCount) + UInt64(other.byteCount) <= UInt64(limits.byteCount)
            && one.segmentCount + other.segmentCount <= limits.segmentCount
    }

    /// A back merge: the parts of `slot` follow those of `first`.
    private func join(_ slot: UInt16, behind first: UInt16) {
        let node = nodes[Int(slot)]
        nextPart[Int(nodes[Int(first)].lastPart)] = node.firstPart
        nodes[Int(first)].lastPart = node.lastPart
        add(node, to: first)
    }

    /// A front merge: the one part of `slot` goes before those of `second`.
    private func join(_ slot: UInt16, before second: UInt16) {
        let node = nodes[Int(slot)]
        nextPart[Int(slot)] = nodes[Int(second)].firstPart
        nodes[Int(second)].firstPart = slot
        nodes[Int(second)].sector = node.sector
        add(node, to: second)
    }

    private func add(_ node: Node, to slot: UInt16) {
        nodes[Int(slot)].byteCount += node.byteCount
        nodes[Int(slot)].segmentCount += node.segmentCount
        nodes[Int(slot)].partCount += node.partCount
    }

    // MARK: Out

    /// Takes the request out that is to be served next at `now` nanoseconds; nil if none waits.
    mutating func dispatch(now: UInt64) -> Dispatched? {
        if next == Self.none || batched >= tuning.batch {
            guard let slot = choose(now: now) else { return nil }
            next = slot
            batched = 0
        }
        batched += 1
        let slot = next
        let node = nodes[Int(slot)]
        let direction = node.isWrite ? 1 : 0
        let place = place(of: slot, direction)
        next =
            place + 1 < directions[direction].count
            ? sortedSlot(direction, place + 1) : Self.none
        removeSorted(at: place, direction)
        removeFromFIFO(slot, direction)
        return Dispatched(
            first: node.firstPart, partCount: node.partCount, isWrite: node.isWrite,
            sector: node.sector, byteCount: node.byteCount, segmentCount: node.segmentCount)
    }

    /// Where the next batch begins: with reads, unless writes have waited long enough for them; at
    /// the oldest request if that has expired, else where the last batch in this direction ended.
    private mutating func choose(now: UInt64) -> UInt16? {
        let (reads, writes) = (directions[0].count > 0, directions[1].count > 0)
        guard reads || writes else { return nil }
        var direction = reads ? 0 : 1
        if reads, writes {
            if starved >= tuning.writesStarved { direction = 1 }
            starved += 1
        }
        if direction == 1 { starved = 0 }
        let oldest = directions[direction].oldest
        let goesOn = next != Self.none && nodes[Int(next)].isWrite == (direction == 1)
        return goesOn && nodes[Int(oldest)].deadline > now ? next : oldest
    }

    // MARK: The order of sectors

    private func sortedSlot(_ direction: Int, _ index: Int) -> UInt16 {
        sorted[direction * slotCount + index]
    }

    /// The index of the first request behind `sector`.
    private func place(after sector: UInt64, _ direction: Int) -> Int {
        var low = 0
        var high = directions[direction].count
        while low < high {
            let middle = (low + high) / 2
            if nodes[Int(sortedSlot(direction, middle))].sector > sector {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }

    /// The index of `slot`, which waits; others may begin at the same sector.
    private func place(of slot: UInt16, _ direction: Int) -> Int {
        var index = place(after: nodes[Int(slot)].sector, direction) - 1
        while sortedSlot(direction, index) != slot { index -= 1 }
        return index
    }

    private func insertSorted(_ slot: UInt16, at place: Int, _ direction: Int) {
        let row = direction * slotCount
        var index = directions[direction].count
        while index > place {
            sorted[row + index] = sorted[row + index - 1]
            index -= 1
        }
        sorted[row + place] = slot
        directions[direction].count += 1
    }

    private func removeSorted(at place: Int, _ direction: Int) {
        let row = direction * slotCount
        directions[direction].count -= 1
        for index in place..<directions[direction].count {
            sorted[row + index] = sorted[row + index + 1]
        }
    }

    // MARK: The order of arrival

    private func append(_ slot: UInt16, _ direction: Int) {
        let newest = directions[direction].newest
        nodes[Int(slot)].earlier = newest
        nodes[Int(slot)].later = Self.none
        directions[direction].newest = slot
        if newest == Self.none {
            directions[direction].oldest = slot
        } else {
            nodes[Int(newest)].later = slot
        }
    }

    private func removeFromFIFO(_ slot: UInt16, _ direction: Int) {
        let node = nodes[Int(slot)]
        if node.earlier == Self.none {
            directions[direction].oldest = node.later
        } else {
            nodes[Int(node.earlier)].later = node.later
        }
        if node.later == Self.none {
            directions[direction].newest = node.earlier
        } else {
            nodes[Int(node.later)].earlier = node.earlier
        }
    }

    /// Takes `slot` out, as it becomes a part of `heir`; who of the two came first keeps its turn.
    private func replaceInFIFO(_ slot: UInt16, by heir: UInt16, _ direction: Int) {
        guard nodes[Int(slot)].deadline < nodes[Int(heir)].deadline else {
            removeFromFIFO(slot, direction)
            return
        }
        removeFromFIFO(heir, direction)
        let node = nodes[Int(slot)]
        nodes[Int(heir)].deadline = node.deadline
        nodes[Int(heir)].earlier = node.earlier
        nodes[Int(heir)].later = node.later
        if node.earlier == Self.none {
            directions[direction].oldest = heir
        } else {
            nodes[Int(node.earlier)].later = heir
        }
        if node.later == Self.none {
            directions[direction].newest = heir
        } else {
            nodes[Int(node.later)].earlier = heir
        }
    }
}
