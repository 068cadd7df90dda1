internal import Telemetry

/// Stretches of time without any request in flight.
///
/// Requests come roughly in the order of their ends. A gap is taken for granted once `room` younger
/// ones are known; until then a request that was in flight during it takes it back.
struct IdleGaps: Sendable {
    /// Gaps shorter than this are not counted, nanoseconds (1 ms).
    static let shortest: Nanoseconds = 1_000_000
    /// Young gaps that can still be taken back.
    static let room = 256
    /// Gaps that are told one by one.
    static let listed = 10

    struct Gap: Sendable, Equatable {
        var start: Nanoseconds
        var end: Nanoseconds
        var length: Nanoseconds { end - start }
    }

    /// The latest end seen; `nil` before the first request.
    private var frontier: Nanoseconds?
    /// By time, at most `room`.
    private var young: [Gap] = []
    private(set) var longest: [Gap] = []
    private(set) var count: UInt64 = 0
    private(set) var total: Nanoseconds = 0

    /// Takes one request from `start` to `end`.
    @inline(__always)
    mutating func add(_ start: Nanoseconds, _ end: Nanoseconds) {
        guard let last = frontier else {
            frontier = end
            return
        }
        if start > last {
            if start - last >= Self.shortest { open(Gap(start: last, end: start)) }
        } else if let gap = young.last, start < gap.end {
            takeBack(start, end)
        }
        if end > last { frontier = end }
    }

    /// Settles the young gaps.
    mutating func finish() {
        for gap in young { settle(gap) }
        young = []
    }

    private mutating func open(_ gap: Gap) {
        if young.count == Self.room {
            // The older half at once, so that shifting the rest costs little for each.
            for gap in young.prefix(Self.room / 2) { settle(gap) }
            young.removeFirst(Self.room / 2)
        }
        young.append(gap)
    }

    private mutating func takeBack(_ start: Nanoseconds, _ end: Nanoseconds) {
        var index = young.count - 1
        while index >= 0, young[index].end > start {
            let gap = young[index]
            if end > gap.start {
                var rest: [Gap] = []
                if start > gap.start { rest.append(Gap(start: gap.start, end: start)) }
                if end < gap.end { rest.append(Gap(start: end, end: gap.end)) }
                young.replaceSubrange(
                    index...index, with: rest.filter { $0.length >= Self.shortest })
            }
            index -= 1
        }
    }

    private mutating func settle(_ gap: Gap) {
        count &+= 1
        total &+= gap.length
        if longest.count == Self.listed, let last = longest.last, last.length >= gap.length {
            return
        }
        let place = longest.firstIndex { $0.length < gap.length } ?? longest.count
        longest.insert(gap, at: place)
        if longest.count > Self.listed { longest.removeLast() }
    }
}
