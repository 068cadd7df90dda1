import Telemetry

/// How often a source is asked: as often as wanted, and less often once its answers take so long
/// that the VM might feel being asked.
///
/// QMP commands run in QEMU's main loop, which also serves the guest. An answer that took more than
/// a twentieth of the interval, or 50 ms, halves the rate; five answers in half that time double it
/// again.
struct Cadence: Sendable, Equatable {
    /// At most this many times the wanted interval.
    static let slowest = 16
    private static let calmAnswers = 5

    /// Nanoseconds between samples as the user wants them.
    var wanted: Nanoseconds
    /// Every how many samples the source is asked, a power of two.
    private(set) var divisor = 1
    /// Samples since it was asked, `nil` before the first time.
    private var samples: Int?
    private var calm = 0

    init(wanted: Nanoseconds) { self.wanted = wanted }

    /// Whether it is asked less often than wanted.
    var isSlowed: Bool { divisor > 1 }

    /// Seconds between questions as things stand.
    var seconds: Double { Double(wanted) / 1e9 * Double(divisor) }

    /// An answer that took longer is a sign to ask less often, nanoseconds.
    var limit: Nanoseconds { min(50_000_000, max(5_000_000, wanted / 20)) }

    /// Counts a sample, and says whether to ask for it.
    mutating func isDue() -> Bool {
        let passed = (samples ?? divisor - 1) + 1
        samples = passed >= divisor ? 0 : passed
        return passed >= divisor
    }

    /// Takes note of an answer that took `roundTrip`.
    mutating func answered(after roundTrip: Nanoseconds) {
        if roundTrip > limit {
            slowDown()
        } else if roundTrip > limit / 2 {
            calm = 0
        } else {
            calm += 1
            if calm >= Self.calmAnswers, divisor > 1 {
                divisor /= 2
                calm = 0
            }
        }
    }

    /// Takes note of an answer that did not come in time.
    mutating func missed() { slowDown() }

    private mutating func slowDown() {
        divisor = min(Self.slowest, divisor * 2)
        calm = 0
    }
}
