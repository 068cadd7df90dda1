import Telemetry
import Testing

@testable import Doctor

@Suite("The catalogue of rules")
struct CatalogueTests {
    static let cases: [RuleCase] =
        RuleCase.host + RuleCase.hostDisks + RuleCase.nfs + RuleCase.tool + RuleCase.luns
        + RuleCase.vm + RuleCase.states + RuleCase.memory + RuleCase.threads + RuleCase.guest
        + RuleCase.throttles + RuleCase.images + RuleCase.qcow2 + RuleCase.caches + RuleCase.aio
        + RuleCase.ioThreads + RuleCase.workers + RuleCase.queues + RuleCase.workload
        + RuleCase.layers + RuleCase.engine

    @Test(arguments: cases)
    func aRuleSaysWhatItMust(_ given: RuleCase) {
        switch (given.expectation, given.verdict()) {
        case (.healthy, .success(.healthy)), (.notApplicable, .success(.notApplicable)): break
        case (.flagged(let severity, let words), .success(.flagged(let flag))):
            #expect(flag.severity == severity, "\(flag)")
            for word in words { #expect(flag.evidence.contains(word), "\(flag)") }
        case (.notChecked(let words), .failure(let error)):
            #expect(error.reason.contains(words), "\(error)")
        case (_, let verdict): Issue.record("\(given.testDescription): \(verdict)")
        }
    }

    @Test(arguments: Rule.all.map(\.id))
    func aRuleIsTestedThreeWays(_ id: String) {
        let cases = Self.cases.filter { $0.rule == id }
        func count(_ matches: (RuleCase.Expectation) -> Bool) -> Int {
            cases.count { matches($0.expectation) }
        }
        #expect(count { if case .flagged = $0 { true } else { false } } > 0, "none flags")
        #expect(
            count {
                switch $0 {
                case .healthy, .notApplicable: true
                default: false
                }
            } > 0, "none is clean")
        #expect(
            count { if case .notChecked = $0 { true } else { false } } > 0, "none lacks evidence")
    }

    @Test(arguments: Rule.all.map(\.id))
    func aRuleHasItsTexts(_ id: String) throws {
        let rule = try #require(Rule.named(id))
        #expect(Rule.all.count { $0.id == id } == 1, "twice")
        #expect(id.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" })
        #expect(!rule.title.isEmpty && rule.title.count <= 72)
        #expect(!rule.severities.isEmpty && rule.severities == rule.severities.sorted())
        #expect(!rule.evidence.isEmpty && !rule.condition.isEmpty && !rule.effect.isEmpty)
        let fixes = [rule.remedy.qemu, rule.remedy.libvirt, rule.remedy.live]
        #expect(fixes.contains { $0?.isEmpty == false }, "no fix")
        #expect(rule.remedy.verify?.isEmpty == false, "no way to verify")
        for cause in rule.causes { #expect(Rule.named(cause) != nil, "\(cause)") }
    }

    @Test func severitiesFlaggedAreThoseDeclared() {
        for given in Self.cases {
            guard case .success(.flagged(let flag)) = given.verdict() else { continue }
            let declared = Rule.named(given.rule)?.severities ?? []
            #expect(declared.contains(flag.severity), "\(given.testDescription)")
        }
    }
}
