internal import Grid

/// What a key can ask for.
enum Action: Sendable, Hashable, CaseIterable {
    case showLUNs, showVMs, showThreads, showQueues, showLatency, showInterrupts, showContention
    case showDisks, openLatency, openVM, help, leave, quit
    case up, down, pageUp, pageDown, halfPageUp, halfPageDown, first, last
    case find, findNext, findPrevious, filter, hideIdle
    case sortMenu, sortLeft, sortRight, reverse, sortByIOPS, sortByBandwidth, sortByLatency
    case slower, faster, setInterval
    case pause, previousSample, nextSample, firstSample, liveEdge
    case tag, lock, follow, nextScope, allLUNs
    case units, words, names, color, redraw
}

/// One line of the key map: an action, its keys, and how the help and the footer name it.
struct Binding: Sendable {
    let action: Action
    let keys: [Key]
    let title: String
    /// A word for the footer, `nil` to leave it out there.
    let footer: String?
    /// The screens it works on, `nil` for all.
    let screens: [Screen]?

    init(
        _ action: Action, _ keys: [Key], _ title: String, footer: String? = nil,
        on screens: [Screen]? = nil
    ) {
        self.action = action
        self.keys = keys
        self.title = title
        self.footer = footer
        self.screens = screens
    }

    func works(on screen: Screen) -> Bool { screens?.contains(screen) ?? true }

    /// `F3 /`
    var keyText: String { keys.map(\.title).joined(separator: " ") }
}

/// Which key does what: the only place that says so. Help, footer and dispatch are made from it.
enum Keymap {
    private static let tables = Screen.allCases.filter(\.isTable)

    /// In the order of the help and of the footer.
    static let bindings: [Binding] = screens + rows + table + time + display

    /// What `key` asks for on `screen`; Left and Right walk through the samples only while paused.
    static func action(for key: Key, on screen: Screen, isPaused: Bool) -> Action? {
        if !isPaused, key == .left || key == .right { return nil }
        return bindings.first { $0.works(on: screen) && $0.keys.contains(key) }?.action
    }

    private static let screens: [Binding] = [
        Binding(
            .help, [.function(1), .character("?"), .character("h")], "this help", footer: "Help"),
        Binding(.showLUNs, [.character("1"), .character("u")], "LUNs"),
        Binding(.showVMs, [.character("2"), .character("v")], "VMs"),
        Binding(.showThreads, [.character("3"), .character("d")], "IOThreads and vCPUs"),
        Binding(.showQueues, [.character("4")], "virtqueues"),
        Binding(
            .showLatency, [.character("5"), .character("L")],
            "latency of the selected or tagged LUNs"),
        Binding(
            .showInterrupts, [.character("7"), .character("i")], "interrupts, exits, injections"),
        Binding(.showContention, [.character("8"), .character("c")], "locks and who waits"),
        Binding(.showDisks, [.character("K")], "the host's disks under the LUNs"),
        Binding(
            .openVM, [.enter], "show the LUNs of the selected VM only", on: [.vms]),
        Binding(
            .openLatency, [.enter], "open the latency of the selected or tagged LUNs", on: [.luns]),
        Binding(
            .leave, [.escape], "back from help or latency; else drop tags, lock, filter in turn"),
    ]

    private static let rows: [Binding] = [
        Binding(.up, [.up, .character("k")], "row up"),
        Binding(.down, [.down, .character("j")], "row down"),
        Binding(.pageUp, [.pageUp, .control("b")], "page up"),
        Binding(.pageDown, [.pageDown, .control("f")], "page down"),
        Binding(.halfPageUp, [.control("u")], "half a page up"),
        Binding(.halfPageDown, [.control("d")], "half a page down"),
        Binding(.first, [.home, .character("g")], "first row"),
        Binding(.last, [.end, .character("G")], "last row"),
        Binding(.tag, [.insert], "tag or untag the LUN", on: [.luns, .latency]),
        Binding(
            .lock, [.character("l")], "lock all screens to the selected LUN, or unlock",
            on: [.luns, .latency]),
        Binding(
            .follow, [.character("F")], "the selection follows its row", on: tables),
        Binding(
            .nextScope, [.tab], "latency of: selected LUN, tagged LUNs, all", on: [.latency]),
        Binding(.allLUNs, [.character("a")], "latency of all LUNs", on: [.latency]),
    ]

    private static let table: [Binding] = [
        Binding(
            .find, [.function(3), .character("/")], "find a name", footer: "Find", on: tables),
        Binding(.findNext, [.character("n")], "find next", on: tables),
        Binding(.findPrevious, [.character("N")], "find previous", on: tables),
        Binding(
            .filter, [.function(4), .character("\\")],
            "filter: words, ~pattern, comparisons such as p99>2ms", footer: "Filter", on: tables),
        Binding(
            .sortMenu, [.function(6)], "choose the column to sort by", footer: "Sort", on: tables),
        Binding(.sortLeft, [.character("<")], "sort by the column to the left", on: tables),
        Binding(.sortRight, [.character(">")], "sort by the column to the right", on: tables),
        Binding(.reverse, [.character("I")], "reverse the order", on: tables),
        Binding(.sortByIOPS, [.character("P")], "sort by IOPS", on: [.luns, .vms]),
        Binding(.sortByBandwidth, [.character("M")], "sort by MiB/s", on: [.luns, .vms]),
        Binding(.sortByLatency, [.character("A")], "sort by latency", on: [.luns, .vms]),
        Binding(.hideIdle, [.character("z")], "hide or show idle rows", on: tables),
    ]

    private static let time: [Binding] = [
        Binding(
            .slower, [.function(7), .character("-")], "sample less often", footer: "Slower"),
        Binding(
            .faster, [.function(8), .character("+")], "sample more often", footer: "Faster"),
        Binding(.setInterval, [.character("s")], "set the interval in seconds"),
        Binding(
            .quit, [.function(10), .character("q"), .control("c")], "quit", footer: "Quit"),
        Binding(
            .pause, [.character(" "), .character("Z")], "pause and look back; go on",
            footer: "Pause"),
        Binding(
            .previousSample, [.character("["), .left], "previous sample (Left when paused)"),
        Binding(.nextSample, [.character("]"), .right], "next sample (Right when paused)"),
        Binding(.firstSample, [.character("^")], "oldest sample"),
        Binding(.liveEdge, [.character("$")], "newest sample, live"),
    ]

    private static let display: [Binding] = [
        Binding(.units, [.character("U")], "latencies in us, ms, or each in its own unit"),
        Binding(.words, [.character("w")], "headings in iostat's or esxtop's words"),
        Binding(.names, [.character("p")], "LUN names: id, block node, file"),
        Binding(.color, [.character("x")], "colours off or on"),
        Binding(.redraw, [.control("l")], "draw the whole screen anew"),
    ]
}

extension Key {
    /// As the help and the footer write it.
    var title: String {
        switch self {
        case .character(" "): "Space"
        case .character(let character): String(character)
        case .control(let letter): "^" + letter.uppercased()
        case .function(let number): "F\(number)"
        case .pageUp: "PgUp"
        case .pageDown: "PgDn"
        case .escape: "Esc"
        case .mouse: "mouse"
        default: "\(self)".prefix(1).uppercased() + "\(self)".dropFirst()
        }
    }
}
