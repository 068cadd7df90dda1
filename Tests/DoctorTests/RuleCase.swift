import Telemetry
import Testing

@testable import Doctor

/// One situation and what a rule must say of it.
struct RuleCase: Sendable, CustomTestStringConvertible {
    enum Expectation: Sendable {
        /// With this severity; the evidence has all these words.
        case flagged(Finding.Severity, [String])
        case healthy
        case notApplicable
        /// For a reason with these words.
        case notChecked(String)
    }
    let rule: String
    let what: String
    let expectation: Expectation
    let sample: Snapshot
    /// Whom to look at; else the first of the rule's scope.
    var scope: Scope?
    var load = Load()
    var past = Past()
    var isStanding = false

    init(
        _ rule: String, _ what: String, _ expectation: Expectation, about scope: Scope? = nil,
        load: Load = Load(), past: Past = Past(), isStanding: Bool = false,
        _ change: (inout Snapshot) -> Void
    ) {
        self.rule = rule
        self.what = what
        self.expectation = expectation
        self.scope = scope
        self.load = load
        self.past = past
        self.isStanding = isStanding
        var sample = Snapshot.ward
        change(&sample)
        self.sample = sample
    }

    var testDescription: String { "\(rule): \(what)" }

    /// What the rule says.
    func verdict() -> Result<Verdict, NotChecked> {
        guard let rule = Rule.named(rule) else {
            return .failure(NotChecked(reason: "no rule \(self.rule)"))
        }
        let patients = Roster(sample).patients(of: rule)
        guard let found = patients.first(where: { scope == nil || $0.subject.scope == scope })
        else {
            return .failure(NotChecked(reason: "nobody to look at"))
        }
        var patient = Patient(
            Ward(sample), found.subject, index: found.index, load: load, past: past)
        if isStanding { patient.slacken() }
        do throws(NotChecked) { return .success(try rule.judge(&patient)) } catch {
            return .failure(error)
        }
    }
}

extension Snapshot {
    /// A VM under KVM with one virtio-blk LUN on an IOThread, second sample, nothing measured.
    static var ward: Snapshot {
        var sample = Snapshot(
            source: Source(kind: .qmp, name: "guest1"), sequence: 2, monotonic: 10_000_000_000,
            wallClock: 0, interval: 1)
        sample.vms = [
            VirtualMachine(
                name: "guest1", pid: 100, version: "7.2.22", accelerator: .kvm, status: "running",
                vcpus: 4, memoryBytes: 8 << 30)
        ]
        var lun = LUN(id: "vd0", device: "virtio-blk-pci")
        lun.queues = 4
        lun.queueSize = 256
        lun.ioThread = "io0"
        lun.isOnMainLoop = false
        lun.file = "/images/d0.img"
        lun.format = "raw"
        lun.cache = "none"
        lun.aio = "native"
        lun.hostDisk = "nvme0n1"
        sample.luns = [lun]
        sample.threads = [
            ThreadActivity(tid: 100, role: .main, name: "main loop"),
            ThreadActivity(tid: 101, role: .vcpu, name: "CPU 0/KVM"),
            ThreadActivity(tid: 102, role: .iothread, name: "IO io0", luns: ["vd0"]),
        ]
        var disk = HostDisk(name: "nvme0n1")
        disk.luns = ["vd0"]
        disk.scheduler = "none"
        disk.isRotational = false
        sample.host.disks = [disk]
        return sample
    }

    /// Adds facts, each with a source made up.
    mutating func know(_ scope: Scope, _ facts: [FactName: FactValue]) {
        let new = facts.sorted { $0.key.rawValue < $1.key.rawValue }.map {
            Fact(Subject(scope), $0.key, $0.value, from: "source of \($0.key.rawValue)")
        }
        self.facts = FactSheet(self.facts.facts + new)
    }

    /// Adds a fact that could not be had.
    mutating func lack(_ scope: Scope, _ name: FactName, _ reason: String) {
        facts = FactSheet(
            facts.facts + [Fact(Subject(scope), name, missing: reason, from: "its source")])
    }
}
