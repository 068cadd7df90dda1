import Telemetry

/// The findings in the Static Analysis Results Interchange Format 2.1.0, which code hosts and CI
/// systems show.
public struct SARIF: Sendable, Encodable {
    private let report: DoctorReport
    private let rules: [Rule]

    /// `report` as a log of one run.
    public init(_ report: DoctorReport) {
        self.report = report
        let found = Set(report.examination.findings.map(\.rule))
        rules = Rule.all.filter { found.contains($0.id) }
    }

    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: JSONKey.self)
        try object.value("$schema", "https://json.schemastore.org/sarif-2.1.0.json")
        try object.value("version", "2.1.0")
        try object.value("runs", [Run(report: report, rules: rules)])
    }

    private struct Run: Encodable {
        let report: DoctorReport
        let rules: [Rule]

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: JSONKey.self)
            var tool = object.nestedContainer(keyedBy: JSONKey.self, forKey: "tool")
            var driver = tool.nestedContainer(keyedBy: JSONKey.self, forKey: "driver")
            try driver.value("name", "vblktop")
            try driver.value("semanticVersion", vblktopVersion)
            try driver.value("rules", rules.map(Descriptor.init))
            try object.value(
                "results",
                report.examination.findings.map { Result(finding: $0, file: report.file) })
        }
    }

    private struct Text: Encodable {
        let text: String
    }

    private struct Descriptor: Encodable {
        let rule: Rule

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: JSONKey.self)
            try object.value("id", rule.id)
            try object.value("shortDescription", Text(text: rule.title))
            try object.value("fullDescription", Text(text: rule.condition + " " + rule.effect))
            try object.value("help", Text(text: rule.remedy.sentence))
        }
    }

    private struct Result: Encodable {
        let finding: Finding
        let file: String?

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: JSONKey.self)
            try object.value("ruleId", finding.rule)
            try object.value("level", finding.severity.level)
            try object.value(
                "message", Text(text: "\(finding.title) (\(finding.scope)): \(finding.evidence)"))
            try object.value("locations", [Location(scope: finding.scope, file: file)])
            var properties = object.nestedContainer(keyedBy: JSONKey.self, forKey: "properties")
            try properties.value("severity", finding.severity)
            try properties.value("fix", finding.fix)
        }
    }

    private struct Location: Encodable {
        let scope: String
        let file: String?

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: JSONKey.self)
            if let file {
                var place = object.nestedContainer(
                    keyedBy: JSONKey.self, forKey: "physicalLocation")
                try place.value("artifactLocation", ["uri": file])
            }
            try object.value("logicalLocations", [["fullyQualifiedName": scope]])
        }
    }
}

extension Finding.Severity {
    /// SARIF has three levels for our four severities.
    fileprivate var level: String {
        switch self {
        case .critical: "error"
        case .warning: "warning"
        case .advice, .info: "note"
        }
    }
}

extension Remedy {
    /// All that it says, in one sentence each.
    var sentence: String {
        [("QEMU", qemu), ("libvirt", libvirt), ("live", live), ("verify", verify)]
            .compactMap { label, text in text.map { "\(label): \($0)" } }.joined(separator: "\n")
    }
}
