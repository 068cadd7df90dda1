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
    private var state: QueueMeter.State?
    private var before: Look?
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
        guard takePublished(ring, bounds, &queue), takeCompleted(ring, bounds, &queue, last: nil)
        else {
            nonsense += 1
            let doubts = nonsense
            begin(ring, look, &queue)
            nonsense = doubts
            return
        }
        nonsense = 0
        let (published, completed) = (indices.avail &- old.avail, indices.used &- old.used)
        queue.meter.submissions &+= UInt64(published)
        queue.meter.completions &+= UInt64(completed)
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

    /// Takes what the driver wrote since; whether it makes sense. Where it came round to what is
    /// not seen to be given back, that was overwritten.
    private mutating func takePublished(
        _ ring: PackedRingCopy, _ bounds: Bounds, _ queue: inout QueueRecord
    ) -> Bool {
        var passed = occupied
        while ring[driver.slot].avail == driver.wrap {
            guard var chain = chain(ring, at: driver.slot) else { return false }
            let isUsed = ring[driver.slot].used == driver.wrap
            if isUsed { chain.length += tail(ring, after: driver.slot, of: chain.id) }
            passed += chain.length
            guard passed <= ring.size, Int(chain.id) < ring.size else { return false }
            // An id that was given back and is used again.
            if queue.book[chain.id].state == .underWay,
                !takeCompleted(ring, bounds, &queue, last: chain.id)
            {
                return false
            }
            let slot = UInt16(truncatingIfNeeded: driver.slot)
            guard queue.book.publish(chain.id, at: slot, bounds) else { return false }
            lengths[Int(chain.id)] = chain.length
            occupied += chain.length
            if !isUsed { queue.fresh.append(.init(head: chain.id, start: chain.start)) }
            driver.advance(by: chain.length, in: ring.size)
            indices.avail &+= 1
        }
        return true
    }

    /// Descriptors behind `slot`, which the device has overwritten, that belong to the same chain.
    private func tail(_ ring: PackedRingCopy, after slot: Int, of id: UInt16) -> Int {
        let next = (slot + 1) % ring.size
        guard ring[next].avail != ring[next].used, !ring[next].flags.contains(.indirect),
            let rest = chain(ring, at: next), rest.id == id
        else { return 0 }
        return rest.length
    }

    /// Takes what the device gave back since, until `last`, or all; whether it makes sense.
    private mutating func takeCompleted(
        _ ring: PackedRingCopy, _ bounds: Bounds, _ queue: inout QueueRecord, last: UInt16?
    ) -> Bool {
        for _ in 0...ring.size {
            let slot = ring[device.slot]
            guard device != driver, slot.avail == device.wrap, slot.used == device.wrap else {
                return true
            }
            guard Int(slot.id) < ring.size else { return false }
            let length = lengths[Int(slot.id)]
            queue.end(slot.id, bounds, position: nil)
            occupied = max(0, occupied - length)
            device.advance(by: length, in: ring.size)
            indices.used &+= 1
            if slot.id == last { return true }
        }
        return false
    }

    private func stateNow(_ queue: QueueRecord) -> QueueMeter.State {
        let least = place.features.contains(.indirect) ? 1 : 3
        return QueueMeter.State(
            inFlight: queue.book.count, outstanding: queue.book.count, waiting: nil, unreaped: nil,
            isFull: occupied + least > place.size)
    }

    /// Begins with the queue as it is found: up to where the AVAIL bit changes the driver has
    /// written in this lap; what stands before that and is not given back is under way.
    private mutating func begin(
        _ ring: PackedRingCopy, _ look: Look, _ queue: inout QueueRecord
    ) {
        queue.book.removeAll()
        queue.fresh.removeAll(keepingCapacity: true)
        occupied = 0
        let lap = ring[0].avail
        let end = (1..<ring.size).first { ring[$0].avail != lap }
        driver = Place(slot: end ?? 0, wrap: end == nil ? !lap : lap)
        device = oldest(ring)
        var at = device
        while at != driver {
            guard let chain = chain(ring, at: at.slot), Int(chain.id) < ring.size,
                occupied + chain.length <= ring.size
            else { break }
            queue.book.presume(
                chain.id, at: UInt16(truncatingIfNeeded: at.slot), seen: look.end)
            lengths[Int(chain.id)] = chain.length
            occupied += chain.length
            at.advance(by: chain.length, in: ring.size)
        }
        indices.avail = indices.used &+ UInt16(truncatingIfNeeded: queue.book.count)
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
            // Nobody has written here yet.
            guard slot.avail == at.wrap else {
                at.advance(by: 1, in: ring.size)
                return at
            }
            guard slot.avail == slot.used else { continue }
            at.advance(by: 1 + tail(ring, after: at.slot, of: slot.id), in: ring.size)
            return at
        }
        return driver
    }
}

extension DescriptorCopy {
    /// A packed ring's descriptor; `next` means nothing in one.
    init(_ slot: PackedRingCopy.Slot) {
        self.init(address: slot.address, byteCount: slot.byteCount, flags: slot.flags, next: 0)
    }
}
