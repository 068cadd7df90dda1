internal import Telemetry
internal import Virtio

/// Follows one split virtqueue from look to look.
///
/// The copy of a ring is not of one instant: `used.idx` may be newer than `avail.idx`, and an entry
/// older than the index that shows it. So used entries are taken no further than the avail ring was
/// seen to go, and an entry that makes no sense is left for the next look.
struct SplitTracker: Sendable {
    let place: RingPlace
    private var avail: UInt16 = 0
    private var used: UInt16 = 0
    /// How far the device has popped.
    private var popped: UInt16?
    private var state: QueueMeter.State?
    /// The last look.
    private(set) var before: Look?
    private var wishes: Wishes?
    /// Looks in a row in which nothing was outstanding.
    private(set) var idleLooks = 0
    /// The last look that showed how far the driver has reaped.
    private var reapsSeen: Look?
    /// Looks in a row that made no sense.
    private(set) var nonsense = 0
    private static let patience = 3
    /// Requests taken since what is under way was found out last.
    private var takenCount = 0
    /// Whether the indices went back, or further than any device goes.
    private var isAnother = false
    /// A queue's requests take at least this, nanoseconds.
    private static let leastTime: Nanoseconds = 100

    init(_ place: RingPlace) { self.place = place }

    /// Whether what stands there is not this queue any more.
    var isStale: Bool { isAnother || nonsense >= Self.patience }

    /// Indices as of the last look.
    var indices: (avail: UInt16, used: UInt16) { (avail, used) }
    var current: QueueMeter.State? { state }

    /// Whether the device has popped the entry in place `position`, which is under way; `nil` where
    /// that cannot be seen.
    func isPopped(_ position: UInt16) -> Bool? {
        popped.map { Int16(bitPattern: position &- $0) < 0 }
    }

    /// Where the chain of the request `head` begins.
    func start(of head: UInt16) -> ChainStart {
        .descriptor(
            address: (place.descriptors + UInt64(head) * 16).rawValue, index: head)
    }

    /// Takes a look at a queue that was idle, of which only the indices are known; `false`, and
    /// nothing noted, where they have moved.
    mutating func lookAtIdle(
        _ ring: SplitRingCopy, _ look: Look, into queue: inout QueueRecord
    ) -> Bool {
        guard let before, state?.outstanding == 0, ring.availIndex == avail,
            ring.usedIndex == used
        else { return false }
        queue.meter.addIdle(look.middle &- before.middle)
        self.before = look
        return true
    }

    /// Takes one look at the queue.
    mutating func look(_ ring: SplitRingCopy, _ look: Look, into queue: inout QueueRecord) {
        defer { before = look }
        guard let before, state != nil else { return begin(ring, look, &queue) }
        let (newAvail, newUsed) = Self.indices(of: ring)
        let published = newAvail &- avail
        let completed = newUsed &- used
        let most = max(Nanoseconds(ring.size), (look.end &- before.begin) / Self.leastTime)
        guard published <= min(most, 0x7FFF), completed < 0x8000 else { return leave(&queue) }
        guard newAvail &- newUsed <= ring.size else { return doubt(ring, look, &queue) }
        guard published <= ring.size, completed <= ring.size else {
            // Entries were overwritten before they were seen.
            queue.meter.slip(submitted: published, completed: completed)
            return begin(ring, look, &queue)
        }
        let bounds = Bounds(earliest: before.begin, latest: look.end)
        let taken = take(ring, upTo: newAvail, newUsed, bounds, &queue)
        // An entry that makes no sense holds up all behind it.
        guard avail &- used <= ring.size else { return doubt(ring, look, &queue) }
        takenCount &+= Int(taken.published)
        nonsense = avail == newAvail && used == newUsed ? 0 : nonsense + 1
        if nonsense == 2, takenCount >= ring.size { return findAnew(ring, look, &queue) }
        note(ring, taken, since: before, look, &queue)
    }

    /// The indices of both rings. No more can be completed than is published: where it seems so,
    /// that of the used ring is the newer one.
    private static func indices(of ring: SplitRingCopy) -> (avail: UInt16, used: UInt16) {
        let (avail, used) = (ring.availIndex, ring.usedIndex)
        let ahead = Int16(bitPattern: used &- avail)
        return (avail, ahead > 0 && ahead <= 64 ? avail : used)
    }

    /// Entries made no sense twice in a row, in a ring of which many have: a copy whose index was
    /// newer than its entry showed a head of the lap before, another was taken for completed, and
    /// the driver uses the right one again. What is under way is found out as by who comes late;
    /// where that does not help, there is no ring.
    private mutating func findAnew(
        _ ring: SplitRingCopy, _ look: Look, _ queue: inout QueueRecord
    ) {
        let new = Self.indices(of: ring)
        queue.meter.slip(submitted: new.avail &- avail, completed: new.used &- used)
        // When those were reaped that the device has completed, nobody will know.
        queue.ended += queue.unreaped.filter { $0.entry.state == .underWay }
        begin(ring, look, &queue)
    }

    /// Takes the new entries of both rings: how many of each. A head may have been given back and
    /// published again since: what was completed before that is taken before it.
    private mutating func take(
        _ ring: SplitRingCopy, upTo newAvail: UInt16, _ newUsed: UInt16, _ bounds: Bounds,
        _ queue: inout QueueRecord
    ) -> (published: UInt16, completed: UInt16) {
        let (oldAvail, oldUsed) = (avail, used)
        while avail != newAvail {
            let head = ring.availHead(avail)
            guard head < ring.size else { break }
            if queue.book[head].state == .underWay {
                complete(ring, upTo: newUsed, bounds, &queue, last: head)
            }
            guard queue.book.publish(head, at: avail, bounds) else { break }
            queue.fresh.append(.init(head: head, start: start(of: head)))
            avail &+= 1
        }
        popped = pops(ring, bounds, &queue)
        complete(ring, upTo: newUsed, bounds, &queue, last: nil)
        queue.meter.submissions &+= UInt64(avail &- oldAvail)
        queue.meter.completions &+= UInt64(used &- oldUsed)
        return (avail &- oldAvail, used &- oldUsed)
    }

    /// Takes used entries until that of `last`, or all.
    private mutating func complete(
        _ ring: SplitRingCopy, upTo newUsed: UInt16, _ bounds: Bounds,
        _ queue: inout QueueRecord, last: UInt16?
    ) {
        while used != newUsed, used != avail, let head = ring.usedHead(used) {
            queue.end(head, bounds, position: place.showsReaps ? used : nil)
            used &+= 1
            if head == last { return }
        }
    }

    /// How far the device has popped, where it shows that; what was popped since is noted.
    private func pops(
        _ ring: SplitRingCopy, _ bounds: Bounds, _ queue: inout QueueRecord
    ) -> UInt16? {
        guard place.showsPops else { return nil }
        let event = ring.availEvent
        // What is completed was popped; the event cannot be ahead of what was published.
        guard avail &- event <= ring.size else { return popped }
        if let popped, event &- popped <= ring.size {
            var index = popped
            while index != event {
                let head = ring.availHead(index)
                if head < ring.size { queue.book.pop(head, at: bounds.middle) }
                index &+= 1
            }
        }
        return event
    }

    /// Adds what the queue did between two looks to its meter.
    private mutating func note(
        _ ring: SplitRingCopy, _ taken: (published: UInt16, completed: UInt16),
        since before: Look, _ look: Look, _ queue: inout QueueRecord
    ) {
        let new = stateNow(ring, completed: Int(taken.completed))
        if let old = state {
            queue.meter.add(from: old, to: new, duration: look.middle &- before.middle)
        }
        state = new
        idleLooks = new.outstanding == 0 ? idleLooks + 1 : 0
        if new.unreaped != nil {
            let bounds = Bounds(earliest: (reapsSeen ?? before).begin, latest: look.end)
            queue.reap(upTo: ring.usedEvent, bounds)
            reapsSeen = look
        }
        if taken.published > 0 {
            queue.meter.submitLooks += 1
            if !wantedKick(ring, after: taken.published) { queue.meter.kicklessLooks += 1 }
        }
        if taken.completed > 0 {
            queue.meter.completionLooks += 1
            if !wantedInterrupt(ring, after: taken.completed) {
                queue.meter.interruptlessLooks += 1
            }
        }
        wishes = Wishes(ring)
    }

    /// The queue as it is now; `completed` came since the state before.
    private func stateNow(_ ring: SplitRingCopy, completed: Int) -> QueueMeter.State {
        let inFlight = Int(avail &- used)
        var new = QueueMeter.State(
            inFlight: inFlight, outstanding: inFlight, waiting: nil, unreaped: nil,
            isFull: false)
        if let popped {
            let waiting = Int(avail &- popped)
            if waiting <= inFlight { new.waiting = waiting }
        }
        if place.showsReaps {
            let unreaped = Int(used &- ring.usedEvent)
            // While the driver reaps it names an index far behind: it has not done so yet.
            if unreaped + inFlight <= Int(ring.size) { new.unreaped = unreaped }
            let before = state.map { $0.outstanding - $0.inFlight } ?? 0
            new.outstanding += new.unreaped ?? before + completed
        }
        let size = Int(ring.size)
        new.outstanding = min(new.outstanding, size)
        // Without indirect tables a request takes three descriptors: header, data, status.
        new.isFull =
            place.features.contains(.indirect)
            ? new.outstanding >= size : new.outstanding * 3 + 3 > size
        return new
    }

    /// What the two sides wish for in a look. By the next one a side may have served what was new
    /// and wish for what comes after it: whether it had to be told is in the look before.
    private struct Wishes: Sendable {
        var availEvent: UInt16
        var usedEvent: UInt16
        var refusesKicks: Bool
        var refusesInterrupts: Bool

        init(_ ring: SplitRingCopy) {
            (availEvent, usedEvent) = (ring.availEvent, ring.usedEvent)
            (refusesKicks, refusesInterrupts) = (ring.refusesKicks, ring.refusesInterrupts)
        }
    }

    /// Whether the device had to be told of the `published` newest entries.
    private func wantedKick(_ ring: SplitRingCopy, after published: UInt16) -> Bool {
        let wishes = wishes ?? Wishes(ring)
        return place.features.contains(.eventIndex)
            ? passesEvent(wishes.availEvent, old: avail &- published, new: avail)
            : !wishes.refusesKicks
    }

    /// Whether the driver had to be told of the `completed` newest entries.
    private func wantedInterrupt(_ ring: SplitRingCopy, after completed: UInt16) -> Bool {
        let wishes = wishes ?? Wishes(ring)
        return place.features.contains(.eventIndex)
            ? passesEvent(wishes.usedEvent, old: used &- completed, new: used)
            : !wishes.refusesInterrupts
    }

    /// An index is one word and never goes back: a driver that began anew, or other memory by now.
    /// What seems to be in flight there is nobody's request.
    private mutating func leave(_ queue: inout QueueRecord) {
        isAnother = true
        state = nil
        queue.book.removeAll()
        queue.fresh.removeAll(keepingCapacity: true)
        queue.unreaped.removeAll(keepingCapacity: true)
    }

    /// The indices cannot be: a reset, or other memory by now. What is under way is not known until
    /// they make sense again.
    private mutating func doubt(
        _ ring: SplitRingCopy, _ look: Look, _ queue: inout QueueRecord
    ) {
        nonsense += 1
        let doubts = nonsense
        begin(ring, look, &queue)
        nonsense = doubts
    }

    /// Begins with the queue as it is found: what is in flight are the heads published last, as far
    /// as anybody can tell.
    private mutating func begin(
        _ ring: SplitRingCopy, _ look: Look, _ queue: inout QueueRecord
    ) {
        (avail, used) = Self.indices(of: ring)
        (popped, takenCount) = (nil, 0)
        queue.book.removeAll()
        queue.fresh.removeAll(keepingCapacity: true)
        let inFlight = avail &- used
        guard inFlight <= ring.size else {
            state = nil
            nonsense += 1
            return
        }
        var index = avail
        for _ in 0..<inFlight {
            index &-= 1
            let head = ring.availHead(index)
            if head < ring.size { queue.book.presume(head, at: index, seen: look.end) }
        }
        popped = place.showsPops && avail &- ring.availEvent <= inFlight ? ring.availEvent : nil
        state = nil
        state = stateNow(ring, completed: 0)
        reapsSeen = nil
        presumeUnreaped(ring, look, &queue)
        nonsense = 0
    }

    /// What is completed and not reaped when the observer comes.
    private func presumeUnreaped(
        _ ring: SplitRingCopy, _ look: Look, _ queue: inout QueueRecord
    ) {
        queue.unreaped.removeAll(keepingCapacity: true)
        for distance in 0..<UInt16(state?.unreaped ?? 0) {
            let position = ring.usedEvent &+ distance
            guard let head = ring.usedHead(position) else { continue }
            let entry = RequestBook.Entry(state: .presumed, seen: look.end)
            let bounds = Bounds(earliest: 0, latest: look.end)
            queue.keep(.init(head: head, entry: entry, ended: bounds, position: position))
        }
    }
}
