public import Bench
public import DataPlane
import Kernel

/// How guest and host deal with requests, as the command line sets it for all LUNs; the demo and
/// the bench have it alike. A path that has no such thing goes without.
public struct PathSettings: Sendable {
    /// Virtqueues of each LUN on `IOPath.multiQueue`, 1…8; nil is one for each vCPU.
    public var queues: Int?
    /// IOThreads that all queues share, 1…1024; nil gives each queue its own, where a scenario is
    /// not about sharing.
    public var ioThreads: Int?
    /// How the guest's driver puts requests into the ring.
    public var driver = GuestDriver.bio
    /// How devices hold interrupts back.
    public var coalescing = InterruptCoalescing.none
    /// Whether the guest kicks once for all requests that it places together.
    public var batchesKicks = true
    /// Whether the guest ends an interrupt by a write to memory, without an exit.
    public var hasPVEOI = true
    /// What a real guest would pay and this one does not, added where it would arise.
    public var costs = ModelledCosts()
    /// A class of storage whose times are added to those of the backend.
    public var storageModel: StorageModel?

    /// A guest as it is today, on a host that shares nothing.
    public init() {}

    /// Sets whatever the path of `lun` has, whose guest has `vcpus`.
    func apply(to lun: inout LUNConfiguration, vcpus: Int) {
        let path = lun.path
        if path == .multiQueue {
            // A queue for each CPU, as a guest's block layer has them.
            lun.queues =
                queues
                ?? max(1, min(vcpus, LUNConfiguration.mostQueues, lun.job.depth * lun.job.jobs))
        }
        lun.driver = path.hasBlockQueue ? driver : .bio
        lun.coalescing = path.hasBlockQueue ? coalescing : .none
        lun.batchesKicks = batchesKicks || !path.batchesKicks
        lun.hasPVEOI = hasPVEOI || !path.hasExits
        if let storageModel { lun.storageModel = storageModel }
    }

    /// What of it would do nothing on any of `paths`, in the words of the command line; nil if all
    /// of it makes sense.
    public func fault(on paths: [IOPath]) -> String? {
        let usual = PathSettings()
        let wanted: [(option: String, isSet: Bool, has: (IOPath) -> Bool)] = [
            ("--queues", queues != nil, { $0 == .multiQueue }),
            ("--io-threads", ioThreads != nil, { $0.hasIOThreads }),
            ("--driver", driver != usual.driver, { $0.hasBlockQueue }),
            ("--coalesce", coalescing != usual.coalescing, { $0.hasBlockQueue }),
            ("--no-kick-batching", !batchesKicks, { $0.batchesKicks }),
            ("--no-pv-eoi", !hasPVEOI, { $0.hasExits }),
            ("--vm-exit-ns", costs.vmExit > 0, { $0.hasExits }),
            ("--injection-ns", costs.interruptInjection > 0, { $0.hasExits }),
        ]
        for setting in wanted where setting.isSet && !paths.contains(where: setting.has) {
            let those = IOPath.allCases.filter(setting.has).map(\.rawValue)
            let word = those.count == 1 ? "the path" : "the paths"
            return "\(setting.option) is about \(word) \(those.joined(separator: ", "))"
        }
        return nil
    }

    /// `setup` with what it is that runs: the settings that its path has.
    public func describe(_ setup: BenchSetup) -> BenchSetup {
        guard let path = IOPath(rawValue: setup.path) else { return setup }
        var lun = LUNConfiguration(
            id: "", backend: .null(byteCount: 0), job: JobConfiguration())
        lun.path = path
        lun.job.depth = setup.queueDepth
        apply(to: &lun, vcpus: processorCount())
        var setup = setup
        setup.queues = path.hasVirtqueues ? lun.queues : nil
        setup.ioThreads = path.hasIOThreads ? ioThreads : nil
        setup.driver = path.hasBlockQueue ? driver.rawValue : nil
        setup.coalescing = path.hasBlockQueue ? coalescing.word : nil
        setup.batchesKicks = path.batchesKicks ? batchesKicks : nil
        setup.hasPVEOI = path.hasExits ? hasPVEOI : nil
        setup.modelled = lun.modelled(costs).map {
            ModelledCost(name: $0.name, nanoseconds: $0.nanoseconds)
        }
        return setup
    }
}

extension IOPath {
    /// Whether requests go through virtqueues, of whichever device.
    var hasVirtqueues: Bool { hasBlockQueue || self == .virtioSCSI }
    /// Whether its queues are served by IOThreads, which they can share.
    var hasIOThreads: Bool { self == .dataPlane || self == .multiQueue }
    /// Whether its guest leaves for anything: one that has the device itself does not.
    var hasExits: Bool { self != .passThrough }
}

extension InterruptCoalescing {
    /// The command line's word for it: `none`, `in-flight`, `FRAMES:MICROSECONDS`.
    var word: String {
        switch self {
        case .none: "none"
        case .inFlight: "in-flight"
        case .frames(let frames, let nanoseconds): "\(frames):\(nanoseconds / 1000)"
        }
    }
}
