import Telemetry

/// What the rules say of one subject, and how long it has been doing what.
struct Chart: Sendable {
    struct Entry: Sendable {
        var outcome: Outcome = .notJudged
        /// What stands, and what is on its way; `nil` while nothing was ever said.
        var standing: Standing?
    }
    enum Outcome: Sendable, Equatable {
        case notJudged, healthy, notApplicable, flagged
        /// Evidence is missing, for this reason.
        case unchecked(String)
    }
    /// The rules of its kind.
    let rules: [Rule]
    /// One for each rule.
    var entries: [Entry]
    var past = Past()
    // Places of the rules that are judged.
    private let (settings, loads, trends, events): ([Int], [Int], [Int], [Int])

    /// Nothing said yet by `rules`; those that are not `judged` never will.
    init(_ rules: [Rule], isJudged: (Rule) -> Bool) {
        self.rules = rules
        let judged = rules.indices.filter { isJudged(rules[$0]) }
        entries = Array(repeating: Entry(outcome: .notApplicable), count: rules.count)
        for place in judged { entries[place] = Entry() }
        func places(_ timing: Rule.Timing) -> [Int] { judged.filter { rules[$0].timing == timing } }
        (settings, loads) = (places(.setting), places(.load))
        (trends, events) = (places(.trend), places(.event))
    }

    /// Places of the rules of this timing that are judged.
    func places(of timing: Rule.Timing) -> [Int] {
        switch timing {
        case .setting: settings
        case .load: loads
        case .trend: trends
        case .event: events
        }
    }
}

/// The rules by whom they are about.
struct RuleBook: Sendable {
    private let byKind: [Scope.Kind: [Rule]]
    private let byID: [String: Rule]

    init(_ rules: [Rule]) {
        byKind = Dictionary(grouping: rules, by: \.scope)
        byID = Dictionary(rules.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func rules(about kind: Scope.Kind) -> [Rule] { byKind[kind] ?? [] }

    subscript(id: String) -> Rule? { byID[id] }
}

/// A sample that many patients are looked at in: shared, as it is large, and so is the index of
/// what is where in it.
final class Ward {
    let sample: Snapshot
    let index: SampleIndex

    init(_ sample: Snapshot) {
        self.sample = sample
        index = SampleIndex(sample)
    }
}
