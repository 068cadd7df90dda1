import Grid
import Telemetry

@testable import Screens

/// The owner of a recording that is an array of samples: does what keys ask for, as the program
/// does with a file, and lets a time pass that tests hand in.
struct MemoryPlayer {
    let samples: [Snapshot]
    var bench: Bench
    var clock = PlayClock()
    var now: Nanoseconds = 5_000_000_000
    /// Samples around the one jumped to.
    var reach = 8
    /// What keys asked for, the newest last.
    var asked: [ViewAction] = []
    /// Gaps skipped, nanoseconds.
    var skipped: [Nanoseconds] = []

    init(
        _ samples: [Snapshot], size: Size = Size(columns: 80, rows: 24), at index: Int = 0,
        options: DisplayOptions = DisplayOptions()
    ) {
        self.samples = samples
        bench = Bench(SnapshotHistory(), size: size, options: options)
        if let first = samples.first, let last = samples.last {
            bench.state.replay = ReplayState(
                name: "night.vbt", first: Moment(first), last: Moment(last))
        }
        load(index)
    }

    var shownIndex: Int? {
        bench.history.shown.flatMap { shown in
            samples.firstIndex { $0.monotonic == shown.monotonic }
        }
    }

    /// Shows sample `index` of the recording in a window of its own.
    mutating func load(_ index: Int) {
        let index = min(max(0, index), samples.count - 1)
        guard index >= 0 else { return }
        let first = max(0, index - reach)
        let window = Array(samples[first..<min(samples.count, index + reach + 1)])
        bench.history.replace(window: window, showing: index - first)
        clock.seek(to: samples[index].monotonic, now: now)
        bench.state.observe(bench.history)
    }

    mutating func press(_ keys: Key...) {
        for key in keys { perform(bench.press(key)) }
    }

    mutating func type(_ text: String) {
        for character in text { press(.character(character)) }
        press(.enter)
    }

    private mutating func perform(_ action: ViewAction) {
        asked.append(action)
        switch action {
        case .seek(let target): load(index(of: target))
        case .play(let speed):
            clock.change(to: speed, now: now)
            clock.play(at: bench.history.shown?.monotonic ?? 0, now: now)
        case .pause: clock.pause()
        default: break
        }
    }

    private func index(of target: Seek) -> Int {
        let shown = bench.history.shown
        switch target {
        case .time(let time): return samples.lastIndex { $0.monotonic <= time } ?? 0
        case .event(let time): return samples.firstIndex { $0.monotonic >= time } ?? samples.count
        case .wallClock(let time): return samples.lastIndex { $0.wallClock <= time } ?? 0
        case .relative(let seconds):
            let time = Double(shown?.monotonic ?? 0) / 1e9 + seconds
            return samples.lastIndex { Double($0.monotonic) / 1e9 <= time } ?? 0
        case .samples(let count): return (shownIndex ?? 0) + count
        case .start: return 0
        case .end: return samples.count - 1
        }
    }

    /// Lets `seconds` of real time pass, and shows what is due.
    mutating func pass(_ seconds: Double) {
        let end = now + Nanoseconds(seconds * 1e9)
        while true {
            guard let index = shownIndex else { return }
            let next = index + 1 < samples.count ? samples[index + 1] : nil
            let step = clock.step(
                now: now, shown: samples[index].monotonic, next: next?.monotonic,
                usual: 1_000_000_000)
            switch step {
            case .show: show(index + 1)
            case .skip(let gap):
                skipped.append(gap)
                bench.state.replay?.skipped = gap
                show(index + 1)
            case .wait(let wait) where now + wait <= end: now += wait
            case .wait, .atEnd, .paused:
                now = end
                return
            }
        }
    }

    private mutating func show(_ index: Int) {
        if bench.history.countAfter == 0 { bench.history.extend(after: [samples[index]]) }
        bench.history.show(atOrBefore: samples[index].monotonic)
        bench.state.observe(bench.history)
    }
}
