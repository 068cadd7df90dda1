import Kernel
import Telemetry

/// A thread on the host's side of the engine, and what it serves.
struct Service: Sendable {
    enum Kind: Sendable {
        /// One device, all by itself.
        case device
        /// Several devices behind one doorbell.
        case ioThread(doorbell: EventDescriptor)
        /// All devices that live under the Big QEMU Lock.
        case mainLoop
        /// The virtio-scsi controller.
        case controller(SCSIController)
    }
    let kind: Kind
    let name: String
    let role: ThreadActivity.Role
    let queues: [QueueShared]
    /// Where its effort is counted, and at which words.
    let counters: SharedWords
    let busy: Int
    let poll: Int

    /// How it waits, whatever the others do; nil where it waits like them.
    var waitMode: WaitMode? {
        // A kernel's worker has nothing to poll with.
        queues.first?.configuration.path == .vhost ? .block : nil
    }
}

/// Which thread serves which queue.
struct ServiceShares {
    private let configuration: EngineConfiguration
    /// One for each shared IOThread.
    private let doorbells: [EventDescriptor]

    init(_ configuration: EngineConfiguration) throws {
        self.configuration = configuration
        let sharing = configuration.luns.reduce(0) {
            $0 + (Self.sharesIOThread($1.path) ? $1.queues : 0)
        }
        let count = min(configuration.ioThreads ?? 0, sharing)
        doorbells = try (0..<count).map { _ in try EventDescriptor() }
    }

    private static func sharesIOThread(_ path: IOPath) -> Bool {
        path == .dataPlane || path == .multiQueue
    }

    /// The shared doorbell of a queue; nil if it has its own.
    func doorbell(ofLUN lun: Int, queue: Int) -> EventDescriptor? {
        guard !doorbells.isEmpty, Self.sharesIOThread(configuration.luns[lun].path) else {
            return nil
        }
        return doorbells[(lun + queue) % doorbells.count]
    }

    /// The threads for `queues`, which are those of each LUN, and for `controller`.
    func services(of queues: [[QueueShared]], _ controller: SCSIController?) throws -> [Service] {
        let all = queues.joined()
        var services: [Service] = []
        for (index, doorbell) in doorbells.enumerated() {
            let mine = all.filter { $0.doorbell === doorbell }
            if mine.isEmpty { continue }
            services.append(
                try Self.loop(
                    .ioThread(doorbell: doorbell), "iothread\(index)", .iothread, mine))
        }
        for queue in all where !isShared(queue) {
            if let service = Self.own(queue) { services.append(service) }
        }
        if let controller {
            let behind = all.filter { $0.configuration.path == .virtioSCSI }
            services.append(
                try Self.loop(.controller(controller), "scsi0", .iothread, Array(behind)))
        }
        let old = all.filter(\.configuration.path.takesBigLock)
        if !old.isEmpty { services.append(try Self.loop(.mainLoop, "main loop", .main, old)) }
        return services
    }

    private func isShared(_ queue: QueueShared) -> Bool {
        doorbells.contains { $0 === queue.doorbell }
    }

    /// The thread of a queue that has one to itself.
    private static func own(_ queue: QueueShared) -> Service? {
        let lun = queue.configuration
        let name: String
        switch lun.path {
        case .dataPlane: name = "io \(lun.id)"
        case .multiQueue: name = "io \(lun.id).\(queue.number)"
        case .vhost: name = "vhost \(lun.id)"
        case .bigLock, .passThrough, .virtioSCSI, .ide: return nil
        }
        return Service(
            kind: .device, name: name, role: lun.path == .vhost ? .worker : .iothread,
            queues: [queue], counters: queue.counters.device,
            busy: DeviceCounter.busyTicks.rawValue, poll: DeviceCounter.pollTicks.rawValue)
    }

    private static func loop(
        _ kind: Service.Kind, _ name: String, _ role: ThreadActivity.Role, _ queues: [QueueShared]
    ) throws -> Service {
        Service(
            kind: kind, name: name, role: role, queues: queues,
            counters: try SharedWords(count: LoopCounter.allCases.count),
            busy: LoopCounter.busyTicks.rawValue, poll: LoopCounter.pollTicks.rawValue)
    }
}
