import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Golden frames of replay and recording")
struct ReplayGoldenTests {
    private static let sizes = Array(GoldenTests.sizes.prefix(3))

    private func check(_ bench: Bench, _ name: String) throws {
        let size = bench.size
        try Golden.check(
            bench.grid, "\(name)-\(size.columns)x\(size.rows)", styles: size.columns == 80)
    }

    @Test("playing at twice the speed", arguments: sizes)
    func playing(size: Size) throws {
        var player = Night.player(at: 20, size: size)
        player.press(.character("}"), .character(" "))
        player.pass(5)
        try check(player.bench, "replay-playing")
    }

    @Test("paused, with marks, a damaged file and a message", arguments: sizes)
    func paused(size: Size) throws {
        var player = Night.player(at: 20, size: size)
        player.bench.state.replay?.damaged = 1
        player.press(.character("m"), .character("$"), .character("m"), .character("E"))
        try check(player.bench, "replay-paused")
    }

    @Test("the timeline, its cursor away from the sample shown", arguments: sizes)
    func timeline(size: Size) throws {
        var player = Night.player(at: 20, size: size)
        player.press(.character("m"), .character("$"), .character("m"), .character("^"))
        player.press(.character("0"), .pageDown, .pageDown, .pageDown)
        try check(player.bench, "replay-timeline")
    }

    @Test("the timeline of the samples in memory", arguments: sizes)
    func liveTimeline(size: Size) throws {
        var bench = Bench(LiveFixture.standard, size: size)
        bench.press(.character("0"))
        try check(bench, "live-timeline")
    }

    @Test("A compared with B", arguments: sizes)
    func compare(size: Size) throws {
        var player = Night.player(at: 70, size: size)
        player.press(.character("m"), .character("b"))
        player.type("+30s")
        player.press(.character("m"), .character("D"))
        try check(player.bench, "replay-compare")
    }

    @Test("recording, and a flight recorder in wait", arguments: sizes)
    func recording(size: Size) throws {
        var bench = Bench(Fixture.standard, size: size)
        bench.state.recorder = RecorderState(
            file: .on(bytes: 12_900_000), flightRecorder: .armed(seconds: 30))
        try check(bench, "recording")
    }

    @Test("the help of a replay", arguments: sizes)
    func help(size: Size) throws {
        var player = Night.player(at: 20, size: size)
        player.press(.function(1), .pageDown)
        try check(player.bench, "replay-help")
    }

    @Test("ASCII shows nothing else", arguments: sizes)
    func ascii(size: Size) {
        for key in "15780DK".map(Key.character) {
            var player = Night.player(at: 20, size: size)
            player.bench.options = DisplayOptions(symbols: .ascii)
            player.bench.state.replay?.speed = PlaySpeed.all[0]
            player.press(.character("m"), .character("$"), .character("m"), key, .character(" "))
            #expect(player.bench.grid.cells.allSatisfy { $0.scalar.isASCII })
        }
    }

    @Test(
        "any keys, any size, any file: nothing traps, no control character gets out",
        arguments: 0..<24)
    func walk(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let samples = seed % 3 == 0 ? Array(Night.samples.prefix(70)) : Self.odd(&random)
        var player = MemoryPlayer(samples, at: Int(random.next() % 50))
        player.reach = Int(random.next() % 6)
        if seed % 2 == 0 { player.bench.state.replay?.overview = Night.overview }
        player.bench.state.replay?.name = "\u{1B}[2Jnight磁"
        player.bench.state.replay?.marks =
            Night.replay.marks + [
                Mark(monotonic: .max, kind: .gap, severity: .critical, text: "\u{1B}]0;x\u{7}")
            ]
        player.bench.state.replay?.gaps = [0...UInt64.max, 7...7]
        if seed % 5 == 0 { player.bench.state.replay?.last.monotonic = .max }
        for step in 0..<80 {
            player.bench.size = Size(
                columns: Int.random(in: 0...240, using: &random),
                rows: Int.random(in: 0...80, using: &random))
            player.press(PropertyTests.keys.randomElement(using: &random) ?? .enter)
            player.pass(Double(random.next() % 40) / 10)
            let grid = player.bench.grid
            #expect(grid.size == player.bench.size, "seed \(seed) step \(step)")
            let unsafe = grid.cells.first { $0.scalar.isTerminalControl && $0.scalar != "\0" }
            #expect(unsafe == nil, "seed \(seed) step \(step)")
        }
    }

    /// Samples of which times and LUNs jump about.
    private static func odd(_ random: inout SeededGenerator) -> [Snapshot] {
        (0..<20).map { index in
            var sample = LiveFixture(lunCount: Int(random.next() % 9)).snapshot(index)
            switch random.next() % 6 {
            case 0: sample.interval = [nil, .nan, -1, 1e300][Int(random.next() % 4)]
            case 1: sample.wallClock = [.min, .max][Int(random.next() % 2)]
            case 2: sample.total.iops = [.nan, .infinity, -5][Int(random.next() % 3)]
            default: break
            }
            return sample
        }
    }

    @Test("the smallest screens", arguments: [1, 2, 3, 5, 9, 13, 24], [1, 2, 3, 8, 21, 41])
    func small(rows: Int, columns: Int) {
        for key in "10D5".map(Key.character) {
            var player = Night.player(at: 20, size: Size(columns: columns, rows: rows))
            player.press(.character("m"), .character("$"), .character("m"), key, .pageDown, .right)
            #expect(player.bench.grid.cells.count == rows * columns)
        }
    }
}
