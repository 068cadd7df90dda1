import Telemetry
import Testing

@testable import Doctor

/// A rule that speaks when the first LUN's errors say so: 1 advice, 2 warning, 3 critical; with a
/// fraction, that much of it at once.
private func rule(_ timing: Rule.Timing, causes: [String] = [], id: String = "r") -> Rule {
    Rule(
        id, "title", about: .lun, [.advice, .warning, .critical], timing, tier: .a,
        isForQEMU: false, evidence: "e", condition: "c", effect: "f", remedy: Remedy(qemu: "fix"),
        causes: causes
    ) { patient throws(NotChecked) in
        let level = try patient.need(try patient.lun().rates.errors, "errors_per_s")
        guard patient.reaches(level, 1) else { return .healthy }
        let severity = Finding.Severity.allCases[min(3, Int(level.rounded(.up)))]
        return .flag(severity, "level \(level)", meanwhile: level == 1.5 ? .advice : nil)
    }
}

/// A doctor and the clock of his samples.
private struct Visit {
    var doctor: Doctor
    var second: UInt64 = 1

    init(_ rules: Rule...) { doctor = Doctor(rules: rules) }

    /// Examines one sample a second with this level.
    @discardableResult
    mutating func see(_ level: Double?, times: Int = 1) -> Examination {
        var last: Examination?
        for _ in 0..<times {
            var sample = Snapshot.ward
            sample.sequence = second
            sample.monotonic = second * 1_000_000_000
            sample.luns[0].rates.errors = level
            second += 1
            last = doctor.examine(sample)
        }
        return last ?? doctor.examine(.ward)
    }
}

@Suite("When findings appear and clear")
struct StandingTests {
    @Test func settingsAreTakenAtOnceAndForgottenWithTheirCause() {
        var visit = Visit(rule(.setting))
        #expect(visit.see(2).findings.map(\.severity) == [.warning])
        // No fact changed: ten seconds pass before settings are judged again.
        #expect(visit.see(0, times: 9).findings.count == 1)
        let end = visit.see(0)
        #expect(end.findings.isEmpty)
        #expect(end.cleared.map(\.rule) == ["r"])
        #expect(end.cleared.first?.since == 1_000_000_000)
        #expect(end.cleared.first?.cleared == 11_000_000_000)
        #expect(visit.see(0, times: 300).cleared.count == 1)
        #expect(visit.see(0).cleared.isEmpty, "five minutes later")
    }

    @Test func loadMustLastForEightOfTenSeconds() {
        var visit = Visit(rule(.load))
        #expect(visit.see(2, times: 7).findings.isEmpty)
        #expect(visit.see(2).findings.count == 1)
    }

    /// A configuration is one sample without a time behind it: settings that rules of load object
    /// to are told at once, and the load never comes.
    @Test func aConfigurationIsJudgedByOneSample() {
        var sample = Snapshot.ward
        sample.interval = nil
        sample.luns[0].rates.errors = 1.5
        var doctor = Doctor(rules: [rule(.load)])
        #expect(doctor.examine(sample).findings.isEmpty)
        sample.source.kind = .configuration
        doctor = Doctor(rules: [rule(.load)])
        #expect(doctor.examine(sample).findings.map(\.severity) == [.advice])
        sample.luns[0].rates.errors = 2
        doctor = Doctor(rules: [rule(.load)])
        let examination = doctor.examine(sample)
        #expect(examination.findings.isEmpty)
        #expect(examination.unchecked.map(\.reason) == ["needs a VM that runs"])
    }

    @Test func twoQuietSecondsOfTenDoNotMatterThreeDo() {
        var visit = Visit(rule(.load))
        visit.see(2, times: 4)
        visit.see(0, times: 2)
        #expect(visit.see(2, times: 4).findings.count == 1)
        var other = Visit(rule(.load))
        other.see(2, times: 4)
        other.see(0, times: 3)
        #expect(other.see(2, times: 3).findings.isEmpty)
    }

    @Test func loadClearsAfterHalfAMinuteBelowFourFifths() {
        var visit = Visit(rule(.load))
        visit.see(2, times: 10)
        // Below the limit, and not far enough below it for one that stands.
        #expect(visit.see(0.9, times: 60).findings.count == 1)
        #expect(visit.see(0.7, times: 30).findings.count == 1)
        let end = visit.see(0.7)
        #expect(end.findings.isEmpty)
        #expect(end.cleared.count == 1)
    }

    @Test func aGustStartsTheCalmAnew() {
        var visit = Visit(rule(.load))
        visit.see(2, times: 10)
        visit.see(0, times: 29)
        visit.see(2)
        #expect(visit.see(0, times: 30).findings.count == 1)
        #expect(visit.see(0).findings.isEmpty)
    }

    @Test func severityRisesOnceProvedAndFallsWhenCalm() {
        var visit = Visit(rule(.load))
        visit.see(1, times: 10)
        #expect(visit.see(3, times: 7).findings.map(\.severity) == [.advice])
        #expect(visit.see(3).findings.map(\.severity) == [.critical])
        #expect(visit.see(1, times: 30).findings.map(\.severity) == [.critical])
        #expect(visit.see(1).findings.map(\.severity) == [.advice])
        #expect(visit.see(1).findings.first?.since == 8_000_000_000, "the same finding all along")
    }

    @Test func whatIsAFaultByItselfIsToldMeanwhile() {
        var visit = Visit(rule(.load))
        #expect(visit.see(1.5).findings.map(\.severity) == [.advice])
        #expect(visit.see(1.5, times: 7).findings.map(\.severity) == [.warning])
    }

    @Test func trendsNeedFourOfSixWindows() {
        var visit = Visit(rule(.trend))
        #expect(visit.see(2, times: 40).findings.isEmpty)
        #expect(visit.see(2).findings.count == 1)
    }

    @Test func eventsStayForFiveMinutes() {
        var visit = Visit(rule(.event))
        visit.see(3)
        #expect(visit.see(0, times: 300).findings.count == 1)
        #expect(visit.see(0).findings.isEmpty)
    }

    @Test func whatCannotBeLookedAtAnyMoreHasNotCleared() {
        for timing in [Rule.Timing.setting, .load] {
            var visit = Visit(rule(timing))
            visit.see(2, times: 10)
            let blind = visit.see(nil, times: 60)
            #expect(blind.findings.count == 1 && blind.cleared.isEmpty)
            #expect(blind.findings.first?.evidence.contains("cannot be looked at") == true)
            #expect(visit.see(0, times: 41).findings.isEmpty)
        }
    }

    @Test func whatFlapsIsToldOnce() {
        var visit = Visit(rule(.setting))
        for _ in 0..<5 {
            visit.see(2, times: 10)
            visit.see(0, times: 10)
        }
        #expect(visit.see(0).cleared.count == 1)
    }

    @Test func missingEvidenceIsNotHealthy() {
        var visit = Visit(rule(.setting))
        let found = visit.see(nil)
        #expect(found.findings.isEmpty && found.healthyCount == 0)
        #expect(
            found.unchecked
                == [Unchecked(rule: "r", scopes: ["lun:vd0"], reason: "errors_per_s: not measured")]
        )
    }

    @Test func rulesOfLoadSayHowLongTheyNeed() {
        var visit = Visit(rule(.load), rule(.trend, id: "t"))
        #expect(visit.see(0).unchecked.first?.reason.contains("--watch 10") == true)
        #expect(visit.see(0, times: 10).unchecked.first?.reason.contains("--watch 60") == true)
        #expect(visit.see(0, times: 50).unchecked.isEmpty)
    }
}

@Suite("What a doctor says")
struct DoctorTests {
    @Test func aConsequenceNamesItsCauseAndComesLast() {
        var visit = Visit(
            rule(.setting, causes: ["cause"], id: "a-symptom"), rule(.setting, id: "cause"))
        let findings = visit.see(2).findings
        #expect(findings.map(\.rule) == ["cause", "a-symptom"])
        #expect(findings.map(\.cause) == [nil, "cause"])
    }

    @Test func aLUNsFaultExplainsItsVMs() {
        let ofVM = Rule(
            "slow", "t", about: .vm, [.critical], .setting, tier: .a, isForQEMU: false,
            evidence: "e", condition: "c", effect: "f", remedy: Remedy(qemu: "q"),
            causes: ["cause"]
        ) { _ throws(NotChecked) in .flag(.critical, "seen") }
        var visit = Visit(ofVM, rule(.setting, id: "cause"))
        #expect(visit.see(2).findings.first { $0.rule == "slow" }?.cause == "cause")
        #expect(visit.see(0, times: 11).findings.first { $0.rule == "slow" }?.cause == nil)
    }

    @Test func aLUNThatIsUnpluggedTakesItsFindingsAlong() {
        var doctor = Doctor(rules: [rule(.setting)])
        var sample = Snapshot.ward
        sample.luns[0].rates.errors = 2
        #expect(doctor.examine(sample).findings.count == 1)
        sample.luns = []
        sample.monotonic += 1_000_000_000
        let after = doctor.examine(sample)
        #expect(after.findings.isEmpty && after.cleared.count == 1)
        #expect(after.unchecked.isEmpty)
    }

    @Test func whoStaysKeepsWhatIsSaidOfHimWhoeverComesAndGoes() {
        var doctor = Doctor(rules: [rule(.setting)])
        var sample = Snapshot.ward
        sample.addLUN("vd1")
        sample.addLUN("vd2")
        sample.luns[1].rates.errors = 2
        sample.luns[2].rates.errors = 3
        #expect(doctor.examine(sample).findings.map(\.scope) == ["lun:vd2", "lun:vd1"])
        sample.luns.removeFirst()
        sample.luns.swapAt(0, 1)
        sample.monotonic += 1_000_000_000
        let after = doctor.examine(sample)
        #expect(after.findings.map(\.scope) == ["lun:vd2", "lun:vd1"])
        #expect(after.findings.map(\.since) == [10_000_000_000, 10_000_000_000])
        #expect(after.cleared.isEmpty)
    }

    @Test(arguments: ["r", "r@lun:vd0"])
    func whatIsSilencedIsNotSaid(_ word: String) {
        var doctor = Doctor(rules: [rule(.setting)], silences: Silences([word]))
        var sample = Snapshot.ward
        sample.luns[0].rates.errors = 2
        #expect(doctor.examine(sample).findings.isEmpty)
    }

    @Test func aSilenceOfOneLUNLeavesTheOthersTheirVoice() {
        var doctor = Doctor(rules: [rule(.setting)], silences: Silences(["r@lun:vd1"]))
        var sample = Snapshot.ward
        sample.luns[0].rates.errors = 2
        #expect(doctor.examine(sample).findings.count == 1)
    }

    @Test func severalVMsAreToldApart() {
        var sample = Snapshot.ward
        var other = sample.vms[0]
        other.name = "guest2"
        sample.vms.append(other)
        sample.luns[0].rates.errors = 2
        sample.luns[0].vm = "guest1"
        var second = sample.luns[0]
        second.vm = "guest2"
        sample.luns.append(second)
        var doctor = Doctor(rules: [rule(.setting)])
        #expect(
            doctor.examine(sample).findings.map(\.scope) == ["lun:guest1/vd0", "lun:guest2/vd0"])
    }

    @Test func theFixIsInTheWordsOfWhateverStartedTheVM() {
        let both = Rule(
            "b", "t", about: .vm, [.info], .setting, tier: .a, evidence: "e", condition: "c",
            effect: "f", remedy: Remedy(qemu: "-option", libvirt: "<xml/>")
        ) { _ throws(NotChecked) in .flag(.info, "seen") }
        var sample = Snapshot.ward
        var doctor = Doctor(rules: [both])
        #expect(doctor.examine(sample).findings.first?.fix == "-option")
        sample.know(.vm, [.isLibvirt: true])
        doctor = Doctor(rules: [both])
        #expect(doctor.examine(sample).findings.first?.fix == "<xml/>")
    }

    @Test func evidenceNamesItsSources() {
        var doctor = Doctor(rules: [.aioLimit])
        var sample = Snapshot.ward
        sample.know(.host, [.aioReserved: 65_000, .aioLimit: 65_536])
        #expect(
            doctor.examine(sample).findings.first?.sources
                == ["source of aio_reserved", "source of aio_limit"])
    }

    @Test func aRecordingThatJumpsBackIsExaminedOn() {
        var visit = Visit(rule(.load))
        visit.see(2, times: 20)
        visit.second = 2
        #expect(visit.see(2, times: 7).findings.isEmpty)
        #expect(visit.see(2).findings.count == 1)
        #expect(visit.see(0, times: 31).findings.isEmpty)
    }

    @Test func theEmbeddedEngineIsNotJudgedByRulesOfQEMU() {
        var sample = Snapshot.ward
        sample.vms[0].accelerator = .embedded
        var doctor = Doctor(rules: [.xDataPlane])
        sample.know(.lun("vd0"), [.xDataPlane: true])
        let found = doctor.examine(sample)
        #expect(found.findings.isEmpty && found.unchecked.isEmpty)
    }
}
