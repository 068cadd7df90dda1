import Telemetry

/// Which rules are judged with a sample, by their timing; those of events always are.
struct DueRules: Sendable {
    var settings: SettingsRound
    var load = false
    var trend = false

    init(settings: SettingsRound) { self.settings = settings }

    /// Whether rules of `timing` are to judge `subject`.
    func include(_ timing: Rule.Timing, _ subject: Subject) -> Bool {
        switch timing {
        case .event: true
        case .setting: settings.includes(subject)
        case .load: load
        case .trend: trend
        }
    }
}

/// Whose settings are judged with a sample. A VM of many LUNs tells its settings one by one: while
/// it does, of each LUN only those are judged that may have come to something else.
enum SettingsRound: Sendable, Equatable {
    case nobody
    /// All but LUNs, and these of those.
    case most(luns: Set<Subject>)
    case everybody

    func includes(_ subject: Subject) -> Bool {
        switch self {
        case .nobody: return false
        case .everybody: return true
        case .most(let luns):
            if case .lun = subject.scope { return luns.contains(subject) }
            return true
        }
    }
}

/// What settings are judged by in a sample, besides load: told from one to the next.
struct SettingsBasis: Sendable {
    private var facts = FactSheet()
    private var luns: [LUN] = []
    private var vms: [VirtualMachine] = []

    /// Of a LUN, but looked at by rules about others as well.
    private static let shared: [FactName] = [
        .adapter, .adapterID, .mountSource, .fileSystem, .fileSystemSize, .fileSystemPromised,
        .fileGrowth,
    ]

    /// Takes a sample, and tells whose settings may be others than with the one before.
    mutating func take(_ sample: Snapshot) -> SettingsRound {
        let before = self
        facts = sample.facts
        luns = sample.luns
        vms = sample.vms
        guard luns.areSetUp(like: before.luns), vms == before.vms else { return .everybody }
        let changed = facts.subjects(changedSince: before.facts)
        if changed.isEmpty { return .nobody }
        let ofLUNs = changed.filter { $0.scope.kind == .lun }
        // What vblktop costs is no reason to look at a LUN.
        let hasOthers = changed.contains { $0.scope.kind != .lun && $0.scope.kind != .tool }
        let isShared = ofLUNs.contains { lun in
            let (new, old) = (facts.about(lun), before.facts.about(lun))
            return Self.shared.contains { new[$0] != old[$0] }
        }
        return hasOthers || isShared ? .everybody : .most(luns: ofLUNs)
    }
}

extension [LUN] {
    // By index, all of them: to copy a LUN takes longer than to look at it.

    /// Whether they are the same LUNs, set up the same way, whatever they do.
    fileprivate func areSetUp(like others: [LUN]) -> Bool {
        count == others.count && indices.allSatisfy { self[$0].isSetUp(like: others[$0]) }
    }

    /// Whether they are LUNs of the same names.
    func areCalled(like others: [LUN]) -> Bool {
        count == others.count
            && indices.allSatisfy { self[$0].id == others[$0].id && self[$0].vm == others[$0].vm }
    }
}
