internal import Telemetry

/// What one virtqueue did since it was asked last: counts by the indices, and times by the looks.
struct QueueMeter: Sendable {
    /// A state of the queue, as one look shows it.
    struct State: Sendable, Equatable {
        var inFlight: Int
        /// Published and not reaped: what the driver waits for. As `inFlight` where reaping cannot
        /// be seen.
        var outstanding: Int
        /// Published and not popped; `nil` where it cannot be seen.
        var waiting: Int?
        /// Completed and not reaped; `nil` likewise.
        var unreaped: Int?
        /// Whether the driver has no room for another request.
        var isFull: Bool
    }

    /// Nanoseconds for which so many requests were outstanding.
    private(set) var timeAtDepth: [UInt64]
    /// Nanoseconds watched.
    private(set) var time: UInt64 = 0
    /// Nanoseconds times requests: in flight, outstanding, waiting, not reaped.
    private(set) var inFlightTime = 0.0
    private(set) var outstandingTime = 0.0
    private(set) var waitingTime = 0.0
    private(set) var unreapedTime = 0.0
    /// Nanoseconds in which those could be told.
    private(set) var waitingKnown: UInt64 = 0
    private(set) var unreapedKnown: UInt64 = 0
    private(set) var fullTime: UInt64 = 0
    private(set) var deepest = 0
    /// Looks that found a request outstanding, a second one taken at once not counted.
    var busyLooks: UInt64 = 0

    var submissions: UInt64 = 0
    var completions: UInt64 = 0
    /// Requests of `completions` whose beginning was seen too.
    var followed: UInt64 = 0
    /// The others of them: they left no trace but the indices, or were there before they were seen.
    var slipped: UInt64 = 0
    /// Looks with new requests, and those of them after which the device wanted no kick.
    var submitLooks: UInt64 = 0
    var kicklessLooks: UInt64 = 0
    /// Looks with completions, and those of them after which the driver wanted no interrupt.
    var completionLooks: UInt64 = 0
    var interruptlessLooks: UInt64 = 0

    /// Nothing yet, of a queue of `size` descriptors.
    init(size: Int) { timeAtDepth = Array(repeating: 0, count: size + 1) }

    /// The queue went from `old` to `new` in `duration` nanoseconds. Each stands for half of the
    /// time: that is exact for all that changes at random between two looks.
    mutating func add(from old: State, to new: State, duration: UInt64) {
        time &+= duration
        let half = duration / 2
        note(old, for: half)
        note(new, for: duration - half)
        if let before = old.waiting, let now = new.waiting {
            waitingTime += Double(before + now) / 2 * Double(duration)
            waitingKnown &+= duration
        }
        if let before = old.unreaped, let now = new.unreaped {
            unreapedTime += Double(before + now) / 2 * Double(duration)
            unreapedKnown &+= duration
        }
    }

    /// Counts requests of which there is nothing but what the indices say.
    mutating func slip(submitted: UInt16, completed: UInt16) {
        submissions &+= UInt64(submitted)
        completions &+= UInt64(completed)
        slipped &+= UInt64(completed)
    }

    /// Nothing was outstanding for `duration` nanoseconds.
    mutating func addIdle(_ duration: UInt64) {
        time &+= duration
        timeAtDepth[0] &+= duration
        waitingKnown &+= duration
        unreapedKnown &+= duration
    }

    private mutating func note(_ state: State, for duration: UInt64) {
        let depth = min(max(0, state.outstanding), timeAtDepth.count - 1)
        timeAtDepth[depth] &+= duration
        outstandingTime += Double(depth) * Double(duration)
        inFlightTime += Double(state.inFlight) * Double(duration)
        if state.isFull { fullTime &+= duration }
        deepest = max(deepest, depth)
    }

    /// Begins anew.
    mutating func reset() {
        for index in timeAtDepth.indices { timeAtDepth[index] = 0 }
        let times = timeAtDepth
        self = QueueMeter(size: 0)
        timeAtDepth = times
    }
}
