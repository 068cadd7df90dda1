public import Telemetry

/// The wall clock of a recording at any of its times, from the readings it carries.
public struct ClockTable: Sendable, Equatable {
    /// In the order of the monotonic clock.
    private let readings: [ClockReading]

    /// The clocks of one boot of one host as `readings`, in any order, have them.
    public init(_ readings: [ClockReading]) {
        self.readings = readings.sorted { $0.monotonic < $1.monotonic }
    }

    /// The wall clock, nanoseconds since 1970-01-01 UTC, at `time` of the monotonic clock; `nil`
    /// without any reading.
    ///
    /// Between two readings a wall clock that was slewed is followed in a straight line. One that
    /// was set (more than a thousandth off) keeps what it showed until the later reading.
    public func wall(at time: Nanoseconds) -> Int64? {
        var (low, high) = (0, readings.count)
        while low < high {
            let middle = low + (high - low) / 2
            if readings[middle].monotonic <= time { low = middle + 1 } else { high = middle }
        }
        guard let before = low > 0 ? readings[low - 1] : readings.first else { return nil }
        var offset = before.wallOffset
        if low > 0, low < readings.count {
            let after = readings[low]
            let span = Double(after.monotonic - before.monotonic)
            let drift = Double(after.wallOffset) - Double(offset)
            if abs(drift) <= span / 1000 {
                offset &+= Int64(drift * (Double(time - before.monotonic) / span))
            }
        }
        return Int64(bitPattern: time) &+ offset
    }
}
