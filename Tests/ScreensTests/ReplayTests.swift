import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Replay")
struct ReplayTests {
    private static let screens: [Key] = "1234578K".map(Key.character)

    @Test("playing gives the frames that live gave, cell by cell, below the first line")
    func sameFrames() {
        let samples = (0..<7).map { Fixture().snapshot($0) }
        for key in Self.screens {
            for size in [Size(columns: 80, rows: 20), Size(columns: 200, rows: 50)] {
                var live = Bench(SnapshotHistory(), size: size)
                var player = MemoryPlayer(samples, size: size)
                // The strip takes a line.
                if size.rows >= 24 { player.bench.size.rows += 1 }
                live.arrive(samples[0])
                live.press(key)
                player.press(key, .character(" "))
                for index in samples.indices {
                    if index > 0 {
                        live.arrive(samples[index])
                        player.pass(1)
                    }
                    #expect(player.shownIndex == index)
                    let frame = player.bench.grid
                    let wanted = live.grid
                    for row in 1..<(size.rows - 1) {
                        for column in 0..<size.columns
                        where wanted[row, column] != frame[row, column] {
                            Issue.record("\(key.title) \(size) sample \(index) row \(row)")
                            return
                        }
                    }
                }
            }
        }
    }

    @Test("Space plays and stops, brackets step and stop")
    func keys() {
        var player = Night.player(at: 5)
        player.press(.character(" "))
        #expect(player.asked.last == .play(.normal))
        player.pass(3)
        #expect(player.shownIndex == 8)
        player.press(.character("["))
        #expect(player.asked.last == .pause && player.shownIndex == 7)
        player.press(.left, .character("T"))
        #expect(player.shownIndex == 5)
        player.press(.right, .character("t"), .character("]"), .character("]"))
        #expect(player.shownIndex == 9)
        player.pass(10)
        #expect(player.shownIndex == 9)
        player.press(.character("Z"))
        player.pass(2)
        #expect(player.shownIndex == 11)
        player.press(.character("Z"))
        #expect(player.asked.last == .pause)
    }

    @Test("while it plays, Left, Right, t and T are free")
    func stepsOnlyWhenStill() {
        var player = Night.player(at: 5)
        player.press(.character(" "))
        for key in [Key.left, .right, .character("t"), .character("T")] {
            player.press(key)
            #expect(player.asked.last == ViewAction.none)
        }
    }

    @Test("the speed is the owner's at once, and stays when paused")
    func speed() {
        var player = Night.player(at: 0)
        player.press(.character("}"))
        #expect(player.asked.last == .redraw)
        player.press(.character(" "))
        #expect(player.asked.last == .play(PlaySpeed.all[3]))
        player.pass(5)
        #expect(player.shownIndex == 10)
        player.press(.character("}"))
        #expect(player.asked.last == .play(PlaySpeed.all[4]))
        #expect(player.bench.lines[0].contains("REPLAY 4× 03:04:15Z"))
        player.press(.character("{"), .character("{"), .character("{"), .character("{"))
        #expect(player.bench.lines[0].contains("REPLAY ¼×"))
        player.press(.character("{"))
        #expect(player.asked.last == ViewAction.none)
    }

    @Test("steps beyond the window ask the owner, at the ends nothing is there")
    func beyond() {
        var player = Night.player(at: 30)
        for _ in 0..<12 { player.press(.character("]")) }
        #expect(player.shownIndex == 42)
        #expect(player.asked.contains(.seek(.samples(1))))
        for _ in 0..<60 { player.press(.character("[")) }
        #expect(player.shownIndex == 0)
        #expect(player.asked.contains(.seek(.samples(-1))))
        #expect(player.bench.lines.last?.contains("the recording begins here") == true)
        player.press(.character("$"))
        #expect(player.shownIndex == Night.count - 1)
        player.press(.character("]"))
        #expect(player.bench.lines.last?.contains("the recording ends here") == true)
        player.press(.character("^"))
        #expect(player.shownIndex == 0)
    }

    @Test(
        "jumps",
        arguments: [
            ("03:04:25", 20), ("03:04", 0), ("2026-01-02 03:04:35", 30), ("+15s", 60),
            ("-30s", 20), ("1767323050", 5), ("03:07:05", 80), ("-5m", 0), ("+9h", 119),
        ])
    func jumps(text: String, index: Int) {
        var player = Night.player(at: 50)
        player.press(.character("b"))
        player.type(text)
        // 15 s on from the fiftieth lies the gap: the last sample before it is shown.
        #expect(player.shownIndex == (text == "+15s" ? 59 : index))
        #expect(player.bench.state.message == nil)
    }

    @Test("a time that is none, or of which nothing is, is told and moves nothing")
    func badJumps() {
        var player = Night.player(at: 50)
        for (text, reason) in [
            ("soon", "`soon` is no time"), ("12:00", "nothing of then: from 03:04:05Z"),
            ("2020-01-01", "nothing of then"), ("", "is no time"),
        ] {
            player.press(.character("b"))
            player.type(text)
            #expect(player.bench.lines.last?.contains(reason) == true, "\(text)")
            #expect(player.shownIndex == 50)
        }
    }

    @Test("sparklines right after a jump show what came before it")
    func trails() throws {
        var player = Night.player(at: 0, size: Size(columns: 132, rows: 43))
        player.press(.character("b"))
        player.type("03:04:45")
        let trail = player.bench.history.trail(40).values(ofLUN: 0, count: 40) { $0.rates.iops }
        let expected = (32...40).reversed().map { Night.samples[$0].luns[0].rates.iops }
        #expect(trail == expected)
    }

    @Test("events one after another, both ways, and the text of each")
    func events() {
        var player = Night.player(at: 0)
        var seen: [Int] = []
        for _ in 0..<8 {
            player.press(.character("e"))
            seen.append(player.shownIndex ?? -1)
        }
        #expect(seen == [10, 20, 30, 40, 60, 90, 95, 95], "the info notice is no event")
        #expect(player.bench.lines.last?.contains("no event after this") == true)
        seen = []
        for _ in 0..<7 {
            player.press(.character("E"))
            seen.append(player.shownIndex ?? -1)
        }
        #expect(seen == [90, 60, 40, 30, 20, 10, 10])
        player.press(.character("e"))
        #expect(
            player.bench.lines.last?.contains(
                "03:04:25Z finding: an IOThread serves too much") == true)
    }

    @Test("live, events come from the samples in memory, with gaps and marks")
    func liveEvents() {
        var bench = Bench(Night.history, size: Size(columns: 80, rows: 24))
        bench.press(.character("^"))
        func times(_ key: Key, _ count: Int) -> [UInt64] {
            (0..<count).map { _ in
                bench.press(key)
                return bench.history.shown?.sequence ?? 0
            }
        }
        #expect(times(.character("e"), 4) == [11, 21, 31, 61])
        bench.press(.character("]"), .character("]"), .character("m"), .character("$"))
        #expect(times(.character("E"), 3) == [63, 61, 31])
        #expect(bench.text.contains("cleared: thread:io0: an IOThread serves too much"))
    }

    @Test("live, jumps go to the samples in memory")
    func liveJumps() {
        var bench = Bench(Fixture.standard, size: Size(columns: 80, rows: 24))
        bench.press(.character("b"))
        bench.type("-4s")
        #expect(bench.history.shown?.sequence == 8)
        #expect(bench.lines[0].contains("PAUSED -00:04"))
        bench.press(.character("b"))
        bench.type("03:04:06")
        #expect(bench.history.shown?.sequence == 2)
        bench.press(.character("b"))
        bench.type("23:00")
        #expect(bench.lines.last?.contains("nothing of then") == true)
    }

    @Test("keys of the other mode say so")
    func modes() {
        var bench = Bench(Fixture.standard, size: Size(columns: 80, rows: 24))
        #expect(bench.press(.character("{")) == .redraw)
        #expect(bench.lines.last?.contains("{ is for recordings only") == true)
        bench.press(.character("R"))
        #expect(bench.lines.last?.contains("nothing can be recorded here") == true)
        var player = Night.player()
        player.press(.character("-"))
        #expect(player.bench.lines.last?.contains("- is for live VMs only") == true)
        #expect(player.bench.state.interval == 1)
        player.press(.down)
        let footer = player.bench.lines.last
        #expect(footer?.contains("{Slower }Faster") == true)
        #expect(footer?.contains("F7") == false)
    }

    @Test("R and B ask for what the recorder can do")
    func recorder() {
        var bench = Bench(Fixture.standard, size: Size(columns: 132, rows: 43))
        bench.state.recorder = RecorderState()
        #expect(bench.press(.character("R")) == .record(isOn: true))
        #expect(bench.press(.character("B")) == .redraw)
        #expect(bench.lines.last?.contains("the flight recorder is off") == true)
        bench.state.recorder = RecorderState(
            file: .on(bytes: 12_900_000), flightRecorder: .armed(seconds: 30))
        #expect(bench.lines[0].contains("REC 12.3MiB  FR 30.0s"))
        #expect(bench.press(.character("R")) == .record(isOn: false))
        #expect(bench.press(.character("B")) == .dumpFlightRecorder)
        bench.state.recorder = RecorderState(
            file: .failed(reason: "no space left on the disk"),
            flightRecorder: .fired(reason: "p99>2ms"))
        bench.size = Size(columns: 80, rows: 24)
        #expect(bench.lines[0].contains("# not recording: no space left on the disk"))
        #expect(bench.lines[0].contains("! FR p99>2ms"))
    }

    @Test("a stretch of nothing takes a second, and it is told")
    func gap() {
        var player = Night.player(at: 57)
        player.press(.character(" "))
        player.pass(2)
        #expect(player.shownIndex == 59 && player.skipped.isEmpty)
        player.pass(1)
        #expect(player.shownIndex == 60)
        #expect(player.skipped == [Night.gap + Night.second])
        #expect(player.bench.lines[0].contains("gap 01:41 skipped"))
        player.pass(3)
        #expect(player.shownIndex == 63)
    }

    @Test("damage and loss are in the first line of 80 columns")
    func damage() {
        var player = Night.player(at: 30)
        player.bench.state.replay?.damaged = 2
        player.bench.state.replay?.lost = 17
        let line = player.bench.lines[0]
        for text in ["REPLAY PAUSED 03:04:35Z", "night.vbt", "damaged 2", "lost 17"] {
            #expect(line.contains(text), "\(text)")
        }
    }
}
