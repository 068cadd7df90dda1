import ArgumentParser
import Recording
import Screens
import Telemetry

/// Which part of a recording is meant.
struct RangeOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "From this time on: 22:01, '2026-01-02 22:01' (UTC), -5m from the end, or epoch.",
            valueName: "time"))
    var from: String?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("Up to this time, likewise.", valueName: "time")
    )
    var to: String?

    /// The times meant, on the axis of `recording`.
    func range(
        in recording: RecordedSession
    ) throws -> (from: Nanoseconds?, to: Nanoseconds?) {
        let (from, to) = (try time(from, in: recording), try time(to, in: recording))
        if let from, let to, from > to { throw Failure("--from lies after --to") }
        return (from, to)
    }

    private func time(_ text: String?, in recording: RecordedSession) throws -> Nanoseconds? {
        guard let text else { return nil }
        return try axisTime(text, in: recording)
    }
}

/// The time on the axis of `recording` that `text` says; relative times count from its end.
func axisTime(_ text: String, in recording: RecordedSession) throws -> Nanoseconds {
    guard let range = recording.range else { throw Failure("there is nothing in the recording") }
    let offset = recording.wallClockOffset ?? 0
    func wall(_ time: Nanoseconds) -> Int64 {
        offset.addingReportingOverflow(Int64(clamping: time)).partialValue
    }
    let (first, last) = (wall(range.lowerBound), wall(range.upperBound))
    guard let target = TimeTarget(text, near: last, within: min(first, last)...max(first, last))
    else {
        throw Failure(
            "`\(text)` is no time; say 22:01, 22:01:30, '2026-01-02 22:01' (UTC), -5m, or epoch "
                + "seconds")
    }
    switch target {
    case .wallClock(let wall): return recording.time(ofWall: wall) ?? 0
    case .relative(let seconds):
        let distance = Nanoseconds(min(abs(seconds) * 1e9, 1e18))
        return seconds < 0
            ? range.upperBound - min(range.upperBound, distance)
            : range.upperBound.addingReportingOverflow(distance).partialValue
    }
}
