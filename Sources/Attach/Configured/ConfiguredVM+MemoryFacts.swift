import Telemetry

extension ConfiguredVM {
    private static let vm = Subject(.vm)

    /// How the guest's memory will be had from the host.
    var memoryFacts: [Fact] { [sharedFact, mergeFact, pageFact].compactMap { $0 } }

    /// The backends that the guest's memory is made of; empty where QEMU makes one by itself.
    private var backends: [OptionText] {
        line.objects.filter { $0["qom-type"]?.hasPrefix("memory-backend-") ?? false }
    }

    private var automatic: String { "\(origins.document): no memory backend, QEMU's default" }

    private var sharedFact: Fact {
        guard let first = backends.first else {
            return Fact(Self.vm, .memoryIsShared, false, from: automatic)
        }
        // A memfd is shared unless told otherwise.
        let isShared = backends.allSatisfy {
            $0["share"]?.isOn ?? ($0["qom-type"] == "memory-backend-memfd")
        }
        return Fact(
            Self.vm, .memoryIsShared, .flag(isShared),
            from: origins.source("share", of: first["id"].map(clean), in: "-object"))
    }

    private var mergeFact: Fact {
        let byMachine = line.machine["mem-merge"].map(\.isOn)
        let merges = backends.contains { $0["merge"]?.isOn ?? byMachine ?? true }
        return Fact(
            Self.vm, .memoryMerges, .flag(backends.isEmpty ? byMachine ?? true : merges),
            from: byMachine == nil
                ? origins.absence(of: "mem-merge")
                : origins.source("mem-merge", in: "-machine"))
    }

    /// Of a file system only the host knows what pages it has.
    private var pageFact: Fact? {
        let source = origins.source("hugetlbsize", of: backends.first?["id"], in: "-object")
        if let path = line.memoryPath {
            return Fact(
                Self.vm, .memoryPage,
                missing: "the page size of \(clean(path)) only the host knows",
                from: origins.document + " -mem-path")
        }
        guard let backend = backends.first else {
            guard defaults.architecture == .x86 else { return nil }
            return Fact(Self.vm, .memoryPage, 4096, from: automatic)
        }
        if let path = backend["mem-path"] {
            return Fact(
                Self.vm, .memoryPage,
                missing: "the page size of \(clean(path)) only the host knows", from: source)
        }
        guard backend["hugetlb"]?.isOn == true else {
            guard defaults.architecture == .x86 else { return nil }
            return Fact(Self.vm, .memoryPage, 4096, from: origins.absence(of: "hugetlb"))
        }
        guard let size = backend["hugetlbsize"].flatMap({ byteCount($0, unit: 1) }) else {
            return Fact(
                Self.vm, .memoryPage, missing: "no hugetlbsize=: the host's default size counts",
                from: source)
        }
        return Fact(Self.vm, .memoryPage, .count(size), from: source)
    }
}
