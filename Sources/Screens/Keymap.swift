internal import Grid

/// What a key can ask for.
enum Action: Sendable, Hashable, CaseIterable {
    case showLUNs, showVMs, showThreads, showQueues, showLatency, showHeat, showSlowest, showStalls
    case showInterrupts, showContention, showDisks, showFlags, showTimeline, compare, openLatency
    case openVM, openFinding, showFix, copyFix, help, leave, quit
    case up, down, pageUp, pageDown, halfPageUp, halfPageDown, first, last
    case find, findNext, findPrevious, filter, hideIdle
    case sortMenu, sortLeft, sortRight, reverse, sortByIOPS, sortByBandwidth, sortByLatency
    case slower, faster, setInterval
    case pause, previousSample, nextSample, previousWhenPaused, nextWhenPaused
    case firstSample, liveEdge, jump, slowerPlay, fasterPlay
    case nextEvent, previousEvent, mark, record, dumpFlightRecorder
    case cursorLeft, cursorRight, goToCursor
    case tag, lock, follow, nextScope, allLUNs, heatForm, explain
    case units, words, names, color, redraw
}

/// One line of the key map: an action, its keys, and how the help and the footer name it.
struct Binding: Sendable {
    let action: Action
    let keys: [Key]
    let title: String
    /// A word for the footer, `nil` to leave it out there.
    let footer: String?
    /// The same in a replay, where it is another.
    let footerInReplay: String?
    /// The screens it works on, `nil` for all.
    let screens: [Screen]?
    let mode: Mode

    /// When it works.
    enum Mode: Sendable {
        case always, live, replay
        /// Live and in a replay, but only while time stands still.
        case still
    }

    init(
        _ action: Action, _ keys: [Key], _ title: String, footer: String? = nil,
        footerInReplay: String? = nil, on screens: [Screen]? = nil, when mode: Mode = .always
    ) {
        self.action = action
        self.keys = keys
        self.title = title
        self.footer = footer
        self.footerInReplay = footerInReplay ?? footer
        self.screens = screens
        self.mode = mode
    }

    func works(on screen: Screen) -> Bool { screens?.contains(screen) ?? true }

    func works(inReplay isReplay: Bool) -> Bool {
        switch mode {
        case .always, .still: true
        case .live: !isReplay
        case .replay: isReplay
        }
    }

    /// `F3 /`
    var keyText: String { keys.map(\.title).joined(separator: " ") }
}

/// Which key does what: the only place that says so. Help, footer and dispatch are made from it.
enum Keymap {
    private static let tables = Screen.allCases.filter(\.hasRows)

    /// In the order of the help and of the footer.
    static let bindings: [Binding] =
        screens + rows + table + time + replay + marks + timeline + display

    /// What `key` is bound to on `screen` while time stands still, or does not.
    static func binding(for key: Key, on screen: Screen, isStill: Bool) -> Binding? {
        bindings.first { binding in
            binding.works(on: screen) && binding.keys.contains(key)
                && (isStill || binding.mode != .still)
        }
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
            .showHeat, [.character("6"), .character("H")],
            "heat map: LUNs or latencies over time"),
        Binding(.showSlowest, [.character("O")], "the slowest requests (outliers), with stages"),
        Binding(
            .showStalls, [.character("X")],
            "stalls: requests under way, how old, and where each is stuck"),
        Binding(
            .showInterrupts, [.character("7"), .character("i")], "interrupts, exits, injections"),
        Binding(.showContention, [.character("8"), .character("c")], "locks and who waits"),
        Binding(.showDisks, [.character("K")], "the host's disks under the LUNs"),
        Binding(
            .showFlags, [.character("9"), .character("!")],
            "flags: what is misconfigured, with evidence and fix", footer: "Flags"),
        Binding(
            .openFinding, [.enter], "open a flag: evidence, effect, fix, how to verify",
            on: [.flags]),
        Binding(
            .showFix, [.function(9), .character("a")], "open the worst flag of the selected LUN",
            footer: "Fix", on: [.luns]),
        Binding(
            .copyFix, [.character("y")], "copy the fix to the terminal's clipboard (OSC 52)",
            footer: "Copy", on: [.flags, .finding]),
        Binding(
            .showTimeline, [.character("0"), .character("Y")],
            "timeline: all LUNs over the whole time, events, marks"),
        Binding(.compare, [.character("D")], "compare mark A with mark B"),
        Binding(
            .openVM, [.enter], "show the LUNs of the selected VM only", on: [.vms]),
        Binding(
            .openLatency, [.enter], "open the latency of the selected or tagged LUNs",
            on: [.luns, .heat]),
        Binding(
            .leave, [.escape],
            "back from help, flag, latency, timeline; else drop tags, lock, filter in turn"),
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
        Binding(.tag, [.insert], "tag or untag the LUN", on: [.luns, .latency, .heat]),
        Binding(
            .lock, [.character("l")], "lock all screens to the selected LUN, or unlock",
            on: [.luns, .latency, .heat]),
        Binding(
            .follow, [.character("F")], "the selection follows its row", on: tables),
        Binding(
            .nextScope, [.tab], "latency of: selected LUN, tagged LUNs, all", on: [.latency]),
        Binding(.allLUNs, [.character("a")], "latency of all LUNs", on: [.latency, .heat]),
        Binding(
            .heatForm, [.tab], "heat map of the LUNs, or of the latencies of those chosen",
            footer: "Form", on: [.heat]),
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
        Binding(.sortByIOPS, [.character("P")], "sort by IOPS", on: [.luns, .vms, .heat]),
        Binding(.sortByBandwidth, [.character("M")], "sort by MiB/s", on: [.luns, .vms, .heat]),
        Binding(.sortByLatency, [.character("A")], "sort by latency", on: [.luns, .vms, .heat]),
        Binding(
            .explain, [.character("=")],
            "explain the column sorted by: its value, its meaning, its source", on: tables),
        Binding(.hideIdle, [.character("z")], "hide or show idle rows", on: tables),
    ]

    private static let time: [Binding] = [
        Binding(
            .slower, [.function(7), .character("-")], "sample less often", footer: "Slower",
            when: .live),
        Binding(
            .faster, [.function(8), .character("+")], "sample more often", footer: "Faster",
            when: .live),
        Binding(.setInterval, [.character("s")], "set the interval in seconds", when: .live),
        Binding(
            .slowerPlay, [.character("{")], "play slower, down to a quarter", footer: "Slower",
            when: .replay),
        Binding(
            .fasterPlay, [.character("}")], "play faster, up to 64 times", footer: "Faster",
            when: .replay),
        Binding(
            .quit, [.function(10), .character("q"), .control("c")], "quit", footer: "Quit"),
        Binding(
            .pause, [.character(" "), .character("Z")], "pause and look back; go on",
            footer: "Pause"),
        Binding(.previousSample, [.character("[")], "previous sample"),
        Binding(.nextSample, [.character("]")], "next sample"),
        Binding(
            .previousWhenPaused, [.left, .character("T")], "previous sample, when paused",
            on: allButTimeline, when: .still),
        Binding(
            .nextWhenPaused, [.right, .character("t")], "next sample, when paused",
            on: allButTimeline, when: .still),
        Binding(.firstSample, [.character("^")], "oldest sample"),
        Binding(.liveEdge, [.character("$")], "newest sample, live"),
    ]

    private static let allButTimeline = Screen.allCases.filter { $0 != .timeline }

    private static let replay: [Binding] = [
        Binding(
            .jump, [.character("b")],
            "go to a time: 22:01, 22:01:30, 2026-01-02 22:01 (UTC), -5m, +30s, 1767323045",
            footerInReplay: "Jump"),
        Binding(
            .nextEvent, [.character("e")],
            "next event: finding, trigger, warning, change, gap, mark", footerInReplay: "Event"),
        Binding(.previousEvent, [.character("E")], "previous event"),
    ]

    private static let marks: [Binding] = [
        Binding(.mark, [.character("m")], "mark A, then B, then anew"),
        Binding(
            .record, [.character("R")], "record to a file, or stop recording", when: .live),
        Binding(
            .dumpFlightRecorder, [.character("B")], "write the flight recorder to a file",
            when: .live),
    ]

    private static let timeline: [Binding] = [
        Binding(.cursorLeft, [.left], "cursor left (PgUp: a tenth)", on: [.timeline]),
        Binding(.cursorRight, [.right], "cursor right (PgDn: a tenth)", on: [.timeline]),
        Binding(.goToCursor, [.enter], "go to the time at the cursor", on: [.timeline]),
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
