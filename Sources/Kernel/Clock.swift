public import CKernel
private import Glibc
public import Telemetry

/// The clocks. Only this room reads one.
public enum Clock {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    @inlinable
    public static func monotonic() -> Nanoseconds { ck_monotonic_ns() }

    /// `CLOCK_REALTIME`, nanoseconds since 1970-01-01 UTC.
    public static func wall() -> Int64 { ck_wall_ns() }

    /// CPU time of the calling thread (`CLOCK_THREAD_CPUTIME_ID`), nanoseconds.
    public static func threadCPU() -> Nanoseconds { ck_thread_cpu_ns() }

    /// Sleeps until `monotonic()` shows `deadline`, or a signal comes.
    public static func sleep(until deadline: Nanoseconds) { ck_sleep_until(deadline) }

    /// Lets this thread's sleeps end within `nanoseconds` of their time, instead of 50 us.
    public static func setTimerSlack(_ nanoseconds: Nanoseconds) {
        _ = ck_set_timer_slack(nanoseconds)
    }

    /// How many of the clock ticks in which /proc/PID/stat tells times make a second: 100.
    public static let processTicksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))

    /// The CPU's counter: some 10 ns cheaper than `monotonic()`, in units that `TickRate` converts.
    @inlinable
    public static func ticks() -> UInt64 { ck_ticks() }

    /// `ticks()`, but never earlier than what this thread has just read of another's: an
    /// out-of-order core may otherwise read its counter before it has the other's stamp.
    @inlinable
    public static func ticksAfterLoads() -> UInt64 { ck_ticks_after_loads() }
}

/// How ticks become nanoseconds: measured once, against `CLOCK_MONOTONIC`.
public struct TickRate: Sendable {
    /// Nanoseconds a tick, times 2²⁴.
    @usableFromInline let factor: UInt64
    @usableFromInline let originTicks: UInt64
    @usableFromInline let originNanoseconds: Nanoseconds

    /// Both clocks read at (nearly) the same instant.
    public struct Reading: Sendable {
        let ticks: UInt64
        let nanoseconds: Nanoseconds

        /// Reads both; the best of a few tries, as the thread may lose its CPU between the two.
        public static func now() -> Reading {
            var best: (width: UInt64, reading: Reading)?
            for _ in 0..<5 {
                let before = Clock.ticks()
                let nanoseconds = Clock.monotonic()
                let width = Clock.ticks() &- before
                if width < best?.width ?? .max {
                    best = (width, Reading(ticks: before &+ width / 2, nanoseconds: nanoseconds))
                }
            }
            return best?.reading
                ?? Reading(ticks: Clock.ticks(), nanoseconds: Clock.monotonic())
        }
    }

    /// The rate between two readings, the first taken at least a few milliseconds earlier.
    public init(from first: Reading, to second: Reading) {
        let ticks = max(1, second.ticks &- first.ticks)
        let nanoseconds = Double(second.nanoseconds &- first.nanoseconds)
        factor =
            ck_has_nanosecond_ticks() != 0
            ? 1 << 24 : UInt64((nanoseconds / Double(ticks) * 0x1p24).rounded())
        originTicks = second.ticks
        originNanoseconds = second.nanoseconds
    }

    /// The rate since `first`, good to some ten millionths: waits until `first` is five
    /// milliseconds old, if it is not yet.
    public init(since first: Reading) {
        while ck_has_nanosecond_ticks() == 0,
            Clock.monotonic() &- first.nanoseconds < Self.shortestCalibration
        { yieldProcessor() }
        self.init(from: first, to: .now())
    }

    /// The same rate with another origin: times keep to `CLOCK_MONOTONIC` however long this is
    /// used, and a sum of durations still converts to what it did before.
    public func anchored(at reading: Reading) -> TickRate {
        TickRate(
            factor: factor, originTicks: reading.ticks, originNanoseconds: reading.nanoseconds)
    }

    private init(factor: UInt64, originTicks: UInt64, originNanoseconds: Nanoseconds) {
        self.factor = factor
        self.originTicks = originTicks
        self.originNanoseconds = originNanoseconds
    }

    /// Over this time an error of some 50 ns in both readings does not matter.
    static let shortestCalibration: Nanoseconds = 5_000_000

    /// Nanoseconds in `ticks`, a duration of at most some minutes.
    @inlinable
    public func nanoseconds(_ ticks: UInt64) -> Nanoseconds { (ticks &* factor) &>> 24 }

    /// Nanoseconds in a sum of durations, however long.
    public func nanoseconds(sum ticks: UInt64) -> Nanoseconds {
        let (high, low) = ticks.multipliedFullWidth(by: factor)
        return high << 40 | low >> 24
    }

    /// Ticks in `nanoseconds`.
    public func ticks(_ nanoseconds: Nanoseconds) -> UInt64 {
        UInt64(Double(nanoseconds) * 0x1p24 / Double(max(1, factor)))
    }

    /// The `CLOCK_MONOTONIC` time of the instant `ticks` was read.
    public func time(at ticks: UInt64) -> Nanoseconds {
        ticks >= originTicks
            ? originNanoseconds &+ nanoseconds(sum: ticks - originTicks)
            : originNanoseconds &- nanoseconds(sum: originTicks - ticks)
    }
}
