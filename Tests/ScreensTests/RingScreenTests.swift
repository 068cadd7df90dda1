import Grid
import Telemetry
import Testing

@testable import Screens

/// The screens that tell of rings and of single requests, and how their keys are spelled.
extension GoldenTests {
    static let ringScreens: [(keys: [Key], name: String)] = [
        ([.character("4")], "queues"), ([.character("5"), .character("a")], "latency"),
        ([.character("6")], "heat"),
        ([.character("H"), .tab, .character("a")], "heat-latencies"),
        ([.character("O")], "slowest"), ([.character("X")], "stalls"),
    ]
}

@Suite("Golden frames of rings")
struct RingGoldenTests {
    @Test(
        "every screen at every size", arguments: GoldenTests.sizes, GoldenTests.ringScreens)
    func screen(size: Size, screen: (keys: [Key], name: String)) throws {
        var bench = Bench(RingFixture.standard, size: size)
        for key in screen.keys { bench.press(key) }
        try Golden.check(
            bench.grid, "ring-\(screen.name)-\(size.columns)x\(size.rows)",
            styles: size.columns == 80)
    }

    @Test("nothing to be had: every screen says why", arguments: GoldenTests.ringScreens)
    func unavailable(screen: (keys: [Key], name: String)) throws {
        var bench = Bench(RingFixture.unavailable, size: GoldenTests.sizes[0])
        for key in screen.keys { bench.press(key) }
        try Golden.check(bench.grid, "ring-unavailable-\(screen.name)-80x24")
    }

    @Test("ASCII", arguments: GoldenTests.ringScreens)
    func ascii(screen: (keys: [Key], name: String)) throws {
        var bench = Bench(
            RingFixture.standard, size: GoldenTests.sizes[0],
            options: DisplayOptions(symbols: .ascii))
        for key in screen.keys { bench.press(key) }
        #expect(bench.grid.cells.allSatisfy { $0.scalar.isASCII })
        if screen.name.hasPrefix("heat") {
            try Golden.check(bench.grid, "ring-ascii-\(screen.name)-80x24")
        }
    }

    @Test("a thousand LUNs")
    func thousand() throws {
        var bench = Bench(
            RingFixture(lunCount: 1024, samples: 6, outage: 3..<4).history,
            size: GoldenTests.sizes[1])
        bench.press(.character("6"), .pageDown)
        try Golden.check(bench.grid, "ring-heat-1024-132x43")
    }
}

@Suite("Rings and single requests on the screen")
struct RingScreenTests {
    private func bench(
        _ history: SnapshotHistory = RingFixture.standard, columns: Int = 200, rows: Int = 50
    ) -> Bench { Bench(history, size: Size(columns: columns, rows: rows)) }

    @Test("each promised key opens its screen")
    func keys() {
        let keys: [(Key, Screen)] = [
            (.character("4"), .queues), (.character("5"), .latency), (.character("L"), .latency),
            (.character("6"), .heat), (.character("H"), .heat), (.character("O"), .slowest),
            (.character("X"), .stalls),
        ]
        var bench = bench()
        for (key, screen) in keys {
            bench.press(.character("1"), key)
            #expect(bench.state.screen == screen, "\(key)")
        }
    }

    @Test("where a request is stuck is told in words, for each place")
    func places() {
        var bench = bench()
        bench.press(.character("X"))
        for place in InFlightRequest.Place.allCases {
            #expect(bench.text.contains(place.words), "\(place)")
        }
        bench.size = Size(columns: 80, rows: 24)
        #expect(
            bench.text.contains(
                "IOThread or lost kick: published, not popped (stopped, starved, dead)"))
    }

    @Test("a stall is judged by its age: 100 ms and 1 s")
    func severities() {
        let thresholds = Thresholds()
        #expect(thresholds.severity(99_999, of: .oldest) < .warning)
        #expect(thresholds.severity(100_000, of: .oldest) == .warning)
        #expect(thresholds.severity(999_999, of: .oldest) == .warning)
        #expect(thresholds.severity(1_000_000, of: .oldest) == .critical)
        var bench = bench(columns: 80, rows: 24)
        #expect(bench.text.contains("# oldest 9.30s"))
        #expect(bench.lines.contains { $0.hasPrefix(" #vd00") || $0.hasPrefix(">#vd00") })
        bench.press(.character("X"))
        #expect(bench.lines.contains { $0.hasPrefix(">#vd00") && $0.contains("9300") })
        bench.size = Size(columns: 40, rows: 10)
        #expect(bench.text.contains("# oldest 9.30s"))
        #expect(bench.lines.contains { $0.hasPrefix(">#vd00") && $0.contains("9300") })
    }

    @Test(
        "filters",
        arguments: [
            ("X", "ring", 5), ("X", "age>1", 7), ("X", "age>=1s", 2), ("X", "write vd00", 1),
            ("X", "used", 2), ("O", "lat>1s", 1), ("O", "?", 31), ("O", "ioerr lat>2ms", 27),
            ("4", "reap>3", 4), ("4", "cmp/s>10k", 1), ("6", "vd1", 10), ("6", "p99>20ms", 1),
        ])
    func filters(screen: Character, text: String, count: Int) {
        var bench = bench()
        bench.press(.character(screen), .function(4))
        bench.type(text)
        #expect(bench.state.message == nil)
        #expect(bench.state.table.visible.count == count, "\(bench.state.table.visible.count)")
    }

    @Test("the slowest requests are those of all samples up to the one shown, the worst first")
    func slowest() throws {
        var bench = bench()
        bench.press(.character("O"))
        #expect(bench.state.table.visible.count == 35 * 6)
        let first = try #require(bench.lines.first { $0.hasPrefix(">") })
        #expect(first.contains("03:04:30.000") && first.contains("1234000"))
        #expect(first.hasPrefix(">#"))
        // The one of 1.2 s is of sample 25: before that it is not there.
        for _ in 0..<15 { bench.press(.character("[")) }
        #expect(bench.history.shown?.sequence == 25)
        #expect(!bench.text.contains("1234000"))
        bench.press(.character("]"))
        #expect(bench.text.contains("1234000"))
        bench.press(.character("$"), .character("1"), .character("l"), .character("O"))
        #expect(bench.state.table.visible.count < 20, "only the LUN it is locked to")
    }

    @Test("of many slow requests the slowest are kept")
    func manySlow() throws {
        var history = SnapshotHistory()
        for index in 1..<400 { history.append(RingFixture(lunCount: 6).snapshot(index)) }
        let all = (0..<history.count).compactMap { history.sample($0)?.slowest }.joined()
            .map { $0.request.latency ?? 0 }.sorted(by: >)
        let kept = try #require(history.shown(on: .slowest)?.slowest)
        #expect(kept.map { $0.request.latency ?? 0 } == Array(all.prefix(256)))
        #expect(history.shown(on: .luns)?.slowest.count == 6)
    }

    @Test("a stage says how its number came about, a sum no more than its weakest part")
    func qualities() {
        var bench = bench()
        bench.press(.character("5"))
        func letter(_ stage: String) -> Character? {
            let line = bench.lines.first { $0.contains(stage + " ") }
            return line?.split(separator: " ").first { $0.count == 1 && "mde-".contains($0) }?.first
        }
        #expect(letter("ring wait") == "d")
        #expect(letter("device") == "e")
        bench.press(.character("a"))
        #expect(letter("interrupt") == "d", "measured of some only")
        #expect(bench.text.contains("±"))
        bench.press(.character("U"))
        #expect(bench.text.contains("ms ±0.0"))
    }

    @Test("the latency screen lists the slowest of the interval, of the LUNs chosen only")
    func outliers() {
        var bench = bench()
        bench.press(.character("5"))
        #expect(!bench.text.contains("slowest of the interval"), "none is of vd08")
        bench.press(.character("a"))
        let start = bench.lines.firstIndex { $0.contains("slowest of the interval") } ?? 0
        #expect(start > 0)
        #expect(bench.lines[start + 2].contains(" 03:04:44.000 vd15 "))
        bench.size = Size(columns: 40, rows: 10)
        #expect(bench.text.contains("p99"))
    }

    @Test("what `=` says names value, meaning and source")
    func explain() {
        var bench = bench()
        bench.press(.character("4"), .function(6))
        bench.type("reap")
        bench.press(.character("="))
        #expect(bench.lines.last?.hasPrefix("reap 4: completed by the device and not") == true)
        #expect(bench.lines.last?.contains("; from ") == true)
        bench.press(.character("X"), .character("="))
        #expect(bench.lines.last?.hasPrefix("age 9300 ms: time since") == true)
        bench.press(.down)
        #expect(bench.lines.last?.hasPrefix("age") == false)
    }

    @Test("the oldest age is where a stall is, on every screen", arguments: GoldenTests.ringScreens)
    func oldest(screen: (keys: [Key], name: String)) {
        var bench = bench(columns: 80, rows: 24)
        for key in screen.keys { bench.press(key) }
        #expect(bench.text.contains("# oldest 9.30s"))
    }

    @Test("sector and size are told as they are, in the table and in the filter")
    func sizes() {
        var bench = bench()
        bench.press(.character("X"))
        #expect(bench.lines.contains { $0.contains("vd05") && $0.contains(" 5000000   64.0 ") })
        bench.press(.character("\\"))
        bench.type("KiB=64 sector>4M")
        #expect(bench.state.table.visible.count == 3)
    }

    @Test("no request under way is no lack; some that are not told are said to be there")
    func none() {
        var sample = RingFixture().snapshot(3)
        var history = SnapshotHistory()
        history.append(sample)
        var bench = bench(history)
        bench.press(.character("X"))
        #expect(bench.text.contains("which this source does not tell one by one"))
        sample.total.oldestInFlight = nil
        sample.total.queueDepth = QueueDepth(now: 0, mean: 0)
        sample.monotonic += 1_000_000_000
        bench.arrive(sample)
        #expect(bench.text.contains("no request is under way"))
        bench.press(.character("O"))
        #expect(bench.state.table.visible.count == 12)
    }
}
