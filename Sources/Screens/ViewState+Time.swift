internal import Grid
internal import Telemetry

/// Going about in time: through the samples in memory, or through a recording by way of its owner.
extension ViewState {
    /// Whether time stands still on the screen.
    func isStill(_ history: SnapshotHistory) -> Bool {
        replay.map { !$0.isPlaying } ?? history.isPaused
    }

    mutating func walk(_ action: Action, _ history: inout SnapshotHistory) -> ViewAction {
        guard replay == nil else { return walkRecording(action, &history) }
        switch action {
        case .pause: if history.isPaused { history.resume() } else { history.pause() }
        case .previousSample, .previousWhenPaused: history.step(by: -1)
        case .nextSample, .nextWhenPaused: history.step(by: 1)
        case .firstSample: history.goToStart()
        default: history.resume()
        }
        return .redraw
    }

    private mutating func walkRecording(
        _ action: Action, _ history: inout SnapshotHistory
    ) -> ViewAction {
        guard let playing = replay?.isPlaying, let speed = replay?.speed else { return .none }
        switch action {
        case .pause:
            replay?.isPlaying = !playing
            return playing ? .pause : .play(speed)
        case .previousSample, .previousWhenPaused: return step(by: -1, &history)
        case .nextSample, .nextWhenPaused: return step(by: 1, &history)
        case .firstSample: return .seek(.start)
        default: return .seek(.end)
        }
    }

    /// A sample on or back, which stops the time; the owner is asked where the window ends.
    private mutating func step(by count: Int, _ history: inout SnapshotHistory) -> ViewAction {
        let wasPlaying = replay?.isPlaying ?? false
        replay?.isPlaying = false
        if count < 0 ? history.countBefore > 0 : history.countAfter > 0 {
            history.step(by: count)
            return wasPlaying ? .pause : .redraw
        }
        guard let shown = history.shown?.monotonic, let replay else { return .redraw }
        if count < 0 ? shown <= replay.first.monotonic : shown >= replay.last.monotonic {
            message = count < 0 ? "the recording begins here" : "the recording ends here"
            return wasPlaying ? .pause : .redraw
        }
        return .seek(.samples(count))
    }

    mutating func changeSpeed(_ action: Action) -> ViewAction {
        guard let speed = replay?.speed else { return .none }
        let next = action == .fasterPlay ? speed.faster : speed.slower
        guard next != speed else { return .none }
        replay?.speed = next
        return replay?.isPlaying == true ? .play(next) : .redraw
    }

    // MARK: Jumps

    mutating func jump(to text: String, _ history: inout SnapshotHistory) -> ViewAction {
        guard let shown = history.shown, let range = timeRange(history) else { return .redraw }
        let (first, last) = (range.first.wallClock, range.last.wallClock)
        let within = first <= last ? first...last : nil
        guard let target = TimeTarget(text, near: shown.wallClock, within: within) else {
            message =
                "`" + text.prefix(20)
                + "` is no time; 22:01, 22:01:30, 2026-01-02 22:01 (UTC), -5m, +30s, 1767323045"
            return .redraw
        }
        switch target {
        case .relative(let seconds):
            if replay != nil { return .seek(.relative(seconds)) }
            history.show(atOrBefore: Self.time(shown.monotonic, plus: seconds))
        case .wallClock(let time):
            // Whoever types minutes need not hit the second.
            let slack: Int64 = 60_000_000_000
            let low = first.subtractingReportingOverflow(slack)
            let high = last.addingReportingOverflow(slack)
            if !low.overflow && time < low.partialValue
                || !high.overflow && time > high.partialValue
            {
                message =
                    "there is nothing of then: from " + clockText(first) + " to "
                    + clockText(last)
                return .redraw
            }
            if replay != nil { return .seek(.wallClock(time)) }
            history.show(wallClock: time)
        }
        return .redraw
    }

    /// The times there are samples of, as far as known.
    private func timeRange(_ history: SnapshotHistory) -> (first: Moment, last: Moment)? {
        replay.map { ($0.first, $0.last) } ?? history.range
    }

    /// `seconds` later than `time`; saturates.
    private static func time(_ time: Nanoseconds, plus seconds: Double) -> Nanoseconds {
        let distance = min((seconds.magnitude * 1e9).rounded(), 1e19)
        let nanoseconds = distance.isFinite ? Nanoseconds(distance) : 0
        if seconds < 0 { return time - min(time, nanoseconds) }
        let (sum, overflow) = time.addingReportingOverflow(nanoseconds)
        return overflow ? .max : sum
    }

    /// Goes to the next or previous event and tells it.
    mutating func goToEvent(forward: Bool, _ history: inout SnapshotHistory) -> ViewAction {
        guard let index = history.shownIndex, let shown = history.shown,
            let timeline = timeline(history)
        else { return .none }
        var events = timeline.events.filter(\.isEvent)
        events += timeline.gaps.map {
            Mark(monotonic: $0.upperBound, kind: .gap, text: "gap of " + gapText($0))
        }
        for (name, mark) in [("A", markA), ("B", markB)] {
            if let time = mark?.start.monotonic {
                events.append(Mark(monotonic: time, kind: .note, text: "mark " + name))
            }
        }
        events.sort { $0.monotonic < $1.monotonic }
        // What the sample shown tells happened since the one before it.
        let since =
            history.moment(index - 1)?.monotonic
            ?? Self.time(shown.monotonic, plus: -(shown.interval ?? 0))
        let event =
            forward
            ? events.first { $0.monotonic > shown.monotonic }
            : events.last { $0.monotonic <= since && $0.monotonic < shown.monotonic }
        guard let event else {
            message = forward ? "no event after this" : "no event before this"
            return .redraw
        }
        message =
            timeText(event.monotonic, timeline) + " " + event.kind.rawValue + ": "
            + event.text
        if replay != nil { return .seek(.event(event.monotonic)) }
        history.show(atOrAfter: event.monotonic)
        return .redraw
    }

    private func gapText(_ gap: ClosedRange<Nanoseconds>) -> String {
        NumberText.clock(Double(gap.upperBound - gap.lowerBound) / 1e9)
    }

    private func timeText(_ time: Nanoseconds, _ timeline: Timeline) -> String {
        clockText(timeline.first.wallClock(at: time))
    }

    // MARK: Marks

    /// A, then B, then A anew.
    mutating func setMark(_ history: SnapshotHistory) {
        guard let shown = history.shown else { return }
        let stretch = MarkedStretch(shown)
        if markA == nil || markB != nil {
            (markA, markB) = (stretch, nil)
            message = "A is at " + clockText(shown.wallClock) + "; m marks B"
        } else {
            markB = stretch
            message = "B is at " + clockText(shown.wallClock) + "; D compares"
        }
        extendMarks(history)
    }

    /// Adds to the marks the samples that followed them, as far as they have come.
    mutating func extendMarks(_ history: SnapshotHistory) {
        markA?.extend(from: history)
        markB?.extend(from: history)
    }

    // MARK: Recording

    mutating func record(_ action: Action) -> ViewAction {
        guard let recorder else {
            message =
                replay == nil
                ? "nothing can be recorded here" : "this is a recording already"
            return .redraw
        }
        if action == .dumpFlightRecorder {
            if case .off = recorder.flightRecorder {
                message = "the flight recorder is off"
                return .redraw
            }
            return .dumpFlightRecorder
        }
        if case .on = recorder.file { return .record(isOn: false) }
        return .record(isOn: true)
    }

    // MARK: Timeline

    /// Moves the cursor by columns, or by tenths of the whole; Enter goes there.
    mutating func moveTimeCursor(
        _ action: Action, _ history: inout SnapshotHistory, _ size: Size
    ) -> ViewAction {
        guard let timeline = timeline(history), let shown = history.shown else { return .none }
        let width = TimelineLayout.graphWidth(size.columns)
        let here = timeCursor ?? shown.monotonic
        let column = timeline.column(of: here, width: width)
        func move(by count: Int) {
            let next = min(max(0, column + count), width - 1)
            if next != column { timeCursor = timeline.time(of: next, width: width) }
        }
        switch action {
        case .cursorLeft: move(by: -1)
        case .cursorRight: move(by: 1)
        case .pageUp: move(by: -max(1, width / 10))
        case .pageDown: move(by: max(1, width / 10))
        case .first: timeCursor = timeline.first.monotonic
        case .last: timeCursor = timeline.last.monotonic
        case .goToCursor:
            timeCursor = nil
            if replay != nil { return .seek(.time(here)) }
            history.show(atOrBefore: here)
        default: return .none
        }
        return .redraw
    }
}

/// `22:01:30Z`
func clockText(_ wallClock: Int64) -> String {
    let time = CalendarTime(wallClock: wallClock)
    return [time.hour, time.minute, time.second].map(NumberText.twoDigits)
        .joined(separator: ":") + "Z"
}

/// `22:01:30.042`
func preciseClockText(_ wallClock: Int64) -> String {
    let milliseconds = (wallClock % 1_000_000_000 + 1_000_000_000) % 1_000_000_000 / 1_000_000
    let digits = String(milliseconds)
    return clockText(wallClock).dropLast() + "."
        + String(repeating: "0", count: 3 - digits.utf8.count) + digits
}
