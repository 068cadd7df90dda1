import Telemetry

/// Who there is to be examined in a sample.
struct Roster: Sendable, Equatable {
    struct Entry: Sendable, Equatable {
        let subject: Subject
        /// Its place in the sample's list of LUNs, threads or disks.
        let index: Int?
        /// Of the embedded engine, of which rules about QEMU say nothing.
        let isEmbedded: Bool
    }
    /// In the sample's order, disks of the guest by name.
    private(set) var entries: [Entry] = []
    private var all: Set<Subject> = []
    /// The sample it is made of.
    private var basis: Snapshot?

    /// Nobody.
    init() {}

    /// Whether the roster of `sample` is the same for certain: where nobody came or went there is
    /// none to be made.
    func holds(for sample: Snapshot) -> Bool {
        guard let basis else { return false }
        let (disks, threads) = (sample.host.disks, sample.threads)
        let (oldDisks, oldThreads) = (basis.host.disks, basis.threads)
        return sample.facts.isIdentical(to: basis.facts) && sample.vms == basis.vms
            && sample.luns.areCalled(like: basis.luns)
            && disks.count == oldDisks.count && threads.count == oldThreads.count
            && disks.indices.allSatisfy { index in
                disks[index].name == oldDisks[index].name
                    && disks[index].luns.isEmpty == oldDisks[index].luns.isEmpty
            }
            && threads.indices.allSatisfy { index in
                threads[index].name == oldThreads[index].name
                    && threads[index].role == oldThreads[index].role
                    && threads[index].vm == oldThreads[index].vm
            }
    }

    static func == (left: Roster, right: Roster) -> Bool { left.entries == right.entries }

    init(_ sample: Snapshot) {
        basis = sample
        let isEmbedded = sample.vms.contains { $0.accelerator == .embedded }
        add(Subject(.host), isEmbedded: false)
        let names: [String?] =
            sample.vms.count > 1 ? sample.vms.map { $0.name } : sample.vms.isEmpty ? [] : [nil]
        for vm in names {
            for scope in [Scope.vm, .guest, .tool] {
                add(Subject(vm: vm, scope), isEmbedded: isEmbedded)
            }
            addIOThreads(of: vm, sample, isEmbedded)
        }
        for (index, lun) in sample.luns.enumerated() {
            add(Subject(vm: lun.vm, .lun(lun.id)), index, isEmbedded: isEmbedded)
        }
        addDisks(sample)
        // Inside a guest there is nothing but facts.
        let inside = sample.facts.subjects.filter {
            $0.scope.kind == .guest || $0.scope.kind == .guestDisk
        }
        for subject in inside.sorted(by: { $0.word < $1.word }) { add(subject, isEmbedded: false) }
    }

    /// Whom `rule` is about.
    func patients(of rule: Rule) -> [Entry] {
        entries.filter {
            $0.subject.scope.kind == rule.scope && !(rule.isForQEMU && $0.isEmbedded)
        }
    }

    private mutating func add(_ subject: Subject, _ index: Int? = nil, isEmbedded: Bool) {
        guard all.insert(subject).inserted else { return }
        entries.append(Entry(subject: subject, index: index, isEmbedded: isEmbedded))
    }

    /// Those QEMU lists, and those that serve LUNs.
    private mutating func addIOThreads(of vm: String?, _ sample: Snapshot, _ isEmbedded: Bool) {
        var places: [String: Int] = [:]
        for (index, thread) in sample.threads.enumerated()
        where thread.role == .iothread && thread.vm == vm {
            places[thread.ioThreadID] = index
        }
        var names = places.keys.sorted()
        if case .texts(let listed)? = sample.facts[.ioThreads, Subject(vm: vm, .vm)]?.value {
            names = listed + names.filter { !listed.contains($0) }
        }
        for name in names {
            add(Subject(vm: vm, .ioThread(name)), places[name], isEmbedded: isEmbedded)
        }
    }

    /// The disks that LUNs lie on, and those that they are made of.
    private mutating func addDisks(_ sample: Snapshot) {
        let places = Dictionary(
            sample.host.disks.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { a, _ in a })
        var names = sample.host.disks.filter { !$0.luns.isEmpty }.map(\.name)
        for name in names {
            if case .texts(let leaves)? = sample.facts[.leaves, Subject(.disk(name))]?.value {
                names += leaves
            }
        }
        for name in names { add(Subject(.disk(name)), places[name], isEmbedded: false) }
    }
}

extension ThreadActivity {
    /// The id of the IOThread that it is: its name without the prefix that QEMU gives it.
    var ioThreadID: String { name.hasPrefix("IO ") ? String(name.dropFirst(3)) : name }
}
