/// An answer, typed by what was asked.
///
/// Members that this QEMU does not send, or sends as something else, are `nil`: replies have grown
/// over the years, and the unstable ones changed.
public enum QMPReply: Sendable, Equatable {
    case version(QMPVersion)
    case commands(Set<String>)
    /// `nil` for a VM without a name.
    case name(String?)
    case status(QMPStatus)
    case kvm(QMPAcceleration)
    case cpus([QMPCPU])
    case ioThreads([QMPIOThread])
    case block([QMPBlockDevice])
    case blockStats([QMPBlockStats])
    case namedBlockNodes([QMPBlockNode])
    case blockGraph(QMPBlockGraph)
    case pci([QMPPCIDevice])
    case memorySize(QMPMemorySize)
    case migration(QMPMigration)
    case blockJobs([QMPBlockJob])
    case machines([QMPMachineType])
    case memoryBackends([QMPMemoryBackend])
    /// What the balloon leaves to the guest, bytes; `nil` if QEMU does not say.
    case balloon(UInt64?)
    case ramBlocks([QMPRAMBlock])
    case qomValue(QMPValue)
    case qomList([QMPProperty])
    case virtio([QMPVirtioDevice])
    case virtioStatus(QMPVirtioStatus)
    case virtioQueueStatus(QMPVirtioQueue)
    case vhostQueueStatus(QMPVhostQueue)
    case stats([QMPStats])
    /// Lines of text, ended by `\n`.
    case monitorText(String)
    /// Whether QEMU profiles its locks.
    case lockProfileState(isOn: Bool)
    case lockProfile(QMPLockProfile)
    /// A change was made.
    case changed

    /// The answer to `query`, `nil` if `value` has another shape.
    init?(_ value: JSONValue, to query: QMPQuery) {
        switch query {
        case .version, .name, .status, .kvm, .memorySize, .migration, .blockGraph,
            .virtioStatus, .virtioQueueStatus, .vhostQueueStatus, .balloon, .ramBlocks:
            guard value.isObject else { return nil }
            self.init(object: value, to: query)
        case .qomGet:
            guard let copy = QMPValue(value) else { return nil }
            self = .qomValue(copy)
        case .monitorText(let line):
            guard let text = value.lines else { return nil }
            self.init(text: String(text.unicodeScalars.filter { $0 != "\r" }), to: line)
        default:
            guard value.isArray else { return nil }
            self.init(array: value, to: query)
        }
    }

    private init?(object value: JSONValue, to query: QMPQuery) {
        switch query {
        case .version: self = .version(QMPVersion(value))
        case .name: self = .name(value["name"]?.text)
        case .status: self = .status(QMPStatus(value))
        case .kvm: self = .kvm(QMPAcceleration(value))
        case .memorySize: self = .memorySize(QMPMemorySize(value))
        case .migration: self = .migration(QMPMigration(value))
        case .blockGraph: self = .blockGraph(QMPBlockGraph(value))
        case .balloon: self = .balloon(value["actual"]?.uint64)
        case .ramBlocks:
            guard let text = value["human-readable-text"]?.lines else { return nil }
            self = .ramBlocks(QMPRAMBlock.all(in: text))
        case .virtioStatus: self = .virtioStatus(QMPVirtioStatus(value))
        case .virtioQueueStatus: self = .virtioQueueStatus(QMPVirtioQueue(value))
        case .vhostQueueStatus: self = .vhostQueueStatus(QMPVhostQueue(value))
        default: return nil
        }
    }

    private init?(text: String, to line: HarmlessText) {
        switch line {
        case .lockProfileState:
            guard let isOn = QMPLockProfile.isOn(text) else { return nil }
            self = .lockProfileState(isOn: isOn)
        case .lockProfile:
            guard let profile = QMPLockProfile(text) else { return nil }
            self = .lockProfile(profile)
        case .memoryMap, .hostAddress, .block, .ramBlocks: self = .monitorText(text)
        }
    }

    private init?(array value: JSONValue, to query: QMPQuery) {
        let objects = value.items.lazy.filter(\.isObject)
        switch query {
        case .commands: self = .commands(Set(objects.compactMap { $0["name"]?.text }))
        case .cpus: self = .cpus(objects.map { QMPCPU($0) })
        case .ioThreads: self = .ioThreads(objects.map { QMPIOThread($0) })
        case .block: self = .block(objects.map { QMPBlockDevice($0) })
        case .blockStats: self = .blockStats(objects.map { QMPBlockStats($0) })
        case .namedBlockNodes: self = .namedBlockNodes(objects.map { QMPBlockNode($0) })
        case .pci: self = .pci(QMPPCIDevice.all(in: value))
        case .blockJobs: self = .blockJobs(objects.map { QMPBlockJob($0) })
        case .machines: self = .machines(objects.map { QMPMachineType($0) })
        case .memoryBackends: self = .memoryBackends(objects.map { QMPMemoryBackend($0) })
        case .qomList: self = .qomList(objects.map { QMPProperty($0) })
        case .virtio: self = .virtio(objects.map { QMPVirtioDevice($0) })
        case .stats: self = .stats(objects.map { QMPStats($0) })
        default: return nil
        }
    }
}
