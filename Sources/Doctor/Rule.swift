/// Misconfiguration rules: what a sample, the samples before it and the facts in them say about a
/// VM's storage, and what to do about it. A pure room: the same sample gives the same findings,
/// whether it comes from a live VM, the embedded engine or a recording.

public import Telemetry

/// One rule: what it looks at, when it speaks, what that costs, and how it is mended.
///
/// A rule is a declaration. Its texts are the pages of docs/rules and what `vblktop doctor --rules`
/// prints; `judge` is the condition. An object, as it is handed about for every LUN every second.
public final class Rule: Sendable {
    /// How long a condition must hold before a finding appears, and must be gone before it clears.
    public enum Timing: String, Sendable, CaseIterable {
        /// A setting: at once, both ways.
        case setting
        /// Load, judged once a second, of many LUNs less often: for 8 of the last 10 seconds; until
        /// 30 s below four fifths.
        case load
        /// Load, judged on means over 10 s: in 4 of the last 6; until 120 s below four fifths.
        case trend
        /// Something that happens: at once; until 5 min after it was there last.
        case event
    }
    /// How much is known to be gained: the first should always be looked at, the last are niches
    /// and history.
    public enum Tier: String, Sendable, CaseIterable { case a, b, c }

    /// Words with hyphens; never changes, and is the name of the rule's page.
    public let id: String
    /// What is wrong, in a line that fits a table.
    public let title: String
    public let scope: Scope.Kind
    /// The severities it can have, mildest first.
    public let severities: [Finding.Severity]
    public let timing: Timing
    public let tier: Tier
    /// Whether it says nothing of the embedded engine.
    public let isForQEMU: Bool
    /// Where its evidence comes from: files, commands and fields.
    public let evidence: String
    /// When it speaks, with all thresholds.
    public let condition: String
    /// When it is silent all the same.
    public let guards: String
    /// What it costs, with who says so in brackets.
    public let effect: String
    /// What helps in general; a finding may know better.
    public let remedy: Remedy
    /// Rows of the founding recommendations that it covers (docs/rules/README.md).
    public let deck: [Int]
    /// Rules of which this is a mere consequence where they speak of the same thing.
    public let causes: [String]
    let judge: @Sendable (inout Patient) throws(NotChecked) -> Verdict

    /// A rule. `condition` and `guards` say in words what `judge` does.
    init(
        _ id: String, _ title: String, about scope: Scope.Kind, _ severities: [Finding.Severity],
        _ timing: Timing, tier: Tier, isForQEMU: Bool = true, evidence: String, condition: String,
        guards: String = "", effect: String, remedy: Remedy, deck: [Int] = [],
        causes: [String] = [],
        judge: @escaping @Sendable (inout Patient) throws(NotChecked) -> Verdict
    ) {
        self.id = id
        self.title = title
        self.scope = scope
        self.severities = severities
        self.timing = timing
        self.tier = tier
        self.isForQEMU = isForQEMU
        self.evidence = evidence
        self.condition = condition
        self.guards = guards
        self.effect = effect
        self.remedy = remedy
        self.deck = deck
        self.causes = causes
        self.judge = judge
    }
}

/// What a rule says of one patient.
enum Verdict: Sendable, Equatable {
    case healthy
    /// The rule has nothing to say here: another kind of device, no load, a version without it.
    case notApplicable
    case flagged(Flag)

    var flag: Flag? { if case .flagged(let flag) = self { flag } else { nil } }

    /// Flagged with `severity` for `evidence`; see `Flag`.
    static func flag(
        _ severity: Finding.Severity, _ evidence: String, meanwhile: Finding.Severity? = nil,
        remedy: Remedy? = nil
    ) -> Verdict {
        .flagged(Flag(severity, evidence, meanwhile: meanwhile, remedy: remedy))
    }
}

/// Why and how much a rule objects.
struct Flag: Sendable, Equatable {
    var severity: Finding.Severity
    /// What was seen, with numbers and limits: one sentence, or two. Where they were read is added
    /// by whoever asked the rule.
    var evidence: String
    /// The severity that holds at once, while `severity` still has to prove itself for as long as
    /// the rule's timing says: what is a fault by itself and a loss under load.
    var meanwhile: Finding.Severity?
    /// What helps here, where that is more than the rule's own remedy.
    var remedy: Remedy?

    init(
        _ severity: Finding.Severity, _ evidence: String, meanwhile: Finding.Severity? = nil,
        remedy: Remedy? = nil
    ) {
        self.severity = severity
        self.evidence = evidence
        self.meanwhile = meanwhile
        self.remedy = remedy
    }
}

/// Evidence that a rule needs is missing: it says nothing, and this says why.
struct NotChecked: Error, Equatable {
    var reason: String
}
