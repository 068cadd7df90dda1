public import Telemetry

/// How fast a recording is played: recorded time for real time.
public struct PlaySpeed: Sendable, Equatable {
    /// Quarters of the speed it was recorded at.
    let quarters: UInt64

    /// As it was recorded.
    public static let normal = PlaySpeed(quarters: 4)
    /// ¼, ½, 1, 2 … 64.
    public static let all: [PlaySpeed] = (0...8).map { PlaySpeed(quarters: 1 << $0) }

    /// The next one up, the highest stays.
    public var faster: PlaySpeed { Self.all.first { $0.quarters > quarters } ?? self }
    /// The next one down, the lowest stays.
    public var slower: PlaySpeed { Self.all.last { $0.quarters < quarters } ?? self }

    /// Recorded nanoseconds that pass in `real` ones; saturates.
    func recorded(_ real: Nanoseconds) -> Nanoseconds {
        let (product, overflow) = real.multipliedReportingOverflow(by: quarters)
        return overflow ? .max : product / 4
    }

    /// Real nanoseconds in which `recorded` ones pass, rounded up; saturates.
    func real(_ recorded: Nanoseconds) -> Nanoseconds {
        let (product, overflow) = recorded.multipliedReportingOverflow(by: 4)
        let (sum, isTooMuch) = product.addingReportingOverflow(quarters - 1)
        return overflow || isTooMuch ? .max : sum / quarters
    }
}

/// Which sample of a recording is due at which real time. A value that is told the time:
/// `CLOCK_MONOTONIC` nanoseconds on both sides, of the player and of the recording.
///
/// ```
/// clock.play(at: history.shown?.monotonic ?? 0, now: now)
/// while case .show = clock.step(now: now, shown: shown, next: next, usual: usual) { advance }
/// ```
public struct PlayClock: Sendable, Equatable {
    /// What to do next.
    public enum Step: Sendable, Equatable {
        /// The next sample is due: show it, and ask again.
        case show
        /// Nothing to do for so many real nanoseconds.
        case wait(Nanoseconds)
        /// Show the next sample, before its time: a gap of so many nanoseconds lies before it.
        case skip(Nanoseconds)
        /// There is no next sample yet.
        case atEnd
        /// Time stands still.
        case paused
    }
    public private(set) var speed: PlaySpeed
    public private(set) var isPlaying = false
    /// A pair of times that belong together.
    private var real: Nanoseconds = 0
    private var recorded: Nanoseconds = 0
    private var isWaitingAtEnd = false

    /// Real time that is spent in front of a gap, however long it is.
    public static let longestGap: Nanoseconds = 1_000_000_000
    /// A pause of more than so many usual ones is a gap.
    private static let gapFactor: Nanoseconds = 3

    /// A clock that stands still.
    public init(speed: PlaySpeed = .normal) { self.speed = speed }

    /// Runs from the recorded time `time` on.
    public mutating func play(at time: Nanoseconds, now: Nanoseconds) {
        isPlaying = true
        seek(to: time, now: now)
    }

    /// Stands still.
    public mutating func pause() {
        isPlaying = false
        isWaitingAtEnd = false
    }

    /// Goes to the recorded time `time`, running or not.
    public mutating func seek(to time: Nanoseconds, now: Nanoseconds) {
        (real, recorded) = (now, time)
        isWaitingAtEnd = false
    }

    /// Runs at `speed` from here: what is due now stays due now.
    public mutating func change(to speed: PlaySpeed, now: Nanoseconds) {
        if isPlaying { (recorded, real) = (due(now: now), now) }
        self.speed = speed
    }

    /// The recorded time that is due.
    public func due(now: Nanoseconds) -> Nanoseconds {
        guard isPlaying, now > real else { return recorded }
        let (sum, overflow) = recorded.addingReportingOverflow(speed.recorded(now - real))
        return overflow ? .max : sum
    }

    /// What to do when `shown` is the time of the sample on the screen, `next` that of the one
    /// after it (`nil` at the end), and `usual` the usual distance of two samples.
    ///
    /// At the end of a file that grows a new sample is shown as soon as it is there.
    public mutating func step(
        now: Nanoseconds, shown: Nanoseconds, next: Nanoseconds?, usual: Nanoseconds
    ) -> Step {
        guard isPlaying else { return .paused }
        guard let next else {
            isWaitingAtEnd = true
            return .atEnd
        }
        if isWaitingAtEnd {
            seek(to: next, now: now)
            return .show
        }
        let due = due(now: now)
        if next <= due { return .show }
        let wait = speed.real(next - due)
        let (limit, overflow) = usual.multipliedReportingOverflow(by: Self.gapFactor)
        guard next > shown, next - shown > (overflow ? .max : limit), usual > 0 else {
            return .wait(wait)
        }
        let waited = due > shown ? speed.real(due - shown) : 0
        if waited < Self.longestGap { return .wait(min(wait, Self.longestGap - waited)) }
        seek(to: next, now: now)
        return .skip(next - shown)
    }
}
