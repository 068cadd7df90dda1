internal import Grid
internal import Telemetry

/// Questions in the last line, and what their answers do.
extension ViewState {
    mutating func ask(_ action: Action, _ history: SnapshotHistory) {
        switch action {
        case .find: prompt = Prompt(.find)
        case .filter: prompt = Prompt(.filter, text: table.filter?.text ?? "")
        case .jump: prompt = Prompt(.jump)
        case .sortMenu: prompt = Prompt(.sort(sortableWords(of: history.shown, shownAt: nil)))
        default: prompt = Prompt(.interval)
        }
    }

    /// Hands `key` to the prompt.
    mutating func answer(
        _ key: Key, history: inout SnapshotHistory, size: Size
    ) -> ViewAction {
        guard var asked = prompt else { return .none }
        let outcome = asked.handle(key)
        prompt = asked
        var result = ViewAction.redraw
        switch outcome {
        case .edited: break
        case .ignored: return .none
        case .left: prompt = nil
        case .answered(let text):
            prompt = nil
            result = accept(text, for: asked.kind, history: &history)
        }
        if let snapshot = history.shown(on: screen) {
            observe(snapshot)
            table.scroll(toShow: Layout(size, self, snapshot).table.count)
        }
        return result
    }

    private mutating func accept(
        _ text: String, for kind: Prompt.Kind, history: inout SnapshotHistory
    ) -> ViewAction {
        switch kind {
        case .sort: table.sortWord = text
        case .filter: setFilter(text, history)
        case .find:
            lastFind = text
            find(forward: true, history: history)
        case .interval: return setInterval(text)
        case .jump: return jump(to: text, &history)
        }
        return .redraw
    }

    private mutating func setFilter(_ text: String, _ history: SnapshotHistory) {
        guard text.contains(where: { $0 != " " }), let snapshot = history.shown else {
            table.filter = nil
            return
        }
        do throws(RowFilter.Problem) {
            table.filter = try Self.filter(text, for: screen.tableType, snapshot)
        } catch {
            message = "filter: " + error.description
        }
    }

    private static func filter<Row: TableRow>(
        _ text: String, for type: Row.Type, _ snapshot: Snapshot
    ) throws(RowFilter.Problem) -> RowFilter {
        try RowFilter(text, for: Row.columns(of: snapshot))
    }

    private mutating func setInterval(_ text: String) -> ViewAction {
        guard let seconds = Double(text), seconds >= 0.1, seconds <= 3600 else {
            message = "`" + text.prefix(20) + "` is not a number of seconds from 0.1 to 3600"
            return .redraw
        }
        interval = seconds
        return .intervalChanged(seconds)
    }

    /// Steps of the interval keys, seconds.
    private static let ladder = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 300, 900, 3600]

    mutating func changeInterval(by step: Int) -> ViewAction {
        let next =
            step > 0
            ? Self.ladder.first { $0 > interval } : Self.ladder.last { $0 < interval }
        guard let next else { return .none }
        interval = next
        return .intervalChanged(next)
    }
}
