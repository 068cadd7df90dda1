import Telemetry

/// What the rules say of one subject: an entry for each rule of its kind, in the order of
/// `RuleBook.rules(about:)`.
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
    var entries: [Entry]

    /// Nothing said yet by `count` rules.
    init(_ count: Int) { entries = Array(repeating: Entry(), count: count) }
}

/// The rules by whom they are about.
struct RuleBook: Sendable {
    let all: [Rule]
    private let byKind: [Scope.Kind: [Rule]]
    private let byID: [String: Rule]

    init(_ rules: [Rule]) {
        all = rules
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
