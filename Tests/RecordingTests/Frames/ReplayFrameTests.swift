import DataPlane
import Demo
import Grid
import Kernel
import Screens
import Telemetry
import Testing

@testable import Recording

/// A recording is looked at on the same screens as the live source was: what they show is the same,
/// cell by cell.
@Suite struct ReplayFrameTests {
    private static let sizes = [
        Size(columns: 80, rows: 24), Size(columns: 132, rows: 43), Size(columns: 200, rows: 50),
    ]
    /// Every screen, and some choices of a user on the way.
    private static let keys: [Key] =
        ["1", "2", "3", "4", "5", "a", "7", "8", "K", "0", "?", "1"].map { .character($0) }
        + [.down, .insert, .enter, .tab, .escape]
        + ["m", "D", "1", "U", ">", "W"].map { .character($0) }

    /// `samples` after their way through a file.
    private func recorded(_ samples: [Snapshot]) throws -> [Snapshot] {
        let folder = try Folder()
        let path = folder.path + "/a.vbt"
        let start = try #require(samples.first)
        var policy = SegmentPolicy()
        policy.bytesLeftFree = 0
        var composer = try RecordingComposer(
            path: path, info: someInfo(), start: start.monotonic,
            origin: start.wallClock &- Int64(truncatingIfNeeded: start.monotonic), policy: policy)
        for sample in samples { try composer.take(sample) }
        try composer.finish()
        let session = try RecordedSession(paths: [path])
        #expect(session.damage == [])
        #expect(session.sampleCount == samples.count)
        return try session.samples(0..<session.sampleCount)
    }

    /// Presses every key on a live history of `samples` and on one of what was recorded of them.
    private func expectSameFrames(_ samples: [Snapshot]) throws {
        let read = try recorded(samples)
        var (live, replayed) = (SnapshotHistory(), SnapshotHistory())
        for sample in samples { live.append(sample) }
        replayed.replace(window: read, showing: 0)
        #expect(live.count == replayed.count)
        let steps = stride(from: 0, to: samples.count, by: max(1, samples.count / 2))
        for index in [samples.count - 1] + steps {
            live.show(atOrBefore: samples[index].monotonic)
            replayed.show(atOrBefore: samples[index].monotonic)
            var state = ViewState()
            state.observe(live)
            var other = state
            for (number, key) in Self.keys.enumerated() {
                _ = state.handle(key, history: &live, size: Self.sizes[1])
                _ = other.handle(key, history: &replayed, size: Self.sizes[1])
                for size in Self.sizes {
                    let frames = (
                        render(live, state, size: size), render(replayed, other, size: size)
                    )
                    #expect(
                        frames.0 == frames.1,
                        "sample \(index), key \(number), \(size.columns)x\(size.rows)")
                }
            }
        }
    }

    @Test func aSteadyLoad() throws {
        try expectSameFrames(Steady(lunCount: 12).samples(24))
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func anythingThatASampleCanHold(seed: UInt64) throws {
        var random = RandomSamples(seed: seed, isHarmless: true)
        var sample = random.snapshot(lunCount: 9)
        var samples: [Snapshot] = []
        for number: UInt64 in 1...9 {
            // Time goes on, and no sample ages out.
            sample.monotonic = number * second + UInt64(random.random.below(1000))
            sample.sequence = number
            samples.append(sample)
            sample = random.next(after: sample)
        }
        try expectSameFrames(samples)
    }

    @Test func theDemo() throws {
        var configuration = DemoConfiguration()
        configuration.backend = .memory
        configuration.luns = 6
        configuration.lunBytes = 1 << 20
        configuration.scenario = .ringFull
        var source = try DemoSource(configuration, ownThreads: [])
        defer { source.stop() }
        var samples = [source.sample()]
        while samples.count < 6 {
            let sample = source.sample()
            if sample.total.iops ?? 0 > 0 { samples.append(sample) } else { yieldProcessor() }
        }
        try expectSameFrames(samples)
    }
}
