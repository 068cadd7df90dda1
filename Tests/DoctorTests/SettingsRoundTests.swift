import Telemetry
import Testing

@testable import Doctor

/// Whose settings are judged when something changes.
@Suite("Rounds of settings")
struct SettingsRoundTests {
    private var sample: Snapshot
    private var basis = SettingsBasis()
    private let vd1 = Subject(.lun("vd1"))

    init() {
        sample = .ward
        sample.addLUN()
        _ = basis.take(sample)
    }

    private mutating func round(_ change: (inout Snapshot) -> Void) -> SettingsRound {
        change(&sample)
        return basis.take(sample)
    }

    @Test mutating func loadIsNoSetting() {
        let round = round {
            $0.luns[0].rates.iops = 77
            $0.luns[0].span = 5
        }
        #expect(round == .nobody && !round.includes(vd1))
    }

    @Test mutating func aFactOfALUNIsNoneOfOthers() {
        let round = round { $0.know(.lun("vd1"), [.ioeventfd: false]) }
        #expect(round == .most(luns: [vd1]))
        #expect(round.includes(vd1) && round.includes(Subject(.vm)))
        #expect(!round.includes(Subject(.lun("vd0"))))
    }

    @Test mutating func whatLUNsShareIsEverybodys() {
        let facts: [(Scope, FactName)] = [
            (.lun("vd1"), .mountSource), (.lun("vd1"), .adapterID), (.vm, .domain),
            (.host, .kernelRelease),
        ]
        for (scope, name) in facts {
            let round = round { $0.know(scope, [name: "x"]) }
            #expect(round == .everybody, "\(name)")
        }
    }

    @Test mutating func whatItIsItselfIsEverybodys() {
        #expect(round { $0.luns[1].cache = "unsafe" } == .everybody)
        #expect(round { $0.vms[0].version = "9.9.9" } == .everybody)
    }

    @Test mutating func ownCostIsNoReasonToLookAtLUNs() {
        #expect(round { $0.know(.tool, [.questionTime: 1.5]) } == .most(luns: []))
    }

    /// Once in ten seconds everybody's are judged, though every sample has news of somebody.
    @Test func newsOfOneDoNotKeepOthersWaiting() {
        let rule = Rule(
            "r", "title", about: .lun, [.advice], .setting, tier: .a, isForQEMU: false,
            evidence: "e", condition: "c", effect: "f", remedy: Remedy(qemu: "fix")
        ) { patient throws(NotChecked) in
            try patient.lun().rates.errors == 1 ? .flag(.advice, "seen") : .healthy
        }
        var (doctor, sample) = (Doctor(rules: [rule]), self.sample)
        var counts: [Int] = []
        for second in 1...12 as ClosedRange<UInt64> {
            sample.monotonic = second * 1_000_000_000
            sample.luns[0].rates.errors = second > 1 ? 1 : 0
            sample.know(.lun("vd1"), [.failedOperations: .count(second)])
            counts.append(doctor.examine(sample).findings.count)
        }
        #expect(counts == Array(repeating: 0, count: 10) + [1, 1])
    }
}
