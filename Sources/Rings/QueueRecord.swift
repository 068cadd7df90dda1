internal import Telemetry

/// What is known of one virtqueue: what is under way, what it did, and what ended since this was
/// looked at.
struct QueueRecord: Sendable {
    /// A request that the device has completed.
    struct Ended: Sendable {
        var head: UInt16
        var entry: RequestBook.Entry
        var ended: Bounds
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
    /// Followed requests that ended since this was emptied.
    var ended: [Ended] = []
    /// What the driver has not reaped, the oldest first.
    var unreaped: [Ended] = []
    /// More is not kept: a driver that reaps nothing stops publishing soon.
    private static let mostUnreaped = 256

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
        if let position {
            keep(Ended(head: head, entry: entry, ended: bounds, position: position))
        }
        guard entry.state == .underWay else { return }
        meter.followed += 1
        ended.append(Ended(head: head, entry: entry, ended: bounds, position: position ?? 0))
    }

    /// Notes a request as not reaped yet.
    mutating func keep(_ request: Ended) {
        if unreaped.count < Self.mostUnreaped { unreaped.append(request) }
    }

    /// The driver has reaped all that stands before place `index` of the used ring.
    mutating func reap(upTo index: UInt16) {
        guard !unreaped.isEmpty else { return }
        unreaped.removeAll { Int16(bitPattern: $0.position &- index) < 0 }
    }
}
