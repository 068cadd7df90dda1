import Grid
import Telemetry
import Testing

@testable import Screens

@Suite("Golden frames")
struct GoldenTests {
    static let sizes = [
        Size(columns: 80, rows: 24), Size(columns: 132, rows: 43), Size(columns: 200, rows: 50),
        Size(columns: 40, rows: 10),
    ]
    static let screens: [(key: Key, name: String)] = [
        (.character("1"), "luns"), (.character("3"), "threads"), (.character("4"), "queues"),
        (.character("5"), "latency"), (.function(1), "help"),
    ]
    /// Those that only a live VM fills.
    static let liveScreens: [(key: Key, name: String)] = [
        (.character("2"), "vms"), (.character("7"), "interrupts"),
        (.character("8"), "contention"), (.character("K"), "disks"),
    ]

    @Test("every screen at every size", arguments: sizes, screens)
    func screen(size: Size, screen: (key: Key, name: String)) throws {
        var bench = Bench(Fixture.standard, size: size)
        bench.press(screen.key)
        try Golden.check(
            bench.grid, "\(screen.name)-\(size.columns)x\(size.rows)", styles: size.columns == 80)
    }

    @Test("live VMs: every screen at every size", arguments: sizes, liveScreens + screens)
    func live(size: Size, screen: (key: Key, name: String)) throws {
        var bench = Bench(LiveFixture.standard, size: size)
        bench.press(screen.key)
        try Golden.check(
            bench.grid, "live-\(screen.name)-\(size.columns)x\(size.rows)",
            styles: size.columns == 80)
    }

    @Test("one live VM: no VM column, plain ids")
    func onlyVM() throws {
        var bench = Bench(
            LiveFixture(lunCount: 9, vmCount: 1).history, size: Self.sizes[2],
            options: DisplayOptions(now: 111_500_000_000))
        try Golden.check(bench.grid, "live-one-200x50")
        bench.press(.character("K"))
        try Golden.check(bench.grid, "live-one-disks-200x50")
    }

    @Test("first sample: blanks where rates need two")
    func first() throws {
        let bench = Bench(Fixture(samples: 1).history, size: Self.sizes[0])
        try Golden.check(bench.grid, "first-80x24")
    }

    @Test("a thousand LUNs")
    func thousand() throws {
        let bench = Bench(Fixture(lunCount: 1024, samples: 3).history, size: Self.sizes[1])
        try Golden.check(bench.grid, "luns-1024-132x43")
    }

    @Test("nothing to be had: every screen says why", arguments: screens + liveScreens)
    func unavailable(screen: (key: Key, name: String)) throws {
        var bench = Bench(Fixture.unavailable, size: Self.sizes[0])
        bench.press(screen.key)
        try Golden.check(bench.grid, "unavailable-\(screen.name)-80x24")
    }

    @Test("hostile names and numbers")
    func hostile() throws {
        let bench = Bench(Fixture.hostile, size: Self.sizes[0])
        try Golden.check(bench.grid, "hostile-80x24")
    }

    @Test("hostile texts of a live VM", arguments: liveScreens + screens)
    func hostileLive(screen: (key: Key, name: String)) throws {
        var bench = Bench(LiveFixture.hostile, size: Self.sizes[2])
        bench.press(screen.key)
        try Golden.check(bench.grid, "hostile-\(screen.name)-200x50")
    }

    @Test("ASCII")
    func ascii() throws {
        let bench = Bench(
            Fixture.standard, size: Self.sizes[0], options: DisplayOptions(symbols: .ascii))
        try Golden.check(bench.grid, "ascii-80x24")
    }

    @Test("paused, a minute's walk back, in milliseconds and esxtop's words")
    func paused() throws {
        var bench = Bench(Fixture.standard, size: Self.sizes[0])
        bench.press(.character(" "), .left, .left, .left, .character("U"), .character("w"))
        try Golden.check(bench.grid, "paused-80x24")
    }
}

/// A screen under test: history, state and size, and the grid they give.
struct Bench {
    var history: SnapshotHistory
    var state = ViewState()
    var size: Size
    var options: DisplayOptions

    init(_ history: SnapshotHistory, size: Size, options: DisplayOptions = DisplayOptions()) {
        self.history = history
        self.size = size
        self.options = options
        state.observe(history)
    }

    var grid: Grid { render(history, state, size: size, options: options) }

    @discardableResult
    mutating func press(_ keys: Key...) -> ViewAction {
        keys.reduce(.none) { _, key in state.handle(key, history: &history, size: size) }
    }

    /// Types a text and Enter.
    mutating func type(_ text: String) {
        for character in text { press(.character(character)) }
        press(.enter)
    }

    mutating func arrive(_ snapshot: Snapshot) {
        history.append(snapshot)
        state.observe(history)
    }

    /// The rows of the screen as text.
    var lines: [String] { (0..<size.rows).map(grid.text) }

    /// The lines between status and footer, which tell whether it is live.
    var body: [String] { lines.dropFirst().dropLast() }

    var text: String { lines.joined(separator: "\n") }
}
