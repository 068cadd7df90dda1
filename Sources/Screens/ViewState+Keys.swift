public import Grid
internal import Telemetry

extension ViewState {
    /// Does what `key` asks for on a screen of `size`; the cursor of `history` moves with it.
    ///
    /// Never fails: a key that means nothing here does nothing, and input that makes no sense is
    /// told in the last line.
    public mutating func handle(
        _ key: Key, history: inout SnapshotHistory, size: Size
    ) -> ViewAction {
        let hadMessage = message != nil
        message = nil
        if prompt != nil, key != .control("c") { return answer(key, history: &history, size: size) }
        if case .mouse(let row, _, let wheel) = key {
            return point(atRow: row, wheel: wheel, history: history, size: size)
        }
        let isReplay = replay != nil
        guard let binding = Keymap.binding(for: key, on: screen, isStill: isStill(history)) else {
            return hadMessage ? .redraw : .none
        }
        guard binding.works(inReplay: isReplay) else {
            message = key.title + " is for " + (isReplay ? "live VMs" : "recordings") + " only"
            return .redraw
        }
        var result = perform(binding.action, history: &history, size: size)
        if result == .none, hadMessage { result = .redraw }
        settle(history, size)
        return result
    }

    private mutating func perform(
        _ action: Action, history: inout SnapshotHistory, size: Size
    ) -> ViewAction {
        switch action {
        case .quit: return .quit
        case .redraw: return .redrawAll
        case .slower: return changeInterval(by: 1)
        case .faster: return changeInterval(by: -1)
        case .color:
            usesColor.toggle()
            return .colorChanged(isOn: usesColor)
        case .pause, .previousSample, .nextSample, .previousWhenPaused, .nextWhenPaused,
            .firstSample, .liveEdge:
            return walk(action, &history)
        case .slowerPlay, .fasterPlay: return changeSpeed(action)
        case .nextEvent: return goToEvent(forward: true, &history)
        case .previousEvent: return goToEvent(forward: false, &history)
        case .mark: setMark(history)
        case .copyFix: return copyFix(history)
        case .record, .dumpFlightRecorder: return record(action)
        case .cursorLeft, .cursorRight, .goToCursor:
            return moveTimeCursor(action, &history, size)
        case .pageUp where screen == .timeline, .pageDown where screen == .timeline,
            .first where screen == .timeline, .last where screen == .timeline:
            return moveTimeCursor(action, &history, size)
        case .up, .down, .pageUp, .pageDown, .halfPageUp, .halfPageDown, .first, .last:
            move(action, history: history, size: size)
        case .showLUNs, .showVMs, .showThreads, .showQueues, .showLatency, .showHeat,
            .showSlowest, .showStalls, .showInterrupts, .showContention, .showDisks, .showFlags,
            .showTimeline, .compare, .openLatency, .openVM, .openFinding, .showFix, .help, .leave:
            goTo(action, history)
        case .find, .filter, .setInterval, .sortMenu, .jump: ask(action, history)
        case .findNext: find(forward: true, history: history)
        case .findPrevious: find(forward: false, history: history)
        case .sortLeft, .sortRight, .reverse, .sortByIOPS, .sortByBandwidth, .sortByLatency:
            changeSort(action, history, size: size)
        case .tag, .lock, .follow, .nextScope, .allLUNs, .heatForm: choose(action, history)
        case .explain: explain(history)
        case .hideIdle: hidesIdle.toggle()
        case .units: latencyUnit = latencyUnit.next
        case .words: words = words == .iostat ? .esxtop : .iostat
        case .names: nameForm = Self.following(nameForm)
        }
        return .redraw
    }

    /// Takes in what changed, and scrolls so that the selected row is seen.
    private mutating func settle(_ history: SnapshotHistory, _ size: Size) {
        guard let snapshot = history.shown(on: screen) else { return }
        observe(snapshot)
        table.scroll(toShow: Layout(size, self, snapshot).table.count)
    }

    private mutating func goTo(_ action: Action, _ history: SnapshotHistory) {
        switch action {
        case .showLUNs: screen = .luns
        case .showVMs: screen = .vms
        case .showThreads: screen = .threads
        case .showQueues: screen = .queues
        case .showSlowest: screen = .slowest
        case .showStalls: screen = .stalls
        case .showInterrupts: screen = .interrupts
        case .showContention: screen = .contention
        case .showDisks: screen = .disks
        case .showFlags: screen = .flags
        case .openFinding: openSelectedFlag()
        case .showFix: openFlagOfSelectedLUN(history)
        case .showTimeline, .compare:
            if screen != .timeline, screen != .compare, screen != .help {
                screenBeforeTime = screen
            }
            timeCursor = nil
            screen = action == .compare ? .compare : .timeline
        case .openVM: openVM(history)
        case .showLatency, .openLatency, .showHeat:
            let next: Screen = action == .showHeat ? .heat : .latency
            if screen != next { latencyScope = usualScope }
            screen = next
        case .help where screen != .help:
            screenBeforeHelp = screen
            screen = .help
            helpTop = 0
        case .help: screen = screenBeforeHelp
        default: leave()
        }
    }

    /// The tagged LUNs where there are any.
    private var usualScope: LatencyScope { tagged.isEmpty ? .selected : .tagged }

    /// Escape: back to where one came from, else what narrows the view goes, the latest kind first.
    private mutating func leave() {
        switch screen {
        case .help: screen = screenBeforeHelp
        case .latency: screen = .luns
        case .finding: screen = screenBeforeFinding
        case .timeline, .compare: screen = screenBeforeTime
        default:
            if !tagged.isEmpty {
                tagged = []
            } else if lock != nil {
                lock = nil
            } else {
                table.filter = nil
            }
        }
    }

    /// The LUNs of the selected VM, and of no other where there are several.
    private mutating func openVM(_ history: SnapshotHistory) {
        let rows = history.shown.map(VMRow.rows) ?? []
        if let name = rows.first(where: { $0.key == table.selectedKey })?.vm {
            lock = ViewLock(vm: name)
        }
        screen = .luns
    }

    private func lockOnSelected(_ history: SnapshotHistory) -> ViewLock? {
        guard let key = luns.selectedKey else { return nil }
        return ViewLock(vm: history.shown?.luns.first { $0.key == key }?.vm, lun: key)
    }

    private mutating func choose(_ action: Action, _ history: SnapshotHistory) {
        switch action {
        case .tag:
            guard let key = luns.selectedKey else { return }
            if tagged.remove(key) == nil { tagged.insert(key) }
            if screen == .luns || screen == .heat { luns.select(luns.selected + 1) }
            if screen == .heat { latencyScope = usualScope }
        case .lock: lock = lock == nil ? lockOnSelected(history) : nil
        case .follow: table.follows.toggle()
        case .nextScope:
            latencyScope = Self.following(latencyScope)
            if latencyScope == .tagged && tagged.isEmpty { latencyScope = .all }
        case .heatForm: heatForm = Self.following(heatForm)
        case .allLUNs where screen == .heat && latencyScope == .all: latencyScope = usualScope
        default: latencyScope = .all
        }
    }

    private static func following<Choice: CaseIterable & Equatable>(_ choice: Choice) -> Choice {
        let all = Array(Choice.allCases)
        let index = all.firstIndex(of: choice) ?? 0
        return all[(index + 1) % all.count]
    }
}
