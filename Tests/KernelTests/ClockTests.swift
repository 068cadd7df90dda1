import Telemetry
import Testing

@testable import Kernel

@Suite struct ClockTests {
    /// A rate of `megahertz`, from two readings an hour after boot.
    private func rate(megahertz: Double) -> TickRate {
        let second: UInt64 = 1_000_000_000
        let first = TickRate.Reading(
            ticks: UInt64(megahertz * 3600e6), nanoseconds: 3600 * second)
        let last = TickRate.Reading(
            ticks: UInt64(megahertz * 3601e6), nanoseconds: 3601 * second)
        return TickRate(from: first, to: last)
    }

    /// Whether this machine's ticks are nanoseconds: then no rate is measured.
    private var isNanoseconds: Bool { rate(megahertz: 500).factor == 1 << 24 }

    @Test(arguments: [24.0, 999.999, 1000, 2100.123, 2995.2, 5200])
    func durationsConvertBothWays(_ megahertz: Double) {
        let rate = rate(megahertz: megahertz)
        let perNanosecond = isNanoseconds ? 1 : megahertz / 1000
        for nanoseconds: UInt64 in [0, 1000, 32_768, 1_000_000, 1_000_000_000, 600_000_000_000] {
            let ticks = rate.ticks(nanoseconds)
            #expect(
                abs(Double(ticks) - Double(nanoseconds) * perNanosecond)
                    <= 1 + Double(nanoseconds) * perNanosecond * 1e-6)
            let back = rate.nanoseconds(ticks)
            let error = abs(Int64(back) - Int64(nanoseconds))
            #expect(Double(error) <= 2 + 1 / perNanosecond)
            #expect(rate.nanoseconds(sum: ticks) == back)
        }
    }

    /// Sums go on where durations overflow: a year of ticks.
    @Test(arguments: [24.0, 2995.2, 5200])
    func longSumsDoNotOverflow(_ megahertz: Double) {
        let rate = rate(megahertz: megahertz)
        let year: UInt64 = 365 * 86_400 * 1_000_000_000
        let ticks = isNanoseconds ? year : UInt64(Double(year) * megahertz / 1000)
        let error = abs(Double(rate.nanoseconds(sum: ticks)) - Double(year))
        #expect(error < Double(year) * 1e-6)
    }

    @Test func timesBeforeTheOriginAreBefore() {
        let rate = rate(megahertz: 2000)
        let origin = rate.originNanoseconds
        let ticks = rate.ticks(1_000_000)
        #expect(rate.time(at: rate.originTicks) == origin)
        #expect(
            abs(Int64(rate.time(at: rate.originTicks + ticks)) - Int64(origin) - 1_000_000) <= 1)
        #expect(
            abs(Int64(rate.time(at: rate.originTicks - ticks)) - Int64(origin) + 1_000_000) <= 1)
    }

    @Test func theLongestNanosecondsDoNotTrap() {
        let rate = rate(megahertz: 1000)
        #expect(rate.ticks(3_600_000_000_000) > 0)
    }

    /// A rate from two readings at the same instant would be noise: the engine's waits for a
    /// distance.
    @Test func aRateSinceJustNowWaitsForItsPrecision() {
        let first = TickRate.Reading.now()
        let rate = TickRate(since: first)
        let isExact = rate.factor == 1 << 24 && isNanoseconds
        #expect(isExact || rate.originNanoseconds - first.nanoseconds >= 5_000_000)
        let before = Clock.monotonic()
        let between = rate.time(at: Clock.ticks())
        #expect(between + 1_000_000 > before)
    }

    @Test func anAnchorMovesTimesAndNoDurations() {
        let rate = rate(megahertz: 2000)
        let reading = TickRate.Reading(
            ticks: rate.originTicks + 5_000_000_000_000, nanoseconds: 12_345_678_901_234)
        let moved = rate.anchored(at: reading)
        #expect(moved.time(at: reading.ticks) == reading.nanoseconds)
        #expect(rate.time(at: reading.ticks) != reading.nanoseconds)
        for ticks: UInt64 in [1, 1_000_003, 1 << 50] {
            #expect(moved.nanoseconds(sum: ticks) == rate.nanoseconds(sum: ticks))
        }
    }

    @Test func clocksRun() {
        let (ticks, time) = (Clock.ticks(), Clock.monotonic())
        #expect(Clock.ticksAfterLoads() >= ticks)
        #expect(Clock.monotonic() >= time)
        #expect(Clock.wall() > 1_700_000_000_000_000_000)
    }
}
