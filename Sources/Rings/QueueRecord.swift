internal import Telemetry

/// What is known of one virtqueue: what is under way, what it did, and what ended since this was
/// looked at.
struct QueueRecord: Sendable {
    /// A request that the device has completed.
    struct Ended: Sendable {
        var head: UInt16
        var entry: RequestBook.Entry
        /// When the device completed it.
        var ended: Bounds
        /// When the driver reaped it; `nil` where that cannot be seen.
        var reaped: Bounds?
        /// Its place in the used ring.
        var position: UInt16
    }
    /// A request that was just published.
    struct Fresh: Sendable {
        var head: UInt16
        var start: ChainStart
    }

    var book: RequestBook
    var meter: QueueMeter
    /// What was published since this was emptied.
    var fresh: [Fresh] = []
    /// Followed requests that were completed, and reaped where that can be seen, since this was
    /// emptied.
    var ended: [Ended] = []
    /// What the driver has not reaped, the oldest first.
    var unreaped: [Ended] = []
    /// More is not kept: a driver that reaps nothing stops publishing soon.
    private static let mostUnreaped = 1024

    /// Nothing yet, of a queue of `size` descriptors.
    init(size: Int) {
        book = RequestBook(size: size)
        meter = QueueMeter(size: size)
    }

    /// The device completed `head`, within `bounds`, in place `position` of a used ring.
    mutating func end(_ head: UInt16, _ bounds: Bounds, position: UInt16?) {
        guard let entry = book.complete(head) else {
            meter.slipped += 1
            return
        }
        if entry.state == .underWay { meter.followed += 1 } else { meter.slipped += 1 }
        let request = Ended(head: head, entry: entry, ended: bounds, position: position ?? 0)
        if position != nil, keep(request) { return }
        if entry.state == .underWay { ended.append(request) }
    }

    /// Notes a request as not reaped yet; whether there is room.
    @discardableResult
    mutating func keep(_ request: Ended) -> Bool {
        guard unreaped.count < Self.mostUnreaped else { return false }
        unreaped.append(request)
        return true
    }

    /// The driver has reaped all that stands before place `index` of the used ring, within
    /// `bounds`.
    mutating func reap(upTo index: UInt16, _ bounds: Bounds) {
        let count = unreaped.prefix { Int16(bitPattern: $0.position &- index) < 0 }.count
        guard count > 0 else { return }
        for var request in unreaped[..<count] where request.entry.state == .underWay {
            // It was not reaped before it was completed.
            let earliest = max(bounds.earliest, request.ended.earliest)
            request.reaped = Bounds(earliest: earliest, latest: bounds.latest)
            ended.append(request)
        }
        unreaped.removeFirst(count)
    }
}
