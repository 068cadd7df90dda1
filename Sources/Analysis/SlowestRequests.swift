public import Telemetry

/// A request with the LUN it went to.
public struct SlowRequest: Sendable, Equatable {
    /// Qualified id of the LUN.
    public var lun: String
    /// The request; its `lun` is an index of the recording's, `lun` here is the name.
    public var request: IOEvent
    /// From its begin to its end, nanoseconds.
    public var latency: Nanoseconds
}

/// The slowest requests, as many as there is room for.
struct SlowestRequests: Sendable {
    private let room: Int
    /// Slowest first; among equals the one that began first.
    private(set) var requests: [SlowRequest] = []
    /// A request has to take this long to be of interest.
    private(set) var threshold: Nanoseconds

    init(room: Int) {
        self.room = min(max(0, room), 10_000)
        threshold = room > 0 ? 0 : .max
    }

    mutating func add(_ event: IOEvent, latency: Nanoseconds, lun: String) {
        guard room > 0 else { return }
        let request = SlowRequest(lun: lun, request: event, latency: latency)
        var (low, high) = (0, requests.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.comes(requests[middle], before: request) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < room else { return }
        requests.insert(request, at: low)
        if requests.count > room { requests.removeLast() }
        if requests.count == room, let last = requests.last { threshold = last.latency }
    }

    private static func comes(_ left: SlowRequest, before right: SlowRequest) -> Bool {
        if left.latency != right.latency { return left.latency > right.latency }
        let (a, b) = (left.request.start, right.request.start)
        return a != b ? a < b : left.lun < right.lun
    }
}

/// A LUN that had a request in flight and completed none for a while.
public struct Stall: Sendable, Equatable {
    /// Qualified id.
    public var lun: String
    /// `CLOCK_MONOTONIC` nanoseconds.
    public var start: Nanoseconds
    public var end: Nanoseconds
    /// Whether a completion ended it, and not the recording.
    public var isOver: Bool
    /// Nanoseconds.
    public var length: Nanoseconds { end > start ? end - start : 0 }
}

/// How many stalls there were, and the longest of them.
struct StallList: Sendable {
    /// Stalls that are told one by one.
    static let listed = 50
    private(set) var count: UInt64 = 0
    /// Longest first.
    private(set) var longest: [Stall] = []

    mutating func add(_ stall: Stall) {
        count &+= 1
        func comes(_ left: Stall, before right: Stall) -> Bool {
            if left.length != right.length { return left.length > right.length }
            return left.start != right.start ? left.start < right.start : left.lun < right.lun
        }
        let place = longest.firstIndex { comes(stall, before: $0) } ?? longest.count
        guard place < Self.listed else { return }
        longest.insert(stall, at: place)
        if longest.count > Self.listed { longest.removeLast() }
    }
}
