import Grid
import Telemetry

@testable import Screens

/// A recording made up from a seed: two minutes with some of nothing between, a
/// warning, a finding that comes and goes, and a LUN whose cache mode changes and that gets slow.
enum Night {
    static let second: Nanoseconds = 1_000_000_000
    static let count = 120
    /// The first sample after the gap.
    static let afterGap = 60
    static let gap = 100 * second
    /// Samples at which something happens.
    static let warning = 10
    static let finding = 20..<30
    static let change = 90

    static let samples = (0..<count).map(sample)

    private static func sample(_ index: Int) -> Snapshot {
        var sample = Fixture(lunCount: 12).snapshot(index)
        if index >= afterGap {
            sample.monotonic += gap
            sample.wallClock += Int64(gap)
        }
        if index == warning {
            sample.notices = [
                Notice(monotonic: sample.monotonic, severity: .warning, text: "guest1 was reset")
            ]
        }
        if finding.contains(index) {
            sample.findings = [
                Finding(
                    rule: "io-thread-shared", severity: .critical, scope: "thread:io0",
                    title: "an IOThread serves too much", evidence: "", fix: "")
            ]
        }
        if index >= change {
            sample.luns[3].cache = "writeback"
            let mean = sample.luns[3].rates.readLatency?.mean
            sample.luns[3].rates.readLatency?.mean = mean.map { $0 * 3 }
            sample.luns[3].rates.iops = 100
        }
        return sample
    }

    /// What a reader tells of the file.
    static var replay: ReplayState {
        var replay = ReplayState(
            name: "night.vbt", first: Moment(samples[0]), last: Moment(samples[count - 1]))
        replay.marks = [
            mark(warning, .notice, .warning, "guest1 was reset"),
            mark(finding.lowerBound, .finding, .critical, "an IOThread serves too much"),
            mark(finding.upperBound, .finding, .info, "cleared: an IOThread serves too much"),
            mark(40, .note, .info, "before the change"),
            mark(50, .notice, .info, "a balloon moved"),
            mark(change, .change, .info, "vd03 cache: none, then writeback"),
            mark(95, .trigger, .warning, "lat>500us for 3 samples"),
        ].reversed()
        replay.gaps = [samples[afterGap - 1].monotonic...samples[afterGap].monotonic]
        return replay
    }

    /// The two minutes in buckets, as for a file that does not fit into memory.
    static var overview: [TimelineBucket] {
        samples.map { TimelineBucket($0.total, at: $0.monotonic, interval: $0.interval) }
    }

    private static func mark(
        _ index: Int, _ kind: Mark.Kind, _ severity: Finding.Severity, _ text: String
    ) -> Mark {
        Mark(monotonic: samples[index].monotonic, kind: kind, severity: severity, text: text)
    }

    /// The same two minutes without the gap.
    static let dense = samples.prefix(afterGap).map(\.self)

    static func player(at index: Int = 0, size: Size = Size(columns: 80, rows: 24)) -> MemoryPlayer
    {
        var player = MemoryPlayer(samples, size: size, at: index)
        player.bench.state.replay = replay
        player.bench.state.replay?.overview = overview
        return player
    }

    /// Live, all of it in memory.
    static var history: SnapshotHistory {
        var history = SnapshotHistory(seconds: 1e6)
        for sample in samples { history.append(sample) }
        return history
    }
}
