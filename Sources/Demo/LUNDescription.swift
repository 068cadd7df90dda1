import DataPlane
import Kernel
import Telemetry

extension LUN {
    /// What the LUN of `configuration` is; `servers` are the threads on the host's side that serve
    /// it, `costs` those that are modelled.
    init(
        _ configuration: LUNConfiguration,
        servedBy servers: [(name: String, role: ThreadActivity.Role)], costs: ModelledCosts
    ) {
        let path = configuration.path
        self.init(id: configuration.id, device: path.device + " (embedded)")
        self.path = path.rawValue
        if path.hasVirtqueues {
            queues = configuration.queues
            queueSize = configuration.queueSize
        }
        let threads = servers.filter { $0.role != .main }.map(\.name)
        ioThread = threads.isEmpty ? nil : threads.joined(separator: ",")
        isOnMainLoop = path.takesBigLock
        format = "raw"
        switch configuration.backend {
        case .null: file = "null"
        case .memory: file = "memory"
        case .file(let backing, let access):
            file = backing.name
            if access.format != .raw { format = "qcow2" }
            cache = access.cache.rawValue
            aio = access.model.nameInQEMU
        }
        modelled = Self.modelled(configuration, costs)
    }

    private static func modelled(
        _ configuration: LUNConfiguration, _ costs: ModelledCosts
    ) -> String? {
        var parts: [String] = []
        if let service = configuration.serviceTime {
            let stall =
                service.stallFor > 0 ? ", stalls of \(service.stallFor / 1_000_000) ms" : ""
            parts.append("service time \(service.mean / 1000) us added" + stall)
        }
        if let model = configuration.storageModel { parts.append(model.description) }
        // A guest that has the device itself leaves for nothing.
        if configuration.path != .passThrough, let costs = costs.description {
            parts.append(costs)
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    /// What rules ask about it besides, in QEMU's terms.
    func facts(isReadOnly: Bool) -> [Fact] {
        let (subject, source) = (Subject(.lun(id)), "the demo's options")
        var facts = [Fact(subject, .isReadOnly, .flag(isReadOnly), from: source)]
        guard let cache else { return facts }
        let isDirect = cache == "none" || cache == "directsync"
        let isWriteback = cache != "writethrough" && cache != "directsync"
        facts.append(Fact(subject, .isDirect, .flag(isDirect), from: source))
        facts.append(Fact(subject, .isWriteback, .flag(isWriteback), from: source))
        facts.append(Fact(subject, .ignoresFlushes, .flag(cache == "unsafe"), from: source))
        return facts
    }
}

extension IOPath {
    /// The kind of device that the guest has.
    fileprivate var device: String {
        switch self {
        case .dataPlane, .multiQueue, .bigLock, .vhost: "virtio-blk"
        case .passThrough: "pass-through"
        case .virtioSCSI: "virtio-scsi"
        case .ide: "ide"
        }
    }

    /// Whether requests go through virtqueues, of whichever device.
    fileprivate var hasVirtqueues: Bool { hasBlockQueue || self == .virtioSCSI }
}
