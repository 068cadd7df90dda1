internal import Grid
internal import Telemetry

/// A finding as a row: one that stands, or one that cleared not long ago.
struct FlagRow: TableRow {
    let finding: Finding
    /// Whether several VMs are watched, and scopes name them.
    let namesVM: Bool
    /// `CLOCK_MONOTONIC` nanoseconds of the sample.
    let now: Nanoseconds

    static func rows(of snapshot: Snapshot) -> [FlagRow] {
        (snapshot.findings + snapshot.clearedFindings).map {
            FlagRow(finding: $0, namesVM: snapshot.vms.count > 1, now: snapshot.monotonic)
        }
    }

    static var metrics: [String] { ["findings"] }

    /// The same rule may have cleared for the same LUN more than once.
    var key: String {
        finding.rule + " " + finding.scope + (finding.cleared.map { " " + String($0) } ?? "")
    }

    var names: [String] { [finding.rule, finding.scope, finding.title] }
    var isIdle: Bool { finding.cleared != nil }

    /// What stands behind the colon of its scope, without the kind: `guest1/vd0`.
    private var qualifiedName: Substring? {
        finding.scope.firstIndex(of: ":").map { finding.scope[$0...].dropFirst() }
    }

    var vm: String? {
        guard namesVM, let name = qualifiedName, !finding.scope.hasPrefix("disk:") else {
            return nil
        }
        return String(name.prefix { $0 != "/" })
    }

    var lunIDs: [String]? {
        guard finding.scope.hasPrefix("lun:"), let name = qualifiedName else { return nil }
        return [String(name)]
    }

    func severity(_ thresholds: Thresholds) -> Severity {
        finding.cleared == nil ? Severity(finding.severity) : .none
    }

    var severityWord: String {
        if finding.cleared != nil { return "cleared" }
        return finding.severity.rawValue + (finding.cause == nil ? "" : " *")
    }

    var severityStyle: Style {
        if finding.cleared != nil { return Style(.ok) }
        let severity = Severity(finding.severity)
        return Style(severity.role, bold: severity == .critical)
    }

    /// What is shown first: the worst that stands for itself, consequences, what has cleared.
    private var order: Double {
        if finding.cleared != nil { return -1 }
        return Double(finding.severity.rank * 2 + (finding.cause == nil ? 1 : 0))
    }

    /// Seconds since it appeared, or since it cleared.
    private var age: String? {
        (finding.cleared ?? finding.since).map {
            NumberText.clock(Double(now - min($0, now)) / 1e9)
        }
    }

    static let columns: [Column<FlagRow>] = [
        Column(
            "rule", width: 18, weight: 100, .text { $0.finding.rule },
            meaning: "the rule; Enter opens evidence, effect and fix",
            source: "the doctor's rules"),
        Column(
            "severity", width: 10, weight: 99, .drawn(.severity) { $0.order },
            meaning: "how much it matters; * follows from another flag", source: "the rule"),
        Column(
            "about", width: 10, weight: 98, growth: 16, .text { $0.finding.scope },
            meaning: "host, disk, VM, LUN, IOThread or guest", source: "the rule"),
        Column(
            "for", width: 8, weight: 90, .text { $0.age },
            meaning: "how long it has stood, or been gone", source: "samples"),
        Column(
            "title", width: 20, weight: 97, growth: 52, .text { $0.finding.title },
            meaning: "what is wrong", source: "the rule"),
        Column(
            "evidence", width: 20, weight: 60, growth: 90, .text { $0.finding.evidence },
            meaning: "what was seen", source: "named with the flag"),
    ]
}
