public import Telemetry

/// Examines samples one after the other and keeps what stands.
///
/// Feed it every sample of a source, live or recorded; it knows no clock but theirs.
public struct Doctor: Sendable {
    /// Findings that cleared are told for so long, nanoseconds.
    public static let afterglow: Nanoseconds = 300_000_000_000
    /// Rules of settings are judged again after so long even if no fact changed, nanoseconds: load
    /// makes some of them milder.
    private static let settingPause: Nanoseconds = 10_000_000_000
    private static let second: Nanoseconds = 1_000_000_000
    private static let window: Nanoseconds = 10_000_000_000

    private let rules: [Rule]
    private let silences: Silences
    private var standings: [Key: Standing] = [:]
    private var unchecked: [Key: String] = [:]
    private var healthy: Set<Key> = []
    /// Whom the rules had something to say of when they were judged last.
    private var applicable: Set<Key> = []
    private var cleared: [Finding] = []
    /// The samples of the last ten seconds, the newest last.
    private var recent: [Snapshot] = []
    private var past: [Subject: Past] = [:]
    private var facts = FactSheet()
    private var roster: Roster?
    private var settingsAt: Nanoseconds?
    private var loadsAt: Nanoseconds?
    private var windowAt: Nanoseconds?

    struct Key: Hashable {
        /// Index of the rule.
        let rule: Int
        let subject: Subject
    }

    /// A doctor who knows `rules`, and says nothing of what is silenced.
    public init(rules: [Rule] = Rule.all, silences: Silences = Silences()) {
        self.rules = rules
        self.silences = silences
    }

    /// Takes a sample, and says what stands then.
    public mutating func examine(_ sample: Snapshot) -> Examination {
        let now = sample.monotonic
        remember(sample)
        let mean = Snapshot.mean(of: recent)
        let seen = Roster(sample)
        forget(besides: seen)
        var due: Set<Rule.Timing> = [.event]
        if !sample.facts.isIdentical(to: facts) || seen != roster
            || isPast(settingsAt, by: Self.settingPause, now)
        {
            due.insert(.setting)
            settingsAt = now
        }
        // Settings that matter under load are settings all the same where no load will come.
        if sample.interval != nil || sample.isConfiguration,
            isPast(loadsAt, by: Self.second / 100 * 95, now)
        {
            due.insert(.load)
            loadsAt = now
        }
        if windowAt == nil { windowAt = now }
        if isPast(windowAt, by: Self.window, now) {
            due.insert(.trend)
            windowAt = now
            closeWindow(mean)
        }
        facts = sample.facts
        roster = seen
        for index in rules.indices where due.contains(rules[index].timing) {
            examine(index, sample, mean: mean, seen)
        }
        cleared.removeAll { now > ($0.cleared ?? 0) &+ Self.afterglow }
        return examination()
    }

    /// Judges one rule on all its patients.
    private mutating func examine(_ index: Int, _ sample: Snapshot, mean: Snapshot, _ seen: Roster)
    {
        let rule = rules[index]
        let shown = rule.timing == .trend ? mean : sample
        for (subject, place) in seen.patients(of: rule) {
            let key = Key(rule: index, subject: subject)
            guard !silences.silence(rule.id, subject.word) else { continue }
            var patient = Patient(
                shown, subject, index: place, load: load(of: subject, place, mean),
                past: past[subject] ?? Past(), isStanding: standings[key]?.finding != nil)
            var flag: Flag?
            do throws(NotChecked) {
                let verdict = try rule.judge(&patient)
                unchecked[key] = nil
                if case .flagged(let found) = verdict { flag = found }
                healthy.update(key, verdict == .healthy)
                applicable.update(key, verdict != .notApplicable)
            } catch {
                unchecked[key] = error.reason
                healthy.remove(key)
                applicable.remove(key)
            }
            take(flag, key, rule, sample, patient)
        }
    }

    private mutating func take(
        _ flag: Flag?, _ key: Key, _ rule: Rule, _ sample: Snapshot, _ patient: Patient
    ) {
        // Most never have anything said of them: no standing is kept for those.
        guard flag != nil || standings[key] != nil || rule.timing == .load || rule.timing == .trend
        else { return }
        let gone = standings[key, default: Standing()].take(
            flag, at: sample.monotonic, of: rule, every: sample.interval ?? 1
        ) { flag, severity in
            Finding(rule, flag, severity, patient)
        }
        if let gone { cleared.append(gone) }
    }

    private func isPast(_ last: Nanoseconds?, by pause: Nanoseconds, _ now: Nanoseconds) -> Bool {
        guard let last else { return true }
        return now >= last &+ pause
    }

    // MARK: What was before

    private mutating func remember(_ sample: Snapshot) {
        let now = sample.monotonic
        // A recording that jumped back, or a source that began anew.
        if let last = recent.last, last.monotonic > now { recent = [] }
        recent.append(sample)
        recent.removeAll { now > $0.monotonic &+ Self.window }
    }

    /// What LUNs did in the ten seconds that end with `mean`.
    private mutating func closeWindow(_ mean: Snapshot) {
        for lun in mean.luns {
            let window = Past.Window(
                end: mean.monotonic, iops: lun.rates.iops ?? 0, latency: lun.rates.meanLatency,
                writeBytes: lun.rates.writeBytes ?? 0, readBytes: lun.rates.readBytes ?? 0)
            past[Subject(vm: lun.vm, .lun(lun.id)), default: Past()].append(window)
        }
    }

    /// Lets go of LUNs, threads and VMs that are no more: what stood of them has cleared.
    private mutating func forget(besides seen: Roster) {
        guard seen != roster else { return }
        let now = recent.last?.monotonic
        for (key, standing) in standings where !seen.contains(key.subject) {
            standings[key] = nil
            guard var finding = standing.finding else { continue }
            finding.cleared = now
            cleared.append(finding)
        }
        unchecked = unchecked.filter { seen.contains($0.key.subject) }
        healthy = healthy.filter { seen.contains($0.subject) }
        applicable = applicable.filter { seen.contains($0.subject) }
        past = past.filter { seen.contains($0.key) }
    }

    private func load(of subject: Subject, _ place: Int?, _ mean: Snapshot) -> Load {
        var load = Load()
        if mean.vms.count > 1 || subject.vm != nil {
            let rates = mean.luns.filter { $0.vm == subject.vm }.compactMap(\.rates.iops)
            load.machineIOPS = rates.isEmpty ? nil : rates.reduce(0, +)
        } else {
            load.machineIOPS = mean.total.iops
        }
        guard case .lun = subject.scope, let place, mean.luns.indices.contains(place) else {
            return load
        }
        let rates = mean.luns[place].rates
        load.iops = rates.iops
        load.bytes = rates.bytes
        load.depth = rates.queueDepth?.mean
        return load
    }

    // MARK: What is said

    private func examination() -> Examination {
        var standing = standings.values.compactMap(\.finding)
        var raised: [String: Set<String>] = [:]
        for finding in standing { raised[finding.rule, default: []].insert(finding.scope) }
        for index in standing.indices {
            let finding = standing[index]
            guard let rule = rules.first(where: { $0.id == finding.rule }) else { continue }
            standing[index].cause = rule.causes.first { cause in
                raised[cause].map { Self.concerns($0, finding.scope) } ?? false
            }
        }
        standing.sort(by: Self.precedes)
        return Examination(
            findings: standing, cleared: cleared.sorted(by: Self.precedes),
            unchecked: Unchecked.list(
                unchecked.map { (rules[$0.key.rule].id, $0.key.subject.word, $0.value) }
                    + pending.map { (rules[$0.rule].id, $0.subject.word, waiting(for: $0)) }),
            healthyCount: healthy.count)
    }

    /// Rules of load that have not seen enough samples to say anything.
    private var pending: [Key] {
        standings.filter { $0.value.finding == nil && $0.value.missingVerdicts > 0 }.map(\.key)
            .filter { applicable.contains($0) }
    }

    private func waiting(for key: Key) -> String {
        if recent.last?.isConfiguration ?? false { return "needs a VM that runs" }
        return rules[key.rule].timing == .trend
            ? "needs a minute of samples (--watch 60)" : "needs ten seconds of samples (--watch 10)"
    }

    /// Whether what is said of one of `scopes` is said of `scope` too: the same, or its VM.
    private static func concerns(_ scopes: Set<String>, _ scope: String) -> Bool {
        if scopes.contains(scope) || scopes.contains("vm") || scopes.contains("host") {
            return true
        }
        guard let name = scope.split(separator: ":", maxSplits: 1).last,
            let slash = name.firstIndex(of: "/")
        else { return false }
        return scopes.contains("vm:" + name[..<slash])
    }

    /// The worst first; what follows from something else after all that does not.
    private static func precedes(_ left: Finding, _ right: Finding) -> Bool {
        if (left.cause == nil) != (right.cause == nil) { return left.cause == nil }
        if left.severity != right.severity { return left.severity > right.severity }
        return (left.rule, left.scope) < (right.rule, right.scope)
    }
}

extension Snapshot {
    /// Whether no VM is behind it.
    fileprivate var isConfiguration: Bool { source.kind == .configuration }
}

extension Set {
    fileprivate mutating func update(_ member: Element, _ isIn: Bool) {
        if isIn { insert(member) } else { remove(member) }
    }
}

extension Finding {
    init(_ rule: Rule, _ flag: Flag, _ severity: Severity, _ patient: Patient) {
        self.init(
            rule: rule.id, severity: severity, scope: patient.subject.word, title: rule.title,
            evidence: flag.evidence, fix: "")
        sources = patient.sources
        effect = rule.effect
        remedy = flag.remedy.map { $0.filled(from: rule.remedy) } ?? rule.remedy
        let isLibvirt =
            patient.sample.facts[.isLibvirt, Subject(vm: patient.subject.vm, .vm)]?.value
            == .flag(true)
        fix =
            (isLibvirt ? remedy.libvirt ?? remedy.qemu : remedy.qemu ?? remedy.libvirt)
            ?? remedy.live ?? ""
    }
}

extension Remedy {
    /// This remedy, with what it does not say taken from `general`.
    fileprivate func filled(from general: Remedy) -> Remedy {
        Remedy(
            qemu: qemu ?? general.qemu, libvirt: libvirt ?? general.libvirt,
            live: live ?? general.live, verify: verify ?? general.verify)
    }
}
