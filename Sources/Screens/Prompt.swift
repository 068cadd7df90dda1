internal import Grid

/// A question in the last line that takes the keys until it is answered or left with Escape.
struct Prompt: Sendable, Equatable {
    /// What is asked.
    enum Kind: Sendable, Equatable {
        case find, filter, interval, jump
        /// One of these columns; the text narrows them.
        case sort([String])

        /// What stands before the input.
        var label: String {
            switch self {
            case .find: "Find: "
            case .filter: "Filter: "
            case .interval: "Seconds between samples (0.1-3600): "
            case .jump: "Go to (22:01, 2026-01-02 22:01, -5m; UTC): "
            case .sort: "Sort by: "
            }
        }
    }
    /// What a key did to it.
    enum Outcome: Sendable, Equatable { case edited, left, answered(String), ignored }

    var kind: Kind
    var text: String
    /// Which of the candidates is chosen.
    private(set) var choice = 0
    /// Nobody types more on purpose.
    private static let longest = 200

    init(_ kind: Kind, text: String = "") {
        self.kind = kind
        self.text = text
    }

    /// The columns that begin with the text, all if none does.
    var candidates: [String] {
        guard case .sort(let words) = kind else { return [] }
        let matching = words.filter { $0.lowercased().hasPrefix(text.lowercased()) }
        return matching.isEmpty ? words : matching
    }

    mutating func handle(_ key: Key) -> Outcome {
        switch key {
        case .escape: return .left
        case .enter: return .answered(chosen ?? text)
        case .character(let character):
            if text.count < Self.longest { text.append(character) }
            choice = 0
        case .backspace, .delete:
            if text.isEmpty { return .left }
            text.removeLast()
            choice = 0
        case .control("u"): text = ""
        case .tab, .right, .down: choose(1)
        case .backTab, .left, .up: choose(-1)
        default: return .ignored
        }
        return .edited
    }

    /// The candidate chosen, `nil` where text is asked for.
    var chosen: String? {
        let candidates = candidates
        return candidates.isEmpty ? nil : candidates[min(choice, candidates.count - 1)]
    }

    private mutating func choose(_ step: Int) {
        let count = candidates.count
        if count > 0 { choice = (choice + step + count) % count }
    }
}
