internal import Telemetry

/// The requests of one virtqueue that are under way, by head descriptor or buffer id.
///
/// It believes what it is told only as far as it fits: a head that is published twice, or completed
/// though it was not published, is noted and does no harm.
struct RequestBook: Sendable {
    /// What is known of one head.
    struct Entry: Sendable, BitwiseCopyable {
        enum State: UInt8, Sendable {
            case absent
            /// It was there when the observer came, or is thought to have been.
            case presumed
            case underWay
        }
        /// How much of its chain is known.
        enum Chain: UInt8, Sendable { case unread, read, unreadable }

        var state = State.absent
        var chain = Chain.unread
        /// Its place in the avail ring.
        var position: UInt16 = 0
        var published = Bounds(earliest: 0, latest: 0)
        /// When it was popped, 0: not seen.
        var popped: Nanoseconds = 0
        var type = IOEvent.unknownType
        var sector: UInt64 = 0
        var byteCount: UInt64?

        /// Nobody.
        init() {}

        /// A request that is first seen at `seen`, and was there before.
        init(state: State, seen: Nanoseconds) {
            self.state = state
            published = Bounds(earliest: 0, latest: seen)
        }
    }

    private var entries: [Entry]
    /// Heads under way, those presumed included.
    private(set) var count = 0

    /// No request of the heads `0..<size`.
    init(size: Int) { entries = Array(repeating: Entry(), count: size) }

    /// What is known of `head`, in `0..<size`.
    subscript(head: UInt16) -> Entry { entries[Int(head)] }

    /// Forgets all.
    mutating func removeAll() {
        for index in entries.indices { entries[index].state = .absent }
        count = 0
    }

    /// `head` was published, in place `position` of the avail ring. Whether that makes sense: a
    /// head under way cannot be published again, but one that was only presumed can.
    mutating func publish(_ head: UInt16, at position: UInt16, _ bounds: Bounds) -> Bool {
        let old = entries[Int(head)].state
        guard old != .underWay else { return false }
        if old == .absent { count += 1 }
        var entry = Entry()
        entry.state = .underWay
        entry.position = position
        entry.published = bounds
        entries[Int(head)] = entry
        return true
    }

    /// `head` seems to have been under way when the observer came.
    mutating func presume(_ head: UInt16, at position: UInt16, seen: Nanoseconds) {
        guard entries[Int(head)].state == .absent else { return }
        count += 1
        var entry = Entry(state: .presumed, seen: seen)
        entry.position = position
        entries[Int(head)] = entry
    }

    /// The device popped `head`.
    mutating func pop(_ head: UInt16, at time: Nanoseconds) {
        guard entries[Int(head)].state != .absent, entries[Int(head)].popped == 0 else { return }
        entries[Int(head)].popped = time
    }

    /// The device completed `head`; what was known of it, `nil` if it was not under way.
    mutating func complete(_ head: UInt16) -> Entry? {
        let entry = entries[Int(head)]
        guard entry.state != .absent else { return nil }
        entries[Int(head)].state = .absent
        count -= 1
        return entry
    }

    /// The chain of `head` was read while it was under way; `nil`: it makes no sense.
    mutating func describe(_ head: UInt16, _ request: RequestFacts?) {
        guard entries[Int(head)].state != .absent else { return }
        guard let request else {
            entries[Int(head)].chain = .unreadable
            return
        }
        entries[Int(head)].chain = .read
        entries[Int(head)].type = request.type
        entries[Int(head)].sector = request.sector
        entries[Int(head)].byteCount = request.byteCount
    }

    /// Calls `body` with each head under way.
    func forEach(_ body: (UInt16, Entry) -> Void) {
        guard count > 0 else { return }
        for index in entries.indices where entries[index].state != .absent {
            body(UInt16(truncatingIfNeeded: index), entries[index])
        }
    }
}

/// What a request asks for.
struct RequestFacts: Sendable, Equatable {
    /// virtio-blk request type.
    var type: UInt32
    /// First 512-byte sector; 0 for a type that has none.
    var sector: UInt64
    /// Data bytes; `nil` where the header does not say: discards and write zeroes.
    var byteCount: UInt64?
}
