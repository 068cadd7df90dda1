import QMP

/// Questions about what a VM is made of, each asked once and a few at a time: they cost QEMU's main
/// loop up to half a millisecond each.
struct Agenda: Sendable {
    private var waiting: [QMPQuery] = []
    /// Asked, and not asked again unless the answer may have changed.
    private var asked: Set<QMPQuery> = []
    /// Disks that nothing is left to be asked about: to find that out anew takes as long as to
    /// make all the questions.
    private var finished: Set<String> = []
    /// Paths of the disks that were there last.
    private var knownPaths: Set<String> = []
    /// Commands this QEMU does not have.
    private(set) var unknownCommands: Set<String> = []

    /// What the first frame needs, in this order.
    static let opening: [QMPQuery] = [
        .status, .block, .blockStats, .cpus, .ioThreads, .name, .kvm, .memorySize, .blockGraph,
        .namedBlockNodes, .pci,
    ]
    private static let topology: [QMPQuery] = [
        .block, .blockGraph, .namedBlockNodes, .ioThreads, .cpus, .pci,
        .qomList(path: "/machine/peripheral"), .qomList(path: "/machine/peripheral-anon"),
    ]

    /// Asks `query` unless it waits already.
    mutating func ask(_ query: QMPQuery) {
        guard !unknownCommands.contains(query.command), asked.insert(query).inserted else { return }
        waiting.append(query)
    }

    /// Asks `query` once more.
    mutating func askAgain(_ query: QMPQuery) {
        asked.remove(query)
        if !waiting.contains(query) { ask(query) }
    }

    /// Whether `query` was never asked, which it counts as from now on.
    mutating func isFirst(_ query: QMPQuery) -> Bool {
        !unknownCommands.contains(query.command) && asked.insert(query).inserted
    }

    /// Whether nothing is left to be asked about `disk` as it is known now.
    func isFinished(_ disk: Disk) -> Bool { finished.contains(disk.key) }

    mutating func finish(_ disk: Disk) { finished.insert(disk.key) }

    /// There may be more to ask about disks than before.
    mutating func reopen() { finished = [] }

    /// What was said of the object at `path` says nothing any more.
    mutating func forget(path: String) {
        asked = asked.filter { $0.path != path }
        reopen()
    }

    /// Asks again which disks and threads there are.
    mutating func askForTopology() {
        for query in Self.topology { askAgain(query) }
    }

    /// Asks again which features the guest's driver took, as after a reset.
    mutating func askAboutFeatures(of disks: [Disk]) {
        for disk in disks where disk.isVirtio {
            asked.remove(.virtioStatus(path: disk.key))
            asked.remove(.virtioQueueStatus(path: disk.key, queue: 0))
        }
        askAbout(disks, isKnown: { _ in true }, version: nil)
    }

    /// Asks for the properties of each disk not asked about before; of one that the command line
    /// describes (`isKnown`), only for what it cannot say.
    mutating func askAbout(
        _ disks: [Disk], isKnown: (Disk) -> Bool, version: QMPVersion?
    ) {
        let paths = Set(disks.map(\.objectPath)).union(disks.map(\.key))
        // A disk plugged under an old one's name is another disk.
        let gone = knownPaths.subtracting(paths)
        if !gone.isEmpty {
            asked = asked.filter { query in !(query.path.map(gone.contains) ?? false) }
            reopen()
        }
        knownPaths = paths
        for disk in disks {
            if !isKnown(disk) { askWhatItIs(disk, version: version) }
            guard disk.isVirtio else { continue }
            ask(.virtioStatus(path: disk.key))
            ask(.virtioQueueStatus(path: disk.key, queue: 0))
            if unknownCommands.contains("x-query-virtio-status") {
                ask(.qomGet(path: disk.objectPath, property: "num-queues"))
                ask(.qomGet(path: disk.objectPath, property: "queue-size"))
            }
        }
    }

    private mutating func askWhatItIs(_ disk: Disk, version: QMPVersion?) {
        ask(.qomGet(path: disk.objectPath, property: "type"))
        guard disk.isVirtio else { return }
        ask(.qomGet(path: disk.objectPath, property: "iothread"))
        if (version?.major ?? 0) >= 9 {
            ask(.qomGet(path: disk.objectPath, property: "iothread-vq-mapping"))
        }
    }

    /// Whether there are questions still to be asked.
    var isWaiting: Bool { !waiting.isEmpty }

    /// The next `count` questions.
    mutating func next(_ count: Int) -> [QMPQuery] {
        let queries = Array(waiting.prefix(count))
        waiting.removeFirst(queries.count)
        return queries.filter { !unknownCommands.contains($0.command) }
    }

    /// This QEMU refused `query`; a command it does not have is not tried again.
    mutating func forget(_ query: QMPQuery, isUnknownCommand: Bool) {
        guard isUnknownCommand else { return }
        unknownCommands.insert(query.command)
        waiting.removeAll { $0.command == query.command }
    }
}

extension QMPQuery {
    /// The object it asks about.
    fileprivate var path: String? {
        switch self {
        case .qomGet(let path, _), .qomList(let path), .virtioStatus(let path),
            .virtioQueueStatus(let path, _), .vhostQueueStatus(let path, _):
            path
        default: nil
        }
    }
}
