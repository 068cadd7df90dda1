import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Keys")
struct KeyTests {
    private var bench: Bench { Bench(Fixture.standard, size: Size(columns: 132, rows: 43)) }

    /// The LUN of the selected row.
    private func selected(_ bench: Bench) -> String? { bench.state.luns.selectedKey }

    @Test("no key means two things on one screen", arguments: Screen.allCases)
    func noConflicts(screen: Screen) {
        var seen: [Key: Action] = [:]
        for binding in Keymap.bindings where binding.works(on: screen) {
            for key in binding.keys {
                #expect(seen[key] == nil, "\(key.title): \(binding.action)")
                seen[key] = binding.action
            }
        }
    }

    @Test("every action has a key, and the help names every key")
    func helpIsComplete() {
        var bench = Bench(Fixture.standard, size: Size(columns: 132, rows: 250))
        bench.press(.function(1))
        var replay = bench
        replay.state.replay = Night.replay
        for action in Action.allCases {
            let binding = Keymap.bindings.first { $0.action == action }
            #expect(binding != nil, "\(action)")
            let title = binding?.title ?? "?"
            #expect(bench.text.contains(title) == binding?.works(inReplay: false), "\(action)")
            #expect(replay.text.contains(title) == binding?.works(inReplay: true), "\(action)")
        }
        for column in LUN.columns { #expect(bench.text.contains(column.meaning), "\(column.word)") }
    }

    @Test("what the program has to do")
    func actions() {
        var bench = bench
        #expect(bench.press(.character("q")) == .quit)
        #expect(bench.press(.function(10)) == .quit)
        #expect(bench.press(.character("/"), .control("c")) == .quit)
        bench.press(.escape)
        #expect(bench.press(.control("l")) == .redrawAll)
        #expect(bench.press(.function(7)) == .intervalChanged(2))
        #expect(bench.press(.function(8)) == .intervalChanged(1))
        #expect(bench.press(.character("x")) == .colorChanged(isOn: false))
        #expect(bench.press(.function(5)) == .none)
        #expect(bench.press(.left) == .none, "live: Left and Right are free")
    }

    @Test(
        "an interval is taken, or refused with a reason",
        arguments: ["abc", "0", "-1", "1e9", "nan"])
    func interval(text: String) {
        var bench = bench
        bench.press(.character("s"))
        bench.type(text)
        #expect(bench.state.interval == 1)
        #expect(bench.lines.last?.contains("0.1 to 3600") == true)
        bench.press(.character("s"))
        bench.type("2.5")
        #expect(bench.state.interval == 2.5)
    }

    @Test(
        "filters",
        arguments: [
            ("vd1", 10), ("VD07", 1), ("~^vd[0-4]7$", 5), ("~(vd07|vd08)", 2), ("p99>50ms", 1),
            ("IOPS>10k vd", 1), ("lat>=500 lat<2ms", 1), ("io3 p99>4ms", 1), ("ACTV/QD>100", 1),
            ("nothing", 0), ("GAVG>500", 2), ("   ", 56),
        ])
    func filters(text: String, count: Int) {
        var bench = bench
        bench.press(.function(4))
        bench.type(text)
        #expect(bench.state.message == nil)
        #expect(bench.state.luns.visible.count == count)
    }

    @Test(
        "filters that make no sense are told, and change nothing",
        arguments: ["~(", "~[a", "~*", "~a)", "~\\", "p98>2", "p99>fast", "~[z-a]", "p99>2parsec"])
    func badFilters(text: String) {
        var bench = bench
        bench.press(.character("\\"))
        bench.type(text)
        #expect(bench.lines.last?.hasPrefix("filter: ") == true)
        #expect(bench.state.luns.visible.count == 56)
    }

    @Test("find goes on, wraps, and says when there is nothing")
    func find() {
        var bench = bench
        bench.press(.character("/"))
        bench.type("vd3")
        let first = selected(bench)
        #expect(first?.hasPrefix("vd3") == true)
        bench.press(.character("n"))
        #expect(selected(bench) != first && selected(bench)?.hasPrefix("vd3") == true)
        bench.press(.character("N"))
        #expect(selected(bench) == first)
        bench.press(.function(3))
        bench.type("zz")
        #expect(bench.lines.last?.contains("not found: zz") == true)
        #expect(selected(bench) == first)
    }

    @Test("sorting: quick keys, neighbours, menu, reverse")
    func sorting() {
        var bench = bench
        bench.press(.character("P"))
        #expect(bench.state.luns.sortWord == "IOPS" && selected(bench) == "vd07")
        bench.press(.character(">"))
        #expect(bench.state.luns.sortWord == "r/s")
        bench.press(.character("<"), .character("<"))
        #expect(bench.state.luns.sortWord == "LUN" && selected(bench) == "vd00")
        bench.press(.character("I"))
        #expect(selected(bench) == "vd55")
        bench.press(.function(6))
        bench.type("aqu")
        #expect(bench.state.luns.sortWord == "aqu-sz")
    }

    @Test("Escape leaves a prompt and changes nothing")
    func escape() {
        var bench = bench
        for key: Key in [.function(3), .function(4), .function(6), .character("s")] {
            bench.press(key, .character("x"), .escape)
            #expect(bench.state.prompt == nil)
        }
        #expect(bench.state.luns.filter == nil && bench.state.luns.sortWord == "p99")
    }

    @Test("hide idle says how many are hidden")
    func idle() {
        var bench = Bench(Fixture.standard, size: Size(columns: 200, rows: 80))
        bench.press(.character("z"))
        #expect(bench.state.luns.visible.count == 47)
        #expect(bench.text.contains("9 idle hidden: z"))
    }

    @Test("lock narrows every screen to one LUN, Escape lifts it")
    func lock() {
        var bench = bench
        bench.press(.character("l"), .character("4"))
        #expect(bench.state.table.visible.count == 1)
        #expect(bench.text.contains("only vd08"))
        bench.press(.character("1"), .escape)
        #expect(bench.state.luns.visible.count == 56)
    }

    @Test("latency adds up the tagged LUNs")
    func latency() {
        var bench = bench
        bench.press(.insert, .insert, .enter)
        #expect(bench.text.contains("2 tagged LUNs"))
        #expect(bench.text.contains(" 400 ") == false)
        bench.press(.character("a"))
        #expect(bench.text.contains("all 56 LUNs"))
    }

    @Test("a click selects the row under it")
    func click() {
        var bench = bench
        let row = bench.lines.firstIndex { $0.contains("!vd07 ") } ?? 0
        bench.press(.mouse(row: row, column: 4, wheel: 0))
        #expect(selected(bench) == "vd07")
    }

    @Test("paused shows the old sample while new ones arrive")
    func paused() {
        var bench = bench
        bench.press(.character(" "))
        let before = bench.lines.dropFirst(1)
        bench.arrive(Fixture().snapshot(30))
        #expect(Array(bench.lines.dropFirst(1)) == Array(before))
        #expect(bench.lines[0].contains("PAUSED -00:19"))
        bench.press(.character("["))
        #expect(Array(bench.lines.dropFirst(1)) != Array(before))
        bench.press(.character("$"))
        #expect(bench.lines[0].contains("LIVE"))
    }
}

@Suite("Stable order")
struct OrderTests {
    private func sample(_ index: Int, _ iops: [Double]) -> Snapshot {
        var snapshot = Snapshot(
            source: Source(kind: .demo, name: "x"), sequence: UInt64(index),
            monotonic: UInt64(index), wallClock: 0, interval: 1)
        snapshot.luns = iops.enumerated().map { number, iops in
            var lun = LUN(id: "vd\(number)", device: "")
            lun.rates.iops = iops
            return lun
        }
        return snapshot
    }

    private func order(_ samples: [[Double]]) -> [Int] {
        var table = TableState(sortWord: "IOPS")
        for (index, iops) in samples.enumerated() {
            let snapshot = sample(index, iops)
            table.observe(snapshot.luns, of: snapshot, hidesIdle: false, lockedTo: nil)
        }
        return table.visible
    }

    @Test("rows stay where they are but at every third sample")
    func stableOrder() {
        #expect(order([[100, 99]]) == [0, 1])
        #expect(order([[100, 99], [100, 110]]) == [0, 1])
        #expect(order([[100, 99], [100, 110], [100, 110]]) == [0, 1])
        #expect(order([[100, 99], [100, 110], [100, 110], [100, 104]]) == [1, 0])
    }

    @Test("unknown values come last in both directions")
    func unknown() {
        var snapshot = sample(1, [1, 2, 3])
        snapshot.luns[2].rates.iops = nil
        var table = TableState(sortWord: "IOPS")
        table.observe(snapshot.luns, of: snapshot, hidesIdle: false, lockedTo: nil)
        #expect(table.visible == [1, 0, 2])
        table.isReversed = true
        table.observe(snapshot.luns, of: snapshot, hidesIdle: false, lockedTo: nil)
        #expect(table.visible == [0, 1, 2])
    }

    @Test("a followed row keeps the selection, a LUN that leaves does not confuse it")
    func follow() {
        var table = TableState(sortWord: "IOPS")
        func observe(_ snapshot: Snapshot) {
            table.observe(snapshot.luns, of: snapshot, hidesIdle: false, lockedTo: nil)
        }
        observe(sample(1, [300, 200, 100]))
        table.select(2)
        table.follows = true
        for sequence in 2...4 { observe(sample(sequence, [300, 200, 900])) }
        #expect(table.selected == 0 && table.selectedKey == "vd2")
        observe(sample(5, [300, 200]))
        #expect(table.selectedKey == "vd0")
        observe(sample(6, []))
        #expect(table.selectedKey == nil)
    }

    @Test("digits count as numbers in names")
    func natural() {
        let names = ["vd10", "vd2", "vd02x", "a", "vd", "vd1"].sorted(by: naturallyAscends)
        #expect(names == ["a", "vd", "vd1", "vd2", "vd02x", "vd10"])
    }
}
