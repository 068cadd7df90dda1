import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Heat map")
struct HeatTests {
    private typealias Beat = (time: Nanoseconds, interval: Double?)

    /// Samples at these seconds, given the newest first, each as long as a second.
    private func axis(_ seconds: [Double], count: Int) -> (HeatAxis, [Beat]) {
        let beats: [Beat] = seconds.map { (Nanoseconds(($0 + 1000) * 1e9), 1) }
        return (HeatAxis(beats, count: count), beats)
    }

    @Test("a sample a column, the newest at the right")
    func plain() {
        let (axis, beats) = axis([3, 2, 1, 0], count: 6)
        #expect(axis.laidOut([4, 3, nil, 1], of: beats) == [nil, nil, 1, nil, 3, 4])
        #expect(axis.gaps.isEmpty)
        #expect(axis.time(of: 5) == 1_003_000_000_000 && axis.time(of: 0) == 998_000_000_000)
    }

    @Test("samples that come a little early or late leave no hole and fall on no other")
    func jitter() {
        let (axis, beats) = axis([9.3, 8.4, 7.1, 6.3, 5.45, 4.2], count: 7)
        #expect(axis.laidOut([6, 5, 4, 3, 2, 1], of: beats) == [nil, 1, 2, 3, 4, 5, 6])
        #expect(axis.gaps.isEmpty)
    }

    @Test("time without samples is a hole, of its own length")
    func gap() {
        let (axis, beats) = axis([9, 8, 4, 3], count: 10)
        let cells = axis.laidOut([1, 2, 3, 4], of: beats)
        #expect(cells == [nil, nil, nil, 4, 3, nil, nil, nil, 2, 1])
        #expect(axis.gaps == [5..<8])
    }

    @Test("a longer interval takes more columns, shorter ones share one: the largest counts")
    func intervals() {
        let beats: [Beat] = [
            (20_000_000_000, 1), (19_000_000_000, 1), (18_000_000_000, 1), (17_000_000_000, 4),
            (13_000_000_000, 0.25), (12_750_000_000, 0.25), (12_600_000_000, 0.25),
        ]
        let axis = HeatAxis(beats, count: 9)
        #expect(axis.step == 1e9)
        let cells = axis.laidOut([1, 1, 1, 4, 5, 9, 6], of: beats)
        #expect(cells == [nil, 9, 4, 4, 4, 4, 1, 1, 1])
    }

    @Test("a value has a density at every size, a larger one never a paler one")
    func scale() {
        for symbols in [Symbols.unicode.densities, Symbols.ascii.densities] {
            for highest in [1e-9, 0.3, 1, 7, 1e6, 1e300, .infinity, 0, -1] {
                let scale = HeatScale(upTo: highest, symbols)
                let ranks = (0...40).map { step in
                    symbols.firstIndex(of: scale.symbol(highest * Double(step + 1) / 41)) ?? -1
                }
                if highest > 0, highest.isFinite {
                    #expect(ranks == ranks.sorted() && ranks.last == symbols.count - 1)
                }
                #expect(scale.levels.count == symbols.count && scale.levels[0].from == 0)
            }
            // Where a level begins the symbol changes, as the legend says.
            let scale = HeatScale(upTo: 1000, symbols)
            for level in scale.levels.dropFirst() {
                #expect(scale.symbol(level.from) == level.symbol)
                #expect(scale.symbol(level.from * 0.99) != level.symbol)
            }
        }
    }

    private var bench: Bench { Bench(RingFixture.standard, size: Size(columns: 80, rows: 24)) }

    /// The cells of the row of `name`, the names left out.
    private func cells(_ bench: Bench, _ name: String) -> String {
        let line = bench.lines.first { $0.dropFirst(2).hasPrefix(name + " ") } ?? ""
        return String(line.dropFirst(7).prefix(65))
    }

    @Test("the outage is blank in every row and marked on the axis")
    func outage() {
        var bench = bench
        bench.press(.character("6"))
        // Samples 39…22 and 17…0: 18 cells from the right, then 4 without samples.
        let row = Array(cells(bench, "vd08"))
        #expect(row.count == 65)
        #expect(row[43..<47].allSatisfy { $0 == " " })
        #expect(row[47...].allSatisfy { $0 != " " } && row[30..<43].allSatisfy { $0 != " " })
        #expect(bench.lines.contains { $0.contains("   ----") })
    }

    @Test("a gap under a time is a gap, and no time with a hole")
    func gapAndTime() {
        let history = RingFixture(lunCount: 4, samples: 26, outage: 18..<22).history
        var bench = Bench(history, size: Size(columns: 80, rows: 24))
        bench.press(.character("6"))
        let axis = bench.lines[21]
        #expect(axis.contains("   ----    ") && !axis.contains("03:04:30Z"), "\(axis)")
        #expect(axis.contains("03:03:26Z"))
    }

    @Test("paused and stepped back it shows what it showed live")
    func paused() {
        let fixture = RingFixture()
        var live = Bench(SnapshotHistory(), size: Size(columns: 100, rows: 30))
        var frames: [[String]] = []
        for form in 0..<2 {
            live.history = SnapshotHistory()
            frames = []
            for index in 0..<16 {
                live.arrive(fixture.snapshot(index))
                live.state = ViewState()
                live.state.observe(live.history)
                live.press(.character("6"))
                if form == 1 { live.press(.tab) }
                frames.append(live.body)
            }
            for frame in frames.reversed() {
                #expect(live.body == frame)
                live.history.step(by: -1)
                live.state = ViewState()
                live.state.observe(live.history)
                live.press(.character("6"))
                if form == 1 { live.press(.tab) }
            }
        }
    }

    @Test("after a jump in a recording it shows what came before the sample jumped to")
    func replay() {
        let samples = (0..<40).map { RingFixture().snapshot($0) }
        var player = MemoryPlayer(samples, at: 30)
        player.press(.character("6"))
        // A window of 8 before it, and the sample itself; the recording before that is not loaded.
        let row = cells(player.bench, "vd08").filter { $0 != " " }
        #expect(row.count == 9)
        player.press(.character("]"))
        #expect(cells(player.bench, "vd08").filter { $0 != " " }.count == 10)
    }

    @Test("the sorted column is what is shown; rows are the table's, its selection too")
    func metric() {
        var bench = bench
        bench.press(.character("1"), .down, .down)
        let selected = bench.state.luns.selectedKey
        bench.press(.character("6"))
        #expect(bench.text.contains("p99 of each LUN"))
        #expect(bench.lines.contains { $0.hasPrefix(">") && $0.contains(selected ?? "?") })
        bench.press(.character("P"))
        #expect(bench.text.contains("IOPS of each LUN") && bench.text.contains("/s"))
        bench.press(.function(6))
        bench.type("ACTV")
        #expect(bench.text.contains("depth of each LUN"))
        bench.press(.function(6))
        bench.type("IOT")
        #expect(bench.text.contains("p99 of each LUN"), "a text has no heat")
        bench.press(.down, .character("1"))
        #expect(bench.state.luns.selected == 3)
    }

    @Test("Tab shows the latencies of the selected, the tagged or all LUNs")
    func latencies() {
        var bench = bench
        bench.press(.character("6"), .tab)
        #expect(bench.text.contains("requests of vd08 by latency"))
        bench.press(.down)
        #expect(!bench.text.contains("requests of vd08"))
        bench.press(.character("a"))
        #expect(bench.text.contains("requests of 24 LUNs"))
        bench.press(.character("a"))
        #expect(bench.text.contains("requests of vd") && !bench.text.contains("requests of 24"))
        bench.press(.insert, .insert)
        #expect(bench.text.contains("requests of 2 LUNs"))
        bench.press(.tab)
        #expect(bench.text.contains("of each LUN"))
    }

    @Test("all requests of a sample are in its column, whatever the lines")
    func bands() throws {
        let shown = try #require(RingFixture.standard.shown)
        let histogram = PowerHistogram(
            reads: .sum(shown.luns.compactMap(\.readLatencies)), writes: LatencyHistogram())
        for lines in 1...12 {
            let bands = HeatBands([nil, histogram], lines: lines)
            let sum = bands.bounds.reduce(0) { $0 + bands.count(histogram, $1) }
            #expect(sum == Double(histogram.count) && bands.bounds.count <= lines)
        }
    }

    @Test("requests that were over too soon to tell have a line of their own, below all others")
    func untold() {
        let latencies = LatencyHistogram(
            buckets: [
                .init(index: UInt16(LatencyBuckets.untold), count: 95),
                .init(index: UInt16(LatencyBuckets.index(of: 3_000_000)), count: 4),
                .init(index: UInt16(LatencyBuckets.index(of: 900_000)), count: 1),
            ].sorted { $0.index < $1.index }, sum: 14_000_000)
        let histogram = PowerHistogram(reads: latencies, writes: LatencyHistogram())
        #expect(histogram.buckets.map(\.upperBound) == [0, 1024, 2048, 4096])
        #expect(histogram.buckets.map(\.count) == [95, 1, 0, 4])
        for lines in 2...6 {
            let bands = HeatBands([histogram], lines: lines)
            #expect(bands.bounds.first == 4096 && bands.bounds.last == 0)
            #expect(bands.count(histogram, 0) == 95)
            let sum = bands.bounds.reduce(0) { $0 + bands.count(histogram, $1) }
            #expect(sum == 100 && bands.bounds.count <= lines)
        }
    }

    @Test("what is bad is told by marks and in the legend, not by colour alone")
    func severity() {
        var bench = bench
        bench.press(.character("6"))
        #expect(bench.lines.contains { $0.hasPrefix(">#vd08") })
        bench.size = Size(columns: 132, rows: 43)
        #expect(bench.text.contains("! 10ms  # 40ms"))
    }
}
