import QMP
import Telemetry

/// What is known of one VM through QMP: answers and events go in, disks and facts come out.
///
/// Knows neither clock nor socket: the tests feed it conversations recorded from real QEMUs.
struct VMModel: Sendable {
    var name: String?
    var version: QMPVersion?
    var status: String?
    var isKVM: Bool?
    var memoryBytes: UInt64?
    var roles = ThreadRoles()
    var vcpuCount: Int?
    /// What the process was started with, once known.
    var commandLine: QEMUCommandLine?
    /// In the order QEMU lists them.
    private(set) var disks: [Disk] = []
    /// More disks than any VM has are a mistake, or worse.
    private static let diskLimit = 4096
    /// The last two readings of KVM's counters.
    private(set) var kvmStats: KVMStats.Reading?
    private(set) var previousKVMStats: KVMStats.Reading?
    /// When `query-blockstats` was answered last.
    private(set) var lastStats: Nanoseconds?
    /// Questions still to ask, the urgent ones first.
    var agenda = Agenda()
    /// What was said of the VM as a whole.
    var machine = MachineState()
    /// What was said of single objects.
    var properties = PropertyBook()
    /// What is made of all this, and when it was made last.
    var ledger = FactLedger()
    private var nodes: [QMPBlockNode] = []
    private(set) var graph: QMPBlockGraph?
    private(set) var blockGraph = BlockGraph()
    private var pci: [String: String] = [:]
    private var limits: [String: QMPValue] = [:]
    /// Whether disks were listed before: only then is a new one worth a word.
    private var hasListedDisks = false

    /// Takes an answer, and returns what happened that a user wants to know.
    mutating func take(
        _ reply: QMPReply, to query: QMPQuery, at now: Nanoseconds
    ) -> [Notice] {
        ledger.watchedSince = ledger.watchedSince ?? now
        let before = machine
        machine.take(reply, to: query, at: now)
        if machine.hasQueueMapping != before.hasQueueMapping { agenda.reopen() }
        if machine != before {
            ledger.hasNews = true
        } else if query.mayBringFacts {
            noteNews(of: query)
        }
        switch reply {
        case .version(let version): self.version = version
        case .name(let name): self.name = name.map(clean)
        case .status(let status):
            if let status = status.status { takeStatus(clean(status), at: now) }
        case .kvm(let kvm): isKVM = kvm.isEnabled
        case .memorySize(let size):
            memoryBytes = size.base.map { $0 &+ (size.plugged ?? 0) }
        case .cpus(let cpus): take(cpus)
        case .ioThreads(let threads):
            roles.ioThreads = [:]
            for thread in threads {
                if let tid = thread.threadID, let id = thread.id {
                    roles.ioThreads[tid] = clean(id)
                }
            }
        case .block(let blocks): return take(blocks, at: now)
        case .blockStats(let stats): take(stats, at: now)
        case .namedBlockNodes(let nodes):
            self.nodes = nodes
            redraw()
        case .blockGraph(let graph):
            self.graph = graph
            redraw()
        case .pci(let devices): take(devices)
        case .stats(let stats): take(stats, at: now)
        default: takeFact(reply, to: query, at: now)
        }
        return []
    }

    /// Takes note that this QEMU does not answer `query`, for an error of `kind`.
    mutating func takeRefusal(of query: QMPQuery, kind: String, saying words: String) {
        let isUnknown = kind == "CommandNotFound"
        // What a command that is missing would have told is missing everywhere.
        if isUnknown { ledger.hasNews = true } else { noteNews(of: query) }
        let reason = clean(words)
        machine.takeRefusal(of: query, saying: reason)
        if case .qomGet(let path, let property) = query {
            properties[path, property] = .refusal(reason)
        }
        let isNews = isUnknown && !agenda.unknownCommands.contains(query.command)
        agenda.forget(query, isUnknownCommand: isUnknown)
        // Without the virtio commands the object model says a part of it.
        if isNews, query.command == "x-query-virtio-status" {
            askAboutDisks()
        }
    }

    /// Facts may follow from an answer to `query`: those of one disk, where it is about that.
    private mutating func noteNews(of query: QMPQuery) {
        let disk: Disk? =
            switch query {
            // What kind of device it is tells what kinds the machine has.
            case .qomGet(let path, let name) where name != "type":
                disks.first { $0.objectPath == path }
            case .virtioStatus(let key): disks.first { $0.key == key }
            default: nil
            }
        if let disk { ledger.changedDisks.insert(disk.key) } else { ledger.hasNews = true }
    }

    /// The connection is gone: what was counted so far stays to be compared with, nothing of it is
    /// shown.
    mutating func loseConnection() {
        blankRates()
        agenda = Agenda()
        // Resets and changes of status are missed while nobody listens.
        ledger.resetAt = nil
        ledger.statusSince = nil
        ledger.watchedSince = nil
        lastStats = nil
        previousKVMStats = nil
        kvmStats = nil
    }

    /// Nothing counted so far can be compared with what comes.
    mutating func forgetCounters() {
        for index in disks.indices { disks[index].counters = nil }
        properties.forgetAll()
        machine = MachineState()
        ledger.hasNews = true
        kvmStats = nil
        previousKVMStats = nil
    }

    /// A device was unplugged: another one of its name is another one, and not that of the command
    /// line.
    mutating func forgetDevice(_ id: String, at now: Nanoseconds) -> [Notice] {
        commandLine?.forgetDevice(id)
        let gone = disks.filter { $0.qdevID == id }
        disks.removeAll { $0.qdevID == id }
        for disk in gone {
            properties.forget(disk.objectPath)
            agenda.forget(path: disk.objectPath)
            agenda.forget(path: disk.key)
        }
        // An adapter of disks, perhaps.
        let path = "/machine/peripheral/" + id
        properties.forget(path)
        agenda.forget(path: path)
        ledger.hasNews = true
        return gone.map { disk in
            Notice(monotonic: now, severity: .info, text: "disk \(disk.lun.id) unplugged")
        }
    }

    /// The rates are older than anyone would take them for.
    mutating func blankRates() {
        for index in disks.indices { disks[index].forgetRates() }
    }

    /// Shows what the queues said, as far as they were asked after `since`.
    mutating func showQueues(askedAfter since: Nanoseconds) {
        for index in disks.indices { disks[index].showQueues(askedAfter: since) }
    }

    private mutating func take(_ cpus: [QMPCPU]) {
        roles.vcpus = [:]
        vcpuCount = cpus.count
        for (position, cpu) in cpus.enumerated() {
            if let tid = cpu.threadID { roles.vcpus[tid] = cpu.index ?? position }
        }
    }

    private mutating func take(_ devices: [QMPPCIDevice]) {
        pci = [:]
        for device in devices {
            guard let id = device.qdevID, !id.isEmpty, let bus = device.bus, let slot = device.slot,
                let function = device.function
            else { continue }
            pci[id] = "0000:\(hex(bus, 2)):\(hex(slot, 2)).\(hex(function, 1))"
        }
        describeAll()
    }

    private func hex(_ number: Int, _ digits: Int) -> String {
        let text = String(UInt32(truncatingIfNeeded: number), radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    private mutating func take(_ blocks: [QMPBlockDevice], at now: Nanoseconds) -> [Notice] {
        let known = Dictionary(disks.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var fresh: [Disk] = []
        var seen: Set<String> = []
        var hasNewRoots = false
        for block in blocks where fresh.count < Self.diskLimit {
            guard let key = Disk.key(of: block), seen.insert(key).inserted else { continue }
            var disk = known[key] ?? Disk(key: key, block: block)
            // A snapshot or a job put another node on top.
            hasNewRoots = hasNewRoots || disk.block.inserted?.nodeName != block.inserted?.nodeName
            disk.block = block
            fresh.append(disk)
        }
        if hasNewRoots {
            agenda.askAgain(.blockGraph)
            agenda.askAgain(.namedBlockNodes)
        }
        for disk in disks where !seen.contains(disk.key) { properties.forget(disk.objectPath) }
        defer { hasListedDisks = true }
        let notices = hasListedDisks ? changes(from: disks, to: fresh, at: now) : []
        disks = fresh
        makeNamesUnique()
        describeAll()
        askAboutDisks()
        return notices
    }

    /// A device of the command line is what it was: only one plugged later has to say what it is.
    private mutating func askAboutDisks() {
        let line = commandLine
        agenda.askAbout(
            disks,
            isKnown: { disk in
                disk.qdevID.map { id in line?.device(id: id, drives: []) != nil } ?? false
            }, version: version)
    }

    private func changes(from old: [Disk], to fresh: [Disk], at now: Nanoseconds) -> [Notice] {
        let (before, after) = (Set(old.map(\.key)), Set(fresh.map(\.key)))
        let gone = old.filter { !after.contains($0.key) }.map { ("unplugged", $0.lun.id) }
        let come = fresh.filter { !before.contains($0.key) }.map { ("plugged", $0.lun.id) }
        return (gone + come).map { word, id in
            Notice(monotonic: now, severity: .info, text: "disk \(id) \(word)")
        }
    }

    /// Two disks of one name would be one row: the later ones get a number.
    private mutating func makeNamesUnique() {
        var seen: [String: Int] = [:]
        for index in disks.indices {
            let name = Disk.name(of: disks[index].block)
            let count = seen[name, default: 0]
            seen[name] = count + 1
            disks[index].identity.id = count == 0 ? name : "\(name)#\(count + 1)"
        }
    }

    private mutating func take(_ stats: [QMPBlockStats], at now: Nanoseconds) {
        lastStats = now
        let byKey = Dictionary(
            stats.compactMap { stat in stat.qdev.map { ($0, stat) } },
            uniquingKeysWith: { first, _ in first })
        for index in disks.indices {
            guard let stat = byKey[disks[index].key] else { continue }
            let faults = disks[index].faults
            disks[index].take(stat, at: now)
            if disks[index].faults != faults { ledger.changedDisks.insert(disks[index].key) }
        }
        // QEMU has no event for a disk that is plugged: another list is how it shows.
        let devices = stats.compactMap(\.qdev)
        if let listedDevices, devices != listedDevices { agenda.askForTopology() }
        listedDevices = devices
    }

    /// Devices of the last `query-blockstats`.
    private var listedDevices: [String]?

    private mutating func take(_ stats: [QMPStats], at now: Nanoseconds) {
        var counts: [String: UInt64] = [:]
        for vcpu in stats {
            for (name, value) in vcpu.values {
                if let count = value.uint64 { counts[name] = (counts[name] ?? 0) &+ count }
            }
        }
        previousKVMStats = kvmStats
        kvmStats = KVMStats.Reading(at: now, counts: counts)
    }

    private mutating func takeFact(_ reply: QMPReply, to query: QMPQuery, at now: Nanoseconds) {
        switch (query, reply) {
        case (.qomGet(let path, "limits"), .qomValue(let value)):
            limits[path.split(separator: "/").last.map(String.init) ?? path] = value
            describeAll()
        case (.qomGet(let path, let property), .qomValue(let value)):
            properties[path, property] = .value(value)
            change(\.objectPath, path) { $0.facts.take(value, of: property) }
            takeAdapter(at: path)
        case (.virtioStatus(let key), .virtioStatus(let status)):
            change(\.key, key) { $0.facts.take(status) }
        case (.virtioQueueStatus(let key, let number), .virtioQueueStatus(let queue)):
            change(\.key, key) { disk in
                disk.queues[Int(number)] = (now, queue)
                if let size = queue.size, size > 0 { disk.facts.queueSize = size }
            }
        default: break
        }
    }

    /// A SCSI disk is served by whoever serves its adapter; other adapters are the main loop's.
    /// Whichever of the two was plugged last, `path`, is the one to say so.
    private mutating func takeAdapter(at path: String) {
        for index in disks.indices {
            guard let adapter = disks[index].adapterPath(in: properties),
                [adapter, disks[index].objectPath].contains(path),
                let type = properties.value(adapter, "type")?.text
            else { continue }
            if type.hasPrefix("virtio-scsi") {
                for name in ["iothread", "iothread-vq-mapping"] {
                    guard let value = properties.value(adapter, name) else { continue }
                    disks[index].facts.take(value, of: name)
                }
            } else {
                disks[index].facts.ioThread = .some(nil)
            }
            describe(index)
        }
    }

    mutating func takeStatus(_ status: String, at now: Nanoseconds) {
        if self.status != status || ledger.statusSince == nil { ledger.statusSince = now }
        ledger.hasNews = ledger.hasNews || self.status != status
        self.status = status
    }

    /// Takes what was said of the disk whose `name` it is.
    private mutating func change(
        _ name: KeyPath<Disk, String>, _ value: String, _ body: (inout Disk) -> Void
    ) {
        guard let index = disks.firstIndex(where: { $0[keyPath: name] == value }) else { return }
        body(&disks[index])
        describe(index)
    }

    /// Brings what is said of every disk up to date.
    mutating func describeAll() {
        ledger.hasNews = true
        for index in disks.indices { describe(index) }
        for group in throttleGroups where limits[group] == nil {
            agenda.ask(.qomGet(path: "/objects/" + group, property: "limits"))
        }
    }

    /// The groups of throttle nodes under the disks, each once.
    var throttleGroups: [String] {
        var groups: [String] = []
        for disk in disks {
            guard let group = disk.throttleGroup(in: blockGraph), !groups.contains(group) else {
                continue
            }
            groups.append(group)
        }
        return groups
    }

    private mutating func describe(_ index: Int) {
        disks[index].describe(
            graph: blockGraph, pci: pci, commandLine: commandLine, limits: limits)
    }

    private mutating func redraw() {
        blockGraph = BlockGraph(nodes: nodes, graph: graph)
        describeAll()
    }
}

extension Disk {
    /// The throttle group whose limits are not in the disk's own description.
    fileprivate func throttleGroup(in graph: BlockGraph) -> String? {
        block.inserted.flatMap { BlockGraph.throttleGroup(of: graph.chain(from: $0)) }
    }
}

extension DiskFacts {
    fileprivate mutating func take(_ value: QMPValue, of property: String) {
        switch property {
        case "type": model = value.text
        case "num-queues": queues = value.uint64.flatMap { Int(exactly: $0) }
        case "queue-size": queueSize = value.uint64.flatMap { Int(exactly: $0) }
        case "iothread":
            let name = value.text?.split(separator: "/").last.map(String.init)
            // With a mapping this property is empty, and the mapping says more.
            if name != nil || ioThread == nil { ioThread = .some(name.map(clean)) }
        case "iothread-vq-mapping":
            var names: [String] = []
            for item in value.items ?? [] {
                if let name = item["iothread"]?.text, !names.contains(name) { names.append(name) }
            }
            if !names.isEmpty { ioThread = .some(clean(names.joined(separator: ","))) }
            mappedThreads = names.count
        default: break
        }
    }

    fileprivate mutating func take(_ status: QMPVirtioStatus) {
        if let offered = status.hostFeatures {
            let names = offered.device.union(offered.transport)
            // A block device has no such feature: QEMU 7.2 calls its bit 30 by vhost-user's name.
            hostFeatures = names.subtracting(["VHOST_USER_F_PROTOCOL_FEATURES"]).map(clean).sorted()
        }
        let taken = status.guestFeatures.map { $0.device.union($0.transport) } ?? []
        features = taken.map(clean).sorted()
        if status.deviceID == 2, let count = status.queueCount, count > 0 { queues = count }
    }
}
