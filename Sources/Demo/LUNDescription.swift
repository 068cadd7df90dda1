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
        let settings = configuration.settings.map { ", " + $0 }.joined()
        self.init(id: configuration.id, device: path.device + " (embedded)" + settings)
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
        let parts = configuration.modelled(costs).map(\.words)
        modelled = parts.isEmpty ? nil : parts.joined(separator: "; ")
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

/// Something that is modelled and not incurred.
struct Modelled {
    /// What it is, and what it costs each time, nanoseconds; nil for what is no single number.
    var name: String
    var nanoseconds: UInt64?
    /// In a sentence about a LUN.
    var words: String
}

extension LUNConfiguration {
    /// What of the LUN is modelled, with `costs` besides.
    func modelled(_ costs: ModelledCosts) -> [Modelled] {
        var parts: [Modelled] = []
        if let service = serviceTime {
            let stall =
                service.stallFor > 0 ? ", stalls of \(service.stallFor / 1_000_000) ms" : ""
            parts.append(
                Modelled(
                    name: "service time", nanoseconds: service.mean,
                    words: "service time \(service.mean / 1000) us added" + stall))
        }
        if let model = storageModel {
            let name = "delay " + model.description
            parts.append(Modelled(name: name, nanoseconds: nil, words: name))
        }
        // A guest that has the device itself leaves for nothing.
        guard path.hasExits else { return parts }
        for (name, cost) in [("exit", costs.vmExit), ("injection", costs.interruptInjection)]
        where cost > 0 {
            parts.append(
                Modelled(name: name, nanoseconds: cost, words: "\(name)s of \(cost) ns"))
        }
        return parts
    }

    /// What is set otherwise than usual, in words.
    var settings: [String] {
        var settings: [String] = []
        if driver == .request { settings.append("request-based driver") }
        if let coalescing = coalescing.description { settings.append(coalescing) }
        if !batchesKicks { settings.append("a kick for each request") }
        if !hasPVEOI { settings.append("no PV-EOI") }
        return settings
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
}
