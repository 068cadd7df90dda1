import Telemetry

extension Finding {
    /// What `rule` found about `subject`, in the words of `flag`.
    init(
        _ rule: Rule, _ flag: Flag, _ severity: Severity, _ subject: Subject, _ sources: [String],
        _ facts: FactSheet
    ) {
        self.init(
            rule: rule.id, severity: severity, scope: subject.word, title: rule.title,
            evidence: flag.evidence, fix: "")
        self.sources = sources
        effect = rule.effect
        remedy = flag.remedy.map { $0.filled(from: rule.remedy) } ?? rule.remedy
        let isLibvirt = facts[.isLibvirt, Subject(vm: subject.vm, .vm)]?.value == .flag(true)
        fix =
            (isLibvirt ? remedy.libvirt ?? remedy.qemu : remedy.qemu ?? remedy.libvirt)
            ?? remedy.live ?? ""
    }

    /// The worst first; what follows from something else after all that does not.
    static func precedes(_ left: Finding, _ right: Finding) -> Bool {
        if (left.cause == nil) != (right.cause == nil) { return left.cause == nil }
        if left.severity != right.severity { return left.severity > right.severity }
        return (left.rule, left.scope) < (right.rule, right.scope)
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

/// Which findings others may follow from.
struct Causes {
    private var scopes: [String: Set<String>] = [:]

    init(_ findings: [Finding]) {
        // Mere context explains nothing away.
        for finding in findings where finding.severity > .info {
            scopes[finding.rule, default: []].insert(finding.scope)
        }
    }

    /// The first of `rules` that found something about `scope` itself, the VM it belongs to, or the
    /// host; for a VM also what was found about something of it.
    func first(of rules: [String], for scope: String) -> String? {
        rules.first { rule in scopes[rule].map { concerns($0, scope) } ?? false }
    }

    private func concerns(_ scopes: Set<String>, _ scope: String) -> Bool {
        if scopes.contains(scope) || scopes.contains("vm") || scopes.contains("host") {
            return true
        }
        if scope == "vm" { return scopes.contains { !$0.hasPrefix("disk:") } }
        guard let colon = scope.firstIndex(of: ":") else { return false }
        let name = scope[colon...].dropFirst()
        if scope.hasPrefix("vm:") { return scopes.contains { $0.contains(":\(name)/") } }
        guard let slash = name.firstIndex(of: "/") else { return false }
        return scopes.contains("vm:" + name[..<slash])
    }
}
