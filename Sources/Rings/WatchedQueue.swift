internal import Telemetry
internal import Virtio

/// One virtqueue that is followed, whatever its layout.
struct WatchedQueue {
    /// The parts of a ring, copied.
    enum Copy {
        /// `head`: the first bytes of its one piece, which hold both indices; `nil` where the rings
        /// lie apart.
        case split(SplitRingCopy, pieces: [GuestReader.Piece], head: Int?)
        case packed(PackedRingCopy, pieces: [GuestReader.Piece])
    }

    let place: RingPlace
    /// Index of its LUN in the VM's list.
    let lun: Int
    private var split: SplitTracker?
    private var packed: PackedTracker?
    var record: QueueRecord

    init(_ place: RingPlace, lun: Int) {
        self.place = place
        self.lun = lun
        record = QueueRecord(size: place.size)
        switch place.layout {
        case .split: split = SplitTracker(place)
        case .packed: packed = PackedTracker(place)
        }
    }

    /// Whether rings of this kind can be followed at all.
    static func canFollow(_ place: RingPlace) -> Bool {
        let size = place.size
        switch place.layout {
        case .split: return (1...SplitRing.maximumSize).contains(size) && size & (size - 1) == 0
        case .packed: return (1...SplitRing.maximumSize).contains(size)
        }
    }

    /// Whether what stands there is not this queue any more.
    var isStale: Bool { split?.isStale ?? packed?.isStale ?? false }
    var indices: (avail: UInt16, used: UInt16) { split?.indices ?? packed?.indices ?? (0, 0) }
    var current: QueueMeter.State? { split?.current ?? packed?.current }

    /// Adds the queue's parts to what `reader` reads; `nil` if they are not in the VM's memory, or
    /// there is no room.
    func add(to reader: GuestReader) -> Copy? {
        switch place.layout {
        case .split: addSplit(to: reader)
        case .packed: addPacked(to: reader)
        }
    }

    /// The rings of a queue are mostly neighbours in one page: then they are one piece. Else the
    /// used ring is read first, so that in flight errs upwards.
    private func addSplit(to reader: GuestReader) -> Copy? {
        let availBytes = SplitRing.byteCount(of: .avail, size: place.size)
        let usedBytes = SplitRing.byteCount(of: .used, size: place.size)
        let (avail, used) = (place.avail.rawValue, place.used.rawValue)
        guard avail % 2 == 0, used % 4 == 0 else { return nil }
        let distance = used &- avail
        if distance >= UInt64(availBytes), distance < UInt64(availBytes) + 256 {
            let byteCount = Int(distance) + usedBytes
            guard let piece = reader.add(avail, byteCount: byteCount) else { return nil }
            let ring = SplitRingCopy(
                size: place.size, avail: piece.local, used: piece.local + UInt(distance))
            return .split(ring, pieces: [piece], head: Int(distance) + 4)
        }
        guard let usedPiece = reader.add(used, byteCount: usedBytes),
            let availPiece = reader.add(avail, byteCount: availBytes)
        else { return nil }
        let ring = SplitRingCopy(
            size: place.size, avail: availPiece.local, used: usedPiece.local)
        return .split(ring, pieces: [usedPiece, availPiece], head: nil)
    }

    private func addPacked(to reader: GuestReader) -> Copy? {
        guard place.descriptors.rawValue % 16 == 0, place.avail.rawValue % 4 == 0,
            place.used.rawValue % 4 == 0,
            let ring = reader.add(place.descriptors.rawValue, byteCount: place.size * 16),
            let driver = reader.add(place.avail.rawValue, byteCount: 4),
            let device = reader.add(place.used.rawValue, byteCount: 4)
        else { return nil }
        let copy = PackedRingCopy(
            size: place.size, descriptors: ring.local, driver: driver.local,
            device: device.local)
        return .packed(copy, pieces: [ring, driver, device])
    }

    /// Takes a look at the queue as `copy` has it.
    mutating func look(_ copy: Copy, _ look: Look) {
        switch copy {
        case .split(let ring, _, _): split?.look(ring, look, into: &record)
        case .packed(let ring, _): packed?.look(ring, look, into: &record)
        }
    }

    /// Whether nothing is outstanding and both sides have come to rest, so that the next look need
    /// only see that this is so still.
    var isIdle: Bool { split?.idleLooks ?? 0 >= 2 }

    /// Takes a look at a queue that was idle, of which `copy` has the indices alone; `false` where
    /// it is not idle any more.
    mutating func lookAtIdle(_ copy: Copy, _ look: Look) -> Bool {
        guard case .split(let ring, _, _) = copy else { return false }
        return split?.lookAtIdle(ring, look, into: &record) ?? false
    }

    /// Where the chain of a request under way begins, if `copy` still shows it.
    func start(of head: UInt16, _ copy: Copy) -> ChainStart? {
        switch copy {
        case .split: split?.start(of: head)
        case .packed(let ring, _): packed?.start(of: record.book[head], ring)
        }
    }

    /// Whether the device has popped the request in place `position` of the avail ring; `nil` where
    /// that cannot be seen.
    func isPopped(_ position: UInt16) -> Bool? { split?.isPopped(position) }
}

extension WatchedQueue.Copy {
    var pieces: [GuestReader.Piece] {
        switch self {
        case .split(_, let pieces, _), .packed(_, let pieces): pieces
        }
    }

    /// How much of its piece says whether anything has moved; `nil` where that is not known.
    var head: Int? {
        if case .split(_, _, let head) = self { return head }
        return nil
    }
}
