import Telemetry

/// Whom a rule looks at: one LUN, one IOThread, one VM … in one sample, with what is known of it.
///
/// Asking for something that is not known throws, and the rule counts as not checked; what a rule
/// only would like to know it asks for with `known…`. Where the answers were read is noted.
struct Patient {
    private var ward: Ward
    /// The sample; to a rule of trends one with means over the last ten seconds.
    var sample: Snapshot { ward.sample }
    /// Where things are in the sample.
    var indexed: SampleIndex { ward.index }
    let subject: Subject
    /// What it did in the last ten seconds.
    let load: Load
    /// How long it has been doing what.
    let past: Past
    /// What thresholds of load are multiplied with: 1, and less for a finding that stands, so that
    /// it does not come and go with every gust.
    private(set) var slack = 1.0
    /// The sheet's part about the patient itself.
    let own: SubjectFacts
    /// Index of the LUN, thread or disk that the patient is in its list of the sample.
    let index: Int?
    /// Where the answers came from, in the order asked.
    private(set) var sources: [String] = []

    init(
        _ ward: Ward, _ subject: Subject, index: Int? = nil, load: Load = Load(),
        past: Past = Past()
    ) {
        self.ward = ward
        self.subject = subject
        self.index = index
        self.load = load
        self.past = past
        own = ward.sample.facts.about(subject)
    }

    /// Whether a finding of the rule stands already.
    private(set) var isStanding = false

    /// Lowers thresholds of load to four fifths, as for a finding that stands.
    mutating func slacken() {
        isStanding = true
        slack = 0.8
    }

    /// Notes that a finding stands, and leaves thresholds as they are.
    mutating func stand() { isStanding = true }

    /// The same patient in another ward: in means over some time.
    func moved(to ward: Ward) -> Patient {
        var patient = self
        patient.ward = ward
        return patient
    }

    // MARK: Facts

    /// The fact of this name, about the patient or about `scope`; throws where it has no value.
    mutating func fact(_ name: FactName, of scope: Scope? = nil) throws(NotChecked) -> FactValue {
        let fact = scope.map { sample.facts[name, subject(of: $0)] } ?? own[name]
        guard let fact else { throw NotChecked(reason: absence(of: name, scope ?? subject.scope)) }
        guard let value = fact.value else {
            throw NotChecked(reason: "\(fact.source): \(fact.reason ?? "no value")")
        }
        cite(fact.source)
        return value
    }

    mutating func number(_ name: FactName, of scope: Scope? = nil) throws(NotChecked) -> Double {
        guard case .number(let number) = try fact(name, of: scope) else { throw misfit(name) }
        return number
    }

    mutating func flag(_ name: FactName, of scope: Scope? = nil) throws(NotChecked) -> Bool {
        guard case .flag(let flag) = try fact(name, of: scope) else { throw misfit(name) }
        return flag
    }

    mutating func text(_ name: FactName, of scope: Scope? = nil) throws(NotChecked) -> String {
        guard case .text(let text) = try fact(name, of: scope) else { throw misfit(name) }
        return text
    }

    mutating func texts(_ name: FactName, of scope: Scope? = nil) throws(NotChecked) -> [String] {
        guard case .texts(let texts) = try fact(name, of: scope) else { throw misfit(name) }
        return texts
    }

    // What a rule can do without.

    mutating func knownNumber(_ name: FactName, of scope: Scope? = nil) -> Double? {
        try? number(name, of: scope)
    }
    mutating func knownFlag(_ name: FactName, of scope: Scope? = nil) -> Bool? {
        try? flag(name, of: scope)
    }
    mutating func knownText(_ name: FactName, of scope: Scope? = nil) -> String? {
        try? text(name, of: scope)
    }
    mutating func knownTexts(_ name: FactName, of scope: Scope? = nil) -> [String]? {
        try? texts(name, of: scope)
    }

    private func subject(of scope: Scope) -> Subject {
        switch scope {
        case .host, .disk: Subject(scope)
        default: Subject(vm: subject.vm, scope)
        }
    }

    private func misfit(_ name: FactName) -> NotChecked {
        NotChecked(reason: "\(name.rawValue) is of another kind")
    }

    private func absence(of name: FactName, _ scope: Scope) -> String {
        if sample.source.kind == .configuration { return Self.planned }
        return switch scope.kind {
        case .guest, .guestDisk:
            "only the guest knows: give its agent's socket (--qga), or run vblktop doctor --guest "
                + "inside"
        default: "\(name.rawValue) is not known"
        }
    }

    private static let planned =
        "a configuration is judged: no VM, no host and no file is looked at"

    // MARK: Numbers of the sample

    /// A number of the sample that the rule cannot do without; `metric` is its JSON key, under
    /// which the sample says why it is missing.
    func need<Value>(_ value: Value?, _ metric: String) throws(NotChecked) -> Value {
        guard let value else {
            if sample.source.kind == .configuration { throw NotChecked(reason: Self.planned) }
            let why = sample.unavailable.first { $0.metric.hasPrefix(metric) }?.reason
            throw NotChecked(reason: "\(metric): \(why ?? "not measured")")
        }
        return value
    }

    /// Notes where a number of the sample comes from.
    mutating func cite(_ source: String) {
        if !sources.contains(source) { sources.append(source) }
    }

    /// Whether `value` is `limit` or more; for a finding that stands, four fifths of it.
    func reaches(_ value: Double, _ limit: Double) -> Bool { value >= limit * slack }

    /// Whether `value` is at most `limit`; for a finding that stands, five quarters of it.
    func staysWithin(_ value: Double, _ limit: Double) -> Bool { value <= limit / slack }

    // MARK: Who it is

    /// The VM that the patient is or belongs to.
    var machine: VirtualMachine? {
        subject.vm.map { indexed.machines[$0] } ?? sample.vms.first
    }

    /// LUNs of the same VM, all of them for the host and its disks.
    var luns: [LUN] { subject.vm == nil ? sample.luns : indexed.luns[subject.vm] ?? [] }

    /// Threads of the same VM, all of them for the host and its disks.
    var threads: [ThreadActivity] {
        subject.vm == nil ? sample.threads : indexed.threads[subject.vm] ?? []
    }

    /// Major and minor of QEMU's version. Throws where it is not known.
    func version() throws(NotChecked) -> Release {
        guard let text = machine?.version, let version = Release(text) else {
            throw NotChecked(reason: "QEMU's version is not known")
        }
        return version
    }

    /// Whether KVM runs the guest's code. Throws where that is not known.
    func isKVM() throws(NotChecked) -> Bool {
        guard let accelerator = machine?.accelerator else {
            throw NotChecked(reason: "who runs the guest's code is not known (query-kvm)")
        }
        return accelerator == .kvm
    }
}

extension Patient {
    /// The LUN that is looked at. Throws for another patient.
    func lun() throws(NotChecked) -> LUN {
        guard case .lun = subject.scope, let index, sample.luns.indices.contains(index) else {
            throw NotChecked(reason: "no LUN")
        }
        return sample.luns[index]
    }

    /// The thread of the IOThread that is looked at. Throws where it is not among the threads.
    func thread() throws(NotChecked) -> ThreadActivity {
        guard case .ioThread = subject.scope, let index, sample.threads.indices.contains(index)
        else { throw NotChecked(reason: "its thread is not known (query-iothreads)") }
        return sample.threads[index]
    }

    /// The disk of the host that is looked at. Throws where it is not among those measured.
    func disk() throws(NotChecked) -> HostDisk {
        guard case .disk = subject.scope, let index, sample.host.disks.indices.contains(index)
        else { throw NotChecked(reason: "the disk is not measured") }
        return sample.host.disks[index]
    }
}
