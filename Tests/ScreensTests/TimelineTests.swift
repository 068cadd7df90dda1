import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Timeline")
struct TimelineTests {
    private let second: Nanoseconds = 1_000_000_000

    private func timeline(_ buckets: [TimelineBucket] = []) -> Timeline {
        Timeline(
            first: Moment(monotonic: 100 * second, wallClock: 0),
            last: Moment(monotonic: 200 * second, wallClock: Int64(100 * second)),
            buckets: buckets, events: [], gaps: [])
    }

    @Test("columns and times belong together at any width", arguments: [1, 2, 3, 7, 80, 199])
    func columns(width: Int) {
        let timeline = timeline()
        for column in 0..<width {
            let time = timeline.time(of: column, width: width)
            #expect(timeline.column(of: time, width: width) == column)
        }
        #expect(timeline.column(of: 0, width: width) == 0)
        #expect(timeline.column(of: .max, width: width) == width - 1)
        #expect(timeline.time(of: .max, width: width) == 200 * second)
        #expect(timeline.time(of: .min, width: width) >= 100 * second)
    }

    @Test("a recording of no length, or of all time, has columns too")
    func extremes() {
        for (first, last) in [(5, 5), (0, UInt64.max), (9, 3), (UInt64.max, .max)] {
            let timeline = Timeline(
                first: Moment(monotonic: first, wallClock: .max),
                last: Moment(monotonic: last, wallClock: .min),
                buckets: [TimelineBucket(start: .max, end: 0)], events: [], gaps: [])
            for column in [0, 1, 79] {
                let time = timeline.time(of: column, width: 80)
                #expect((0..<80).contains(timeline.column(of: time, width: 80)))
            }
            #expect(timeline.values(.iops, width: 80).count == 80)
        }
    }

    @Test("a cell shows the least and the most of the buckets that end in it")
    func values() {
        func bucket(_ start: UInt64, _ end: UInt64, _ low: Double, _ high: Double)
            -> TimelineBucket
        {
            var bucket = TimelineBucket(start: start * second, end: end * second)
            bucket.iops = Extent(low: low, high: high)
            return bucket
        }
        let timeline = timeline([
            bucket(100, 105, 3, 4), bucket(105, 109, 1, 2), bucket(120, 149, 7, 9),
        ])
        let values = timeline.values(.iops, width: 10)
        #expect(values[0] == Extent(low: 1, high: 4))
        #expect(values[1] == nil && values[2] == nil, "nothing is known of then")
        #expect(values[3] == Extent(low: 7, high: 9) && values[4] == values[3])
        #expect(values[5...].allSatisfy { $0 == nil })
        #expect(timeline.values(.p99, width: 10).allSatisfy { $0 == nil })
    }

    @Test("the cursor goes by columns and tenths, Enter goes there, Escape back")
    func cursor() throws {
        var player = Night.player(at: 0)
        player.press(.character("4"), .character("Y"))
        #expect(player.bench.state.screen == .timeline)
        let width = TimelineLayout.graphWidth(80)
        func column() throws -> Int {
            let time = player.bench.state.timeCursor ?? player.bench.history.shown?.monotonic
            return try #require(player.bench.state.timeline(player.bench.history))
                .column(of: time ?? 0, width: width)
        }
        player.press(.right, .right)
        #expect(try column() == 2)
        player.press(.pageDown)
        #expect(try column() == 2 + width / 10)
        player.press(.left)
        #expect(try column() == 1 + width / 10)
        #expect(player.shownIndex == 0, "looking is not going")
        player.press(.enter)
        #expect(player.shownIndex == 28, "the last sample of its cell")
        player.press(.end, .enter)
        #expect(player.shownIndex == Night.count - 1)
        player.press(.home, .pageUp, .left, .enter)
        #expect(player.shownIndex == 0)
        player.press(.escape)
        #expect(player.bench.state.screen == .queues)
    }

    @Test("in a gap nothing is claimed")
    func valuesInGap() {
        var player = Night.player(at: 0, size: Size(columns: 132, rows: 43))
        player.press(.character("0"), .right)
        #expect(!player.bench.text.contains("  IOPS -  p99 -"))
        for _ in 0..<5 { player.press(.pageDown) }
        #expect(player.bench.text.contains("  IOPS -  p99 -"))
    }

    @Test("live, Enter pauses at the sample under the cursor")
    func liveCursor() {
        var bench = Bench(Fixture.standard, size: Size(columns: 80, rows: 24))
        bench.press(.character("0"), .home, .enter)
        #expect(bench.history.shown?.sequence == 1 && bench.history.isPaused)
    }

    @Test("findings, triggers, notices, changes, gaps and marks have a row each")
    func eventRows() throws {
        var player = Night.player(at: 0, size: Size(columns: 132, rows: 43))
        player.press(.character("m"), .character("$"), .character("m"), .character("0"))
        func row(_ title: String) throws -> String {
            let line = try #require(player.bench.lines.first { $0.hasPrefix(" \(title) ") })
            return String(line.dropFirst(18))
        }
        #expect(try row("marks").first == "A")
        #expect(try row("marks").contains("*"))
        #expect(try row("marks").contains("B"))
        #expect(try row("triggers").contains("!"))
        #expect(try row("findings").contains("#"))
        #expect(try row("notices").contains("!"))
        #expect(try row("changes").contains("*"))
        #expect(try row("gaps").contains("-----"))
        #expect(player.bench.text.contains("trigger: lat>500us for 3 samples"))
    }

    @Test("the strip is in the last line but one of every screen from 24 lines on")
    func strip() {
        for key in "12345789KD".map(Key.character) {
            var player = Night.player(at: 30)
            player.press(key)
            #expect(player.bench.lines[22].hasPrefix("03:04:05Z "), "\(key)")
            #expect(player.bench.lines[22].hasSuffix(" 03:07:44Z"), "\(key)")
            player.bench.size.rows = 23
            #expect(!player.bench.text.contains("03:07:44Z"), "\(key)")
        }
    }

    @Test("a file whose own times make no sense is shown by its samples")
    func insane() {
        var player = Night.player(at: 3, size: Size(columns: 80, rows: 24))
        player.bench.state.replay?.first.monotonic = .max
        player.bench.state.replay?.last = Moment(monotonic: 0, wallClock: .min)
        player.bench.state.replay?.gaps = [0...UInt64.max, 5...5]
        player.press(.character("0"), .pageDown, .enter, .character("e"), .character("b"))
        player.type("03:04:06")
        #expect(player.bench.grid.cells.count == 80 * 24)
    }
}
