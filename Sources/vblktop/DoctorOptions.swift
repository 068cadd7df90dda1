public import ArgumentParser
import Doctor
import FoundationEssentials
import Kernel
import SystemPackage
public import Telemetry

/// How `vblktop doctor` says what it found.
struct DoctorOutputOptions: ParsableArguments {
    @Flag(help: "One JSON object (docs/json.md).")
    var json = false

    @Flag(help: "SARIF 2.1.0, for CI systems.")
    var sarif = false

    @Flag(help: "With --json: all facts that the rules went by.")
    var facts = false

    @Flag(help: "List all rules, or explain those of --only; examine nothing.")
    var rules = false

    @Option(help: "Exit with 2 on findings this severe: info, advice, warning or critical.")
    var failOn: Finding.Severity = .advice

    @Option(help: "Columns of the text, 40…1000.")
    var width = 100

    func validate() throws {
        guard !(json && sarif) else { throw ValidationError("--json or --sarif, not both") }
        guard !facts || json else { throw ValidationError("--facts goes with --json") }
        guard (40...1000).contains(width) else { throw ValidationError("--width must be 40…1000") }
    }

    func print(_ report: DoctorReport) throws {
        let text =
            if sarif {
                try jsonText(SARIF(report))
            } else if json {
                try jsonText(report)
            } else {
                report.text(width: width)
            }
        try printResult(text)
    }

    /// Ends the program with exit code 2 where something stands that is bad enough.
    func judge(_ report: DoctorReport) throws {
        if let worst = report.worst, worst >= failOn { throw ExitCode(2) }
    }
}

extension Finding.Severity: ExpressibleByArgument {}

/// Which rules are asked.
struct RuleSelection: ParsableArguments {
    @Option(help: "Only this rule. May be repeated.")
    var only: [String] = []

    @Option(help: "Not this rule. May be repeated.")
    var skip: [String] = []

    func validate() throws {
        for id in only + skip where Rule.named(id) == nil {
            throw ValidationError("there is no rule \(id): `vblktop doctor --rules` lists them")
        }
    }

    func rules() throws -> [Rule] {
        Rule.all.filter { (only.isEmpty || only.contains($0.id)) && !skip.contains($0.id) }
    }

    /// Prints a line for each rule, or the pages of those asked for by name.
    func explain(asJSON: Bool) throws {
        let rules = try rules()
        if asJSON { return try printResult(jsonText(rules)) }
        guard only.isEmpty else {
            return try printResult(rules.map(\.page).joined(separator: "\n"))
        }
        let width = rules.map(\.id.count).max() ?? 0
        let lines = rules.sorted { $0.id < $1.id }.map { rule in
            rule.id + String(repeating: " ", count: width + 2 - rule.id.count)
                + (rule.severities.last?.rawValue ?? "") + "\t" + rule.title
        }
        try printResult(lines.joined(separator: "\n") + "\n")
    }
}
