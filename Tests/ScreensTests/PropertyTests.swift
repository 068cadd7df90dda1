import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Any state, any keys, any size")
struct PropertyTests {
    static let keys: [Key] =
        Keymap.bindings.flatMap(\.keys)
        + "vd07p99>2ms~^[a-(|)*\\1.5 \u{1B}磁".map(Key.character)
        + [
            .enter, .escape, .tab, .backTab, .backspace, .delete, .control("u"), .function(5),
            .mouse(row: 8, column: 3, wheel: 0), .mouse(row: -1, column: 900, wheel: -1),
            .mouse(row: 20, column: 3, wheel: 1), .enter, .escape,
        ]

    /// Every sequence draws, and every cell of every frame is safe to print.
    @Test("nothing traps, no control character gets out", arguments: 0..<44)
    func walk(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let sources = [
            Fixture.standard, Fixture.hostile, Fixture.unavailable, SnapshotHistory(),
            Fixture(lunCount: 0, samples: 2).history, LiveFixture.standard, LiveFixture.hostile,
            LiveFixture(lunCount: 3, samples: 2, vmCount: 1).history, RingFixture.standard,
            RingFixture.hostile, RingFixture.unavailable,
        ]
        var bench = Bench(
            sources[seed % sources.count], size: Size(columns: 80, rows: 24),
            options: DisplayOptions(symbols: seed % 2 == 0 ? .unicode : .ascii))
        for step in 0..<60 {
            bench.size = Size(
                columns: Int.random(in: 0...300, using: &random),
                rows: Int.random(in: 0...100, using: &random))
            let key = Self.keys.randomElement(using: &random) ?? .enter
            bench.press(key)
            if step % 7 == 0 { bench.arrive(Fixture(lunCount: step % 9).snapshot(step)) }
            if step % 13 == 0 { bench.arrive(RingFixture(lunCount: 9).snapshot(step)) }
            if step % 11 == 0 { bench.arrive(LiveFixture(lunCount: step % 9).snapshot(step)) }
            let grid = bench.grid
            #expect(grid.size == bench.size, "seed \(seed) step \(step) key \(key)")
            let unsafe = grid.cells.first { $0.scalar.isTerminalControl && $0.scalar != "\0" }
            #expect(unsafe == nil, "seed \(seed) step \(step) key \(key)")
        }
    }

    @Test("the smallest screens", arguments: [0, 1, 2, 3, 5, 9, 13], [0, 1, 2, 3, 8, 21, 41])
    func small(rows: Int, columns: Int) {
        for screen in GoldenTests.screens + GoldenTests.liveScreens {
            var bench = Bench(LiveFixture.standard, size: Size(columns: columns, rows: rows))
            bench.press(screen.key)
            #expect(bench.grid.cells.count == rows * columns)
            bench.press(.down, .end, .character("/"), .character("x"))
            #expect(bench.grid.cells.count == rows * columns)
        }
        for history in [RingFixture.standard, RingFixture.hostile] {
            for screen in GoldenTests.ringScreens {
                var bench = Bench(history, size: Size(columns: columns, rows: rows))
                for key in screen.keys + [.down, .end, .character("=")] {
                    bench.press(key)
                    #expect(bench.grid.cells.count == rows * columns)
                }
            }
        }
    }

    @Test("40x10 still names the worst LUNs")
    func tiny() {
        let bench = Bench(Fixture.standard, size: Size(columns: 40, rows: 10))
        #expect(bench.lines.contains { $0.contains("vd08") && $0.hasPrefix(">#") })
    }

    @Test(
        "ASCII mode shows nothing else", arguments: GoldenTests.sizes,
        GoldenTests.screens + GoldenTests.liveScreens)
    func ascii(size: Size, screen: (key: Key, name: String)) {
        for history in [
            Fixture.standard, Fixture.unavailable, Fixture(samples: 1).history,
            LiveFixture.standard,
        ] {
            var bench = Bench(history, size: size, options: DisplayOptions(symbols: .ascii))
            bench.press(screen.key)
            #expect(bench.grid.cells.allSatisfy { $0.scalar.isASCII })
        }
    }

    @Test("rows and others add up to the total", arguments: [10, 24, 43], [40, 80, 132])
    func addsUp(rows: Int, columns: Int) throws {
        var bench = Bench(Fixture.standard, size: Size(columns: columns, rows: rows))
        for key: Key in [.down, .character("z"), .pageDown, .character("I")] {
            bench.press(key)
            let header = try #require(bench.lines.first { $0.contains("  LUN ") })
            let titles = header.split(separator: "IOPS", maxSplits: 1)
            let column = try #require(titles.first).count + 4
            let table = bench.lines.drop { $0 != header }.dropFirst()
            let sum = table.reduce(0.0) { sum, line in
                let word = line.prefix(column).split(separator: " ").last
                return sum + (word.flatMap { Double($0) } ?? 0)
            }
            let total = try #require(bench.history.shown?.total.iops)
            // Each row shown is rounded to 1.
            #expect(abs(sum - total) <= Double(rows) / 2 + 1, "after \(key)")
        }
    }

    @Test("severity is a character too: in mono the worst rows still stand out")
    func mono() {
        let bench = Bench(Fixture.standard, size: Size(columns: 80, rows: 24))
        let grid = bench.grid
        let critical = (0..<24).filter { row in
            (0..<80).contains { grid[row, $0].style.role == .critical }
        }
        #expect(!critical.isEmpty)
        for row in critical { #expect(grid.text(row: row).contains { $0 == "#" || $0 == "!" }) }
        let roles: [Role] = [.advice, .warning, .critical]
        let looks = Set(roles.map { Theme.mono.palette.appearance(of: Style($0)) })
        #expect(looks.count == roles.count)
        #expect(!looks.contains(Theme.mono.palette.appearance(of: .normal)))
    }
}
