public import Telemetry

/// What a doctor says of a sample.
public struct Examination: Sendable, Equatable {
    /// What stands, the worst first; what merely follows from something else last.
    public var findings: [Finding]
    /// What stood within the last minutes.
    public var cleared: [Finding]
    /// What could not be judged, and why.
    public var unchecked: [Unchecked]
    /// How many times a rule found nothing wrong with somebody.
    public var healthyCount: Int
}

/// A rule without its evidence, of all those it could not judge for one reason.
public struct Unchecked: Sendable, Equatable {
    public var rule: String
    /// `Subject.word` of each.
    public var scopes: [String]
    public var reason: String

    /// One entry for each rule and reason, in the order of rules' ids.
    static func list(_ all: [(rule: String, scope: String, reason: String)]) -> [Unchecked] {
        var scopes: [String: [String: [String]]] = [:]
        for entry in all {
            scopes[entry.rule, default: [:]][entry.reason, default: []].append(entry.scope)
        }
        return scopes.sorted { $0.key < $1.key }.flatMap { rule, reasons in
            reasons.sorted { $0.key < $1.key }.map {
                Unchecked(rule: rule, scopes: $0.value.sorted(), reason: $0.key)
            }
        }
    }
}

/// What the user does not want to hear of.
public struct Silences: Sendable, Equatable {
    private var rules: Set<String> = []
    private var pairs: Set<String> = []

    /// Everything is said.
    public init() {}

    /// Each word is a rule's id, or one and a scope: `dataplane-off@lun:vd0`.
    public init(_ words: some Sequence<String>) {
        for word in words {
            if word.contains("@") { pairs.insert(word) } else { rules.insert(word) }
        }
    }

    /// Whether nothing is silenced.
    public var isEmpty: Bool { rules.isEmpty && pairs.isEmpty }

    /// Whether the rule says nothing, of `scope` or of anybody.
    public func silence(_ rule: String, _ scope: String) -> Bool {
        (!rules.isEmpty && rules.contains(rule))
            || (!pairs.isEmpty && pairs.contains(rule + "@" + scope))
    }
}
