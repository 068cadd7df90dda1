public import Telemetry

/// What a fold of requests gives.
public enum Folded: Sendable, Equatable {
    case sample(Snapshot)
    case mark(Mark)
}

/// Folds the requests of a trace into the samples a live source would have given, one a second.
///
/// A request counts in the second in which it completed, and is in flight from its start to its
/// end, as `IOEvent` has them. Requests may come in any order within `window` of their starts:
/// by start, or by completion as long as none takes longer than that. What comes later still is
/// left out and counted (`OwnCost.lostEvents`). Where a trace has no completions, requests count
/// when they start, and there are no latencies and no queue depth.
///
/// Seconds without a request give samples with rates 0, as those of an idle live source; a gap
/// longer than `longestGap` gives one mark. Memory is bounded by `requestLimit` and `lunLimit`.
public struct RequestFold {
    /// Nanoseconds of a sample.
    public static let interval: Nanoseconds = 1_000_000_000
    /// Nanoseconds by which requests may come out of order.
    public static let window: Nanoseconds = 10_000_000_000
    /// Nanoseconds that are filled with idle samples.
    public static let longestGap: Nanoseconds = 60_000_000_000
    /// Requests held at once; beyond, the earliest are folded though others may come before them.
    public static let requestLimit = 1 << 18
    /// LUNs that are told apart; requests of others are left out.
    public static let lunLimit = 4096
    /// Stamps beyond are taken for nonsense, nanoseconds: 292 years.
    static let latest = Nanoseconds(Int64.max)

    /// Wall clock at monotonic time 0, nanoseconds since 1970-01-01 UTC, `nil` while it is not
    /// known: some traces tell it after their begin.
    public var origin: Int64?
    private let name: String
    private let hasCompletions: Bool
    private let limit: Int
    private var accounts: [LUNAccount] = []
    private var requests = RequestHeap()
    /// The latest start seen.
    private var watermark: Nanoseconds = 0
    /// Begin of the second that is open; `nil` before the first.
    private var second: Nanoseconds?
    /// Up to here requests have begun and ended.
    private var horizon: Nanoseconds = 0
    private var sequence: UInt64 = 0
    private var known = KnownOfTrace()

    /// Requests left out: too late, without any time, or of one LUN too many.
    public private(set) var lost: UInt64 = 0
    /// Requests without a completion in a trace that has them. They count nowhere: none can say
    /// how long they were in flight.
    public private(set) var unfinished: UInt64 = 0

    /// A fold of the trace `name`, which holds at most `limit` requests at once.
    public init(
        name: String, origin: Int64?, hasCompletions: Bool, limit: Int = Self.requestLimit
    ) {
        self.name = name
        self.origin = origin
        self.hasCompletions = hasCompletions
        self.limit = max(limit, 1)
    }

    /// The LUN `index` is called `name`.
    public mutating func name(_ name: String, ofLUN index: UInt16) {
        guard let index = account(index) else { return }
        accounts[index].name = name
    }

    /// Takes a request, and hands over what it completes.
    public mutating func take(
        _ event: IOEvent, _ emit: (Folded) throws -> Void
    ) rethrows {
        let (start, end) = (event.start, event.end)
        let first = start != 0 ? start : end
        guard first != 0, max(first, end) < Self.latest, account(event.lun) != nil else {
            lost &+= 1
            return
        }
        if end == 0, hasCompletions {
            unfinished &+= 1
            return
        }
        // A request whose stamps run backwards, or that has one only, takes no time.
        let last = max(first, end)
        if let second, last < second {
            lost &+= 1
            return
        }
        known.add(event)
        requests.add(event, from: max(first, horizon), to: max(last, horizon))
        watermark = max(watermark, first)
        try advance(emit)
    }

    /// Hands over the rest.
    public mutating func finish(_ emit: (Folded) throws -> Void) rethrows {
        while let next = requests.nextTime { try close(open(next), emit) }
    }

    // MARK: Seconds

    private mutating func advance(_ emit: (Folded) throws -> Void) rethrows {
        while let next = requests.nextTime {
            let begin = open(next, keep: false)
            guard begin + Self.interval + Self.window <= watermark else { break }
            try close(open(next), emit)
        }
        while requests.count >= limit, let next = requests.nextTime {
            let begin = open(next)
            if next >= begin + Self.interval {
                try close(begin, emit)
            } else if let edge = requests.pop(before: begin + Self.interval) {
                apply(edge)
            }
        }
    }

    /// The begin of the open second, the first of all being that of the request at `next`.
    private mutating func open(_ next: Nanoseconds, keep: Bool = true) -> Nanoseconds {
        if let second { return second }
        let begin = next - next % Self.interval
        if keep { start(at: begin) }
        return begin
    }

    private mutating func start(at begin: Nanoseconds) {
        second = begin
        horizon = max(horizon, begin)
        for index in accounts.indices { accounts[index].start(at: begin) }
    }

    /// Ends the second that began at `begin`, and opens the next with something in it.
    private mutating func close(
        _ begin: Nanoseconds, _ emit: (Folded) throws -> Void
    ) rethrows {
        let end = begin + Self.interval
        while let edge = requests.pop(before: end) { apply(edge) }
        for index in accounts.indices { accounts[index].pass(to: end) }
        let sample = sample(from: begin, to: end)
        start(at: end)
        try emit(.sample(sample))
        guard let next = requests.nextTime, next >= end + Self.longestGap else { return }
        let resumed = next - next % Self.interval
        start(at: resumed)
        try emit(
            .mark(
                Mark(
                    monotonic: end, kind: .gap,
                    text: "no request began or ended for \((next - end) / Self.interval) s")))
    }

    private mutating func apply(_ edge: RequestHeap.Edge) {
        horizon = max(horizon, edge.time)
        let event = edge.event
        guard let index = account(event.lun) else { return }
        if edge.isEnd {
            accounts[index].end(event, at: edge.time)
        } else {
            accounts[index].begin(event, at: edge.time)
        }
    }

    /// The place of a LUN's account; `nil` for one LUN too many.
    private mutating func account(_ lun: UInt16) -> Int? {
        let index = Int(lun)
        guard index < Self.lunLimit else { return nil }
        while accounts.count <= index {
            accounts.append(LUNAccount(name: "lun \(accounts.count)", since: second ?? 0))
        }
        return index
    }

    // MARK: Samples

    private mutating func sample(from begin: Nanoseconds, to end: Nanoseconds) -> Snapshot {
        sequence &+= 1
        let (wall, isOver) = (origin ?? 0).addingReportingOverflow(Int64(clamping: end))
        var snapshot = Snapshot(
            source: Source(kind: .replay, name: name), sequence: sequence, monotonic: end,
            wallClock: isOver ? .max : wall, interval: Double(Self.interval) / 1e9)
        var oldest: [Nanoseconds?] = []
        if requests.hasBegun {
            oldest = Array(repeating: nil, count: accounts.count)
            requests.forEachInFlight { event in
                let start = event.start
                let index = Int(event.lun)
                oldest[index] = min(oldest[index] ?? start, start)
            }
        }
        let hasDepth = hasCompletions || known.ends
        for index in accounts.indices {
            let age = oldest.isEmpty ? nil : oldest[index].map { end > $0 ? end - $0 : 0 }
            snapshot.luns.append(
                accounts[index].lun(
                    from: begin, to: end, oldest: age, hasCompletions: hasDepth,
                    hasStatus: known.statuses))
        }
        snapshot.total = BlockRates(summing: snapshot.luns)
        snapshot.unavailable = known.unavailable(hasWallClock: origin != nil, hasDepth: hasDepth)
        snapshot.ownCost.lostEvents = lost
        return snapshot
    }
}
