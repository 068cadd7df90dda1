internal import Telemetry
internal import Virtio

/// One virtqueue that is followed, whatever its layout.
struct WatchedQueue {
    /// The parts of a ring, copied.
    struct Copy {
        enum Ring {
            /// `indices` say whether anything has moved: those of the ring itself where it is
            /// mapped here, else the copied ones.
            case split(SplitRingCopy, indices: SplitRingCopy)
            case packed(PackedRingCopy)
        }
        var ring: Ring
        var pieces: GuestReader.Pieces
        /// How much of each piece has to be copied to see whether anything has moved; `nil`: all.
        var heads: Int?
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
    /// The last look at it: where it is idle, not all are.
    var last: Look? { split?.before ?? packed?.before }

    /// Takes a look at the queue as `copy` has it.
    mutating func look(_ copy: Copy, _ look: Look) {
        switch copy.ring {
        case .split(let ring, _): split?.look(ring, look, into: &record)
        case .packed(let ring): packed?.look(ring, look, into: &record)
        }
    }

    /// Whether nothing is outstanding and both sides have come to rest, so that the next look need
    /// only see that this is so still.
    var isIdle: Bool { split?.idleLooks ?? 0 >= 2 }

    /// Takes a look at a queue that was idle, of which `copy` has the indices alone; `false` where
    /// it is not idle any more. An index that has not moved after the look had not in it.
    mutating func lookAtIdle(_ copy: Copy, _ look: Look) -> Bool {
        guard case .split(_, let indices) = copy.ring else { return false }
        return split?.lookAtIdle(indices, look, into: &record) ?? false
    }

    /// Where the chain of a request under way begins, if `copy` still shows it.
    func start(of head: UInt16, _ copy: Copy) -> ChainStart? {
        switch copy.ring {
        case .split: split?.start(of: head)
        case .packed(let ring): packed?.start(of: record.book[head], ring)
        }
    }

    /// Whether the device has popped the request in place `position` of the avail ring; `nil` where
    /// that cannot be seen.
    func isPopped(_ position: UInt16) -> Bool? { split?.isPopped(position) }
}

extension RingPlace {
    /// Adds the queue's parts to what `reader` reads; `nil` if they are not in the VM's memory, or
    /// there is no room.
    func add(to reader: GuestReader) -> WatchedQueue.Copy? {
        switch layout {
        case .split: addSplit(to: reader)
        case .packed: addPacked(to: reader)
        }
    }

    /// The rings of a queue are mostly neighbours in one page: then they are one piece. Else the
    /// used ring is read first, so that in flight errs upwards.
    private func addSplit(to reader: GuestReader) -> WatchedQueue.Copy? {
        let availBytes = SplitRing.byteCount(of: .avail, size: size)
        let usedBytes = SplitRing.byteCount(of: .used, size: size)
        let (avail, used) = (avail.rawValue, used.rawValue)
        guard avail % 2 == 0, used % 4 == 0 else { return nil }
        let distance = used &- avail
        if distance >= UInt64(availBytes), distance < UInt64(availBytes) + 256 {
            let byteCount = Int(distance) + usedBytes
            guard let piece = reader.add(avail, byteCount: byteCount) else { return nil }
            return copy(
                avail: piece, used: piece, UInt(distance), [piece, nil, nil],
                heads: Int(distance) + 4)
        }
        guard let usedPiece = reader.add(used, byteCount: usedBytes),
            let availPiece = reader.add(avail, byteCount: availBytes)
        else { return nil }
        return copy(
            avail: availPiece, used: usedPiece, 0, [usedPiece, availPiece, nil], heads: 4)
    }

    /// The rings in `avail` and, `distance` bytes into it, `used`, whose indices are among the
    /// first `heads` bytes of all `pieces`.
    private func copy(
        avail: GuestReader.Piece, used: GuestReader.Piece, _ distance: UInt,
        _ pieces: GuestReader.Pieces, heads: Int
    ) -> WatchedQueue.Copy {
        let ring = SplitRingCopy(
            size: size, avail: avail.local, used: used.local + distance)
        guard let availHere = avail.original, let usedHere = used.original else {
            return WatchedQueue.Copy(
                ring: .split(ring, indices: ring), pieces: pieces, heads: heads)
        }
        let itself = SplitRingCopy(
            size: size, avail: availHere, used: usedHere + distance)
        return WatchedQueue.Copy(ring: .split(ring, indices: itself), pieces: pieces, heads: 0)
    }

    private func addPacked(to reader: GuestReader) -> WatchedQueue.Copy? {
        guard descriptors.rawValue % 16 == 0, avail.rawValue % 4 == 0,
            used.rawValue % 4 == 0,
            let ring = reader.add(descriptors.rawValue, byteCount: size * 16),
            let driver = reader.add(avail.rawValue, byteCount: 4),
            let device = reader.add(used.rawValue, byteCount: 4)
        else { return nil }
        let copy = PackedRingCopy(
            size: size, descriptors: ring.local, driver: driver.local,
            device: device.local)
        return WatchedQueue.Copy(ring: .packed(copy), pieces: [ring, driver, device])
    }
}
