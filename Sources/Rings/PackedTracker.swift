internal import Telemetry
internal import Virtio

/// Follows one packed virtqueue from look to look.
///
/// A packed ring has no index: a descriptor's AVAIL bit says in which lap the driver wrote it, its
/// USED bit whether the device has given it back since. The device writes one used descriptor for a
/// chain and skips the rest of it, so that its place is known only to who saw the chain published.
struct PackedTracker: Sendable {
    /// A place in the ring, and the wrap counter of whoever is there.
    struct Place: Sendable, Equatable {
        var slot = 0
        var wrap = true

        mutating func advance(by count: Int, in size: Int) {
            slot += count
            guard slot >= size else { return }
            slot -= size
            wrap.toggle()
        }
    }

    let place: RingPlace
    /// Where the driver writes next, and where the device does.
    private var driver = Place()
    private var device = Place()
    /// Descriptors of the chains under way, by id.
    private var lengths: [Int]
    private var occupied = 0
    /// Requests under way whose ids were overwritten before they were seen: in the looks before,
    /// and in this one.
    private var (hidden, newlyHidden) = (0, 0)
    /// Whether more happened since the last look than the ring holds.
    private var isOverrun = false
    private var state: QueueMeter.State?
    /// The last look.
    private(set) var before: Look?
    private(set) var nonsense = 0
    private static let patience = 3
    /// Requests published and completed since the tracker began, modulo 65,536: what a split
    /// ring's indices would be.
    private(set) var indices: (avail: UInt16, used: UInt16) = (0, 0)

    init(_ place: RingPlace) {
        self.place = place
        lengths = Array(repeating: 1, count: place.size)
    }

    var isStale: Bool { nonsense >= Self.patience }
    var current: QueueMeter.State? { state }

    /// Takes one look at the queue.
    mutating func look(_ ring: PackedRingCopy, _ look: Look, into queue: inout QueueRecord) {
        defer { before = look }
        guard let before, state != nil else { return begin(ring, look, &queue) }
        let bounds = Bounds(earliest: before.begin, latest: look.end)
        let old = indices
        isOverrun = false
        let makesSense =
            takePublished(ring, bounds, &queue)
            && takeCompleted(ring, bounds, &queue, last: nil)
        (hidden, newlyHidden) = (hidden + newlyHidden, 0)
        let (published, completed) = (indices.avail &- old.avail, indices.used &- old.used)
        queue.meter.submissions &+= UInt64(published)
        queue.meter.completions &+= UInt64(completed)
        guard makesSense else {
            // Too much between two looks is no sign of other memory.
            let doubts = isOverrun ? 0 : nonsense + 1
            begin(ring, look, &queue)
            nonsense = doubts
            return
        }
        nonsense = 0
        let new = stateNow(queue)
        if let old = state {
            queue.meter.add(from: old, to: new, duration: look.middle &- before.middle)
        }
        state = new
        if published > 0 {
            queue.meter.submitLooks += 1
            if ring.refusesKicks { queue.meter.kicklessLooks += 1 }
        }
        if completed > 0 {
            queue.meter.completionLooks += 1
            if ring.refusesInterrupts { queue.meter.interruptlessLooks += 1 }
        }
    }

    /// Where the chain of a request under way begins, if the ring still shows it.
    func start(of entry: RequestBook.Entry, _ ring: PackedRingCopy) -> ChainStart? {
        let slot = Int(entry.position)
        guard slot < ring.size, ring[slot].avail != ring[slot].used else { return nil }
        return chain(ring, at: slot).map(\.start)
    }

    /// A chain of the ring.
    private struct Chain {
        var id: UInt16
        var length: Int
        var start: ChainStart
    }

    /// The chain that begins at `slot`, `nil` if it has no end.
    private func chain(_ ring: PackedRingCopy, at slot: Int) -> Chain? {
        var descriptor = ring[slot]
        let first = DescriptorCopy(descriptor)
        if descriptor.flags.contains(.indirect) {
            return Chain(id: descriptor.id, length: 1, start: .table(first))
        }
        var shape = ChainShape(first)
        var length = 1
        while descriptor.flags.contains(.next) {
            guard length < ring.size else { return nil }
            descriptor = ring[(slot + length) % ring.size]
            shape.add(DescriptorCopy(descriptor))
            length += 1
        }
        return Chain(id: descriptor.id, length: length, start: .whole(shape))
    }

    /// Takes what the driver wrote since; whether it makes sense.
    private mutating func takePublished(
        _ ring: PackedRingCopy, _ bounds: Bounds, _ queue: inout QueueRecord
    ) -> Bool {
        while ring[driver.slot].avail == driver.wrap {
            let isUsed = ring[driver.slot].used == driver.wrap
            let rest = isUsed ? tail(ring, after: driver.slot) : nil
            let whole = isUsed ? nil : chain(ring, at: driver.slot)
            guard isUsed || whole != nil else { return false }
            let length = whole?.length ?? 1 + (rest?.length ?? 0)
            // What had to be given back to make room for it.
            while occupied + length > ring.size {
                guard case .request = takeNext(ring, bounds, &queue) else { return false }
            }
            if let chain = whole ?? rest {
                guard publish(chain, isUsed, length, ring, bounds, &queue) else { return false }
            } else {
                // Whose it was is told by nothing but its completion.
                newlyHidden += 1
            }
            occupied += length
            driver.advance(by: length, in: ring.size)
            indices.avail &+= 1
        }
        return true
    }

    /// Takes a chain of `length` descriptors that the driver has written; `isUsed`: the device has
    /// overwritten its first.
    private mutating func publish(
        _ chain: Chain, _ isUsed: Bool, _ length: Int, _ ring: PackedRingCopy, _ bounds: Bounds,
        _ queue: inout QueueRecord
    ) -> Bool {
        guard Int(chain.id) < ring.size else { return false }
        // An id that was given back and is used again.
        if queue.book[chain.id].state == .underWay,
            !takeCompleted(ring, bounds, &queue, last: chain.id)
        {
            return false
        }
        // It was only thought to be under way: another is.
        if queue.book[chain.id].state == .presumed { hidden += 1 }
        let slot = UInt16(truncatingIfNeeded: driver.slot)
        guard queue.book.publish(chain.id, at: slot, bounds) else { return false }
        lengths[Int(chain.id)] = length
        if !isUsed { queue.fresh.append(.init(head: chain.id, start: chain.start)) }
        return true
    }

    /// What is left of a chain whose first descriptor, at `slot`, the device has overwritten with
    /// whatever it gave back. Another chain behind it begins with a header of 16 bytes.
    private func tail(_ ring: PackedRingCopy, after slot: Int) -> Chain? {
        let next = ring[(slot + 1) % ring.size]
        guard next.avail != next.used, !next.flags.contains(.indirect),
            next.byteCount != 16 || next.flags.contains(.write),
            let rest = chain(ring, at: (slot + 1) % ring.size), rest.length < ring.size
        else { return nil }
        return rest
    }

    /// Takes what the device gave back since, until `last`, or all; whether it makes sense.
    private mutating func takeCompleted(
        _ ring: PackedRingCopy, _ bounds: Bounds, _ queue: inout QueueRecord, last: UInt16?
    ) -> Bool {
        for _ in 0...ring.size {
            switch takeNext(ring, bounds, &queue) {
            case .nothing: return true
            case .nonsense: return false
            case .request(let id): if id == last { return true }
            }
        }
        return false
    }

    /// What the device gave back next.
    private enum Taken {
        case nothing, nonsense
        case request(UInt16)
    }

    private mutating func takeNext(
        _ ring: PackedRingCopy, _ bounds: Bounds, _ queue: inout QueueRecord
    ) -> Taken {
        let slot = ring[device.slot]
        guard device != driver else { return .nothing }
        // The driver has come round since, and overwritten what was given back.
        guard slot.avail == device.wrap else {
            isOverrun = true
            return .nonsense
        }
        guard slot.used == device.wrap else { return .nothing }
        guard Int(slot.id) < ring.size else { return .nonsense }
        if queue.book[slot.id].state == .absent { reveal(slot.id, bounds, &queue) }
        let length = lengths[Int(slot.id)]
        lengths[Int(slot.id)] = 1
        queue.end(slot.id, bounds, position: nil)
        occupied = max(0, occupied - length)
        device.advance(by: length, in: ring.size)
        indices.used &+= 1
        return .request(slot.id)
    }

    /// One of the hidden requests was `id`. It was published in this look, if none was hidden
    /// before; else nothing is known of it.
    private mutating func reveal(_ id: UInt16, _ bounds: Bounds, _ queue: inout QueueRecord) {
        if hidden > 0 {
            hidden -= 1
        } else if newlyHidden > 0 {
            newlyHidden -= 1
            _ = queue.book.publish(id, at: 0, bounds)
        }
    }

    private func stateNow(_ queue: QueueRecord) -> QueueMeter.State {
        let least = place.features.contains(.indirect) ? 1 : 3
        let inFlight = min(queue.book.count + hidden, place.size)
        return QueueMeter.State(
            inFlight: inFlight, outstanding: inFlight, waiting: nil, unreaped: nil,
            isFull: occupied + least > place.size)
    }

    /// Begins with the queue as it is found: up to where the AVAIL bit changes the driver has
    /// written in this lap; what stands before that and is not given back is under way.
    private mutating func begin(
        _ ring: PackedRingCopy, _ look: Look, _ queue: inout QueueRecord
    ) {
        queue.book.removeAll()
        queue.fresh.removeAll(keepingCapacity: true)
        (occupied, hidden, newlyHidden) = (0, 0, 0)
        let lap = ring[0].avail
        let end = (1..<ring.size).first { ring[$0].avail != lap }
        driver = Place(slot: end ?? 0, wrap: end == nil ? !lap : lap)
        device = oldest(ring)
        var at = device
        while at != driver {
            guard let chain = chain(ring, at: at.slot), Int(chain.id) < ring.size,
                occupied + chain.length <= ring.size
            else { break }
            // So many requests are under way, but not always these: of an id that stands here twice
            // the first was given back before others were.
            if queue.book.complete(chain.id) != nil { hidden += 1 }
            queue.book.presume(
                chain.id, at: UInt16(truncatingIfNeeded: at.slot), seen: look.end)
            lengths[Int(chain.id)] = chain.length
            occupied += chain.length
            at.advance(by: chain.length, in: ring.size)
        }
        indices.avail = indices.used &+ UInt16(truncatingIfNeeded: queue.book.count + hidden)
        state = stateNow(queue)
        nonsense = 0
    }

    /// Where the device writes next: behind the newest used descriptor and what it skipped.
    private func oldest(_ ring: PackedRingCopy) -> Place {
        var at = driver
        for _ in 0..<ring.size {
            at.slot -= 1
            if at.slot < 0 {
                at.slot += ring.size
                at.wrap.toggle()
            }
            let slot = ring[at.slot]
            // Nobody has written here yet: not in this lap, or never.
            guard slot.avail == at.wrap, slot.address != 0 || slot.byteCount != 0 else {
                at.advance(by: 1, in: ring.size)
                return at
            }
            guard slot.avail == slot.used else { continue }
            at.advance(by: 1 + (tail(ring, after: at.slot)?.length ?? 0), in: ring.size)
            return at
        }
        // All of the ring is under way.
        return at
    }
}

extension DescriptorCopy {
    /// A packed ring's descriptor; `next` means nothing in one.
    init(_ slot: PackedRingCopy.Slot) {
        self.init(address: slot.address, byteCount: slot.byteCount, flags: slot.flags, next: 0)
    }
}
