import Telemetry
import Testing

@testable import Screens

@Suite("The clock of a replay")
struct PlayClockTests {
    private let second: Nanoseconds = 1_000_000_000

    @Test("recorded time passes as fast as the speed says", arguments: PlaySpeed.all)
    func speeds(speed: PlaySpeed) {
        var clock = PlayClock(speed: speed)
        clock.play(at: 100 * second, now: 7 * second)
        #expect(clock.due(now: 7 * second) == 100 * second)
        #expect(clock.due(now: 11 * second) == 100 * second + speed.quarters * second)
        #expect(clock.due(now: 3 * second) == 100 * second, "no time before it began")
    }

    @Test("the ladder goes from a quarter to 64 and no further")
    func ladder() {
        #expect(PlaySpeed.all.map(\.quarters) == [1, 2, 4, 8, 16, 32, 64, 128, 256])
        var speed = PlaySpeed.normal
        for _ in 0..<20 { speed = speed.faster }
        #expect(speed.quarters == 256)
        for _ in 0..<20 { speed = speed.slower }
        #expect(speed.quarters == 1)
    }

    @Test("a change of speed and a pause make no jump")
    func noJumps() {
        var clock = PlayClock()
        clock.play(at: 0, now: 0)
        clock.change(to: PlaySpeed.all[8], now: 10 * second)
        #expect(clock.due(now: 10 * second) == 10 * second)
        #expect(clock.due(now: 11 * second) == 74 * second)
        clock.change(to: PlaySpeed.all[0], now: 11 * second)
        #expect(clock.due(now: 15 * second) == 75 * second)
        clock.pause()
        #expect(clock.step(now: 99 * second, shown: 0, next: 1, usual: second) == .paused)
        clock.play(at: 75 * second, now: 100 * second)
        #expect(clock.due(now: 104 * second) == 76 * second)
    }

    @Test("a sample is shown when it is due, and not before")
    func steps() {
        var clock = PlayClock(speed: PlaySpeed.all[3])
        clock.play(at: 10 * second, now: 0)
        let next = 11 * second
        #expect(
            clock.step(now: 0, shown: 10 * second, next: next, usual: second)
                == .wait(second / 2))
        #expect(
            clock.step(now: second / 2 - 1, shown: 10 * second, next: next, usual: second)
                == .wait(1))
        #expect(
            clock.step(now: second / 2, shown: 10 * second, next: next, usual: second) == .show)
    }

    @Test("a gap takes one second at any speed, long distances that are usual do not")
    func gaps() {
        for speed in PlaySpeed.all {
            var clock = PlayClock(speed: speed)
            clock.play(at: 10 * second, now: 0)
            let next = 7210 * second
            #expect(
                clock.step(now: 0, shown: 10 * second, next: next, usual: second)
                    == .wait(second))
            #expect(
                clock.step(now: second, shown: 10 * second, next: next, usual: second)
                    == .skip(7200 * second))
            #expect(clock.due(now: second) == next)
        }
        var slow = PlayClock(speed: PlaySpeed.all[0])
        slow.play(at: 0, now: 0)
        #expect(
            slow.step(now: second, shown: 0, next: 10 * second, usual: 10 * second)
                == .wait(39 * second))
    }

    @Test("at the end of a file that grows a new sample is shown at once, and the next on time")
    func liveEnd() {
        var clock = PlayClock()
        clock.play(at: 10 * second, now: 0)
        #expect(clock.step(now: 0, shown: 10 * second, next: nil, usual: second) == .atEnd)
        #expect(
            clock.step(now: 50 * second, shown: 10 * second, next: 11 * second, usual: second)
                == .show)
        #expect(
            clock.step(now: 50 * second, shown: 11 * second, next: 12 * second, usual: second)
                == .wait(second))
    }

    @Test("no times and no order of times trap", arguments: 0..<8)
    func hostile(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var clock = PlayClock()
        func time() -> Nanoseconds {
            [0, 1, .max, .max - 1, random.next(), random.next() >> 20][Int(random.next() % 6)]
        }
        for _ in 0..<500 {
            switch random.next() % 5 {
            case 0: clock.play(at: time(), now: time())
            case 1: clock.pause()
            case 2: clock.change(to: PlaySpeed.all[Int(random.next() % 9)], now: time())
            case 3: clock.seek(to: time(), now: time())
            default:
                let next = random.next() % 4 == 0 ? nil : time()
                let step = clock.step(now: time(), shown: time(), next: next, usual: time())
                if case .wait(let wait) = step { #expect(wait > 0) }
            }
        }
    }
}
