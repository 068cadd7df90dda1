internal import Telemetry

/// The time in which a VM's rings were read once, `CLOCK_MONOTONIC` nanoseconds. What is new in it
/// happened after the look before had begun, and before this one ended.
struct Look: Sendable, Equatable {
    var begin: Nanoseconds
    var end: Nanoseconds

    /// When it happened, as nearly as can be told.
    var middle: Nanoseconds { begin + (end &- begin) / 2 }
}

/// Between two looks: when something happened that only the second one shows.
struct Bounds: Sendable, Equatable, BitwiseCopyable {
    var earliest: Nanoseconds
    var latest: Nanoseconds

    var width: Nanoseconds { latest > earliest ? latest - earliest : 0 }
    var middle: Nanoseconds { earliest &+ width / 2 }
}
