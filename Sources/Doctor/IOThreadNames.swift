import Telemetry

/// The IOThreads that a VM has, so that a remedy adds to them and takes none away.
struct IOThreadNames: Sendable, Equatable {
    /// Without the one that libvirt or QEMU keeps for the monitor.
    let ids: [String]

    init(_ ids: some Sequence<String>) {
        var seen: Set = ["mon_iothread"]
        self.ids = ids.filter { seen.insert($0).inserted }
    }

    /// `count` ids that none has yet, as QEMU's options take them.
    func free(_ count: Int) -> [String] {
        let taken = Set(ids)
        return Array(
            (0...ids.count + count).lazy.map { "io\($0)" }.filter { !taken.contains($0) }.prefix(
                count))
    }

    /// Numbers that libvirt has given to none yet.
    func freeNumbers(_ count: Int) -> [Int] {
        let highest = ids.compactMap { Self.number(of: $0) }.max() ?? 0
        return (0..<count).map { highest + 1 + $0 }
    }

    /// The number of the IOThread `id` in libvirt's XML: 3 of `iothread3`; `nil` for an id that is
    /// not libvirt's.
    static func number(of id: String) -> Int? {
        guard id.hasPrefix("iothread"), let number = Int(id.dropFirst(8)),
            (1...65_535).contains(number)
        else { return nil }
        return number
    }

    /// `own`, and as many new ones as make two of them, but one at least.
    func extended(_ own: [String]) -> IOThreadSet {
        let added = max(1, 2 - own.count)
        return IOThreadSet(
            ids: own.map { $0.inCommand(else: "IOTHREAD") } + free(added), added: free(added),
            numbers: own.map { Self.number(of: $0).map { String($0) } ?? "N" }
                + freeNumbers(added).map { String($0) },
            total: String(ids.count + added))
    }
}

/// IOThreads that are to serve something together, in words of commands.
struct IOThreadSet: Sendable, Equatable {
    var ids: [String]
    /// Those that there are not yet.
    var added: [String]
    /// What libvirt calls them.
    var numbers: [String]
    /// How many the VM then has.
    var total: String

    /// Two threads of a VM of which nothing is known.
    static let example = IOThreadSet(
        ids: ["io0", "io1"], added: ["io0", "io1"], numbers: ["1", "2"],
        total: "N")

    /// The options that make those there are not yet.
    var objects: String { added.map { "-object iothread,id=\($0) " }.joined() }

    /// The value of `iothread-vq-mapping`.
    var mapping: String {
        "[" + ids.map { #"{"iothread":"\#($0)"}"# }.joined(separator: ",") + "]"
    }

    /// Elements of libvirt's `<iothreads>` in a `<driver>`.
    var elements: String { numbers.map { "<iothread id='\($0)'/>" }.joined() }
}

extension Patient {
    /// The IOThreads of the VM: those that QEMU lists, and those that are seen to run.
    var ioThreadNames: IOThreadNames {
        var names: [String] = []
        if case .texts(let listed)? = sample.facts[.ioThreads, Subject(vm: subject.vm, .vm)]?.value
        {
            names = listed
        }
        return IOThreadNames(names + threads.filter { $0.role == .iothread }.map(\.ioThreadID))
    }
}
