import Kernel
import Virtio

/// What is made of a backend once its type is known.
protocol BackendUser {
    associatedtype Result
    func use<B: Backend & ~Copyable>(_ backend: consuming B) -> Result
}

/// A device with the backend.
struct DeviceMaker: BackendUser {
    let queue: QueueShared
    let waitMode: WaitMode
    let pollTicks: UInt64

    func use<B: Backend & ~Copyable>(_ backend: consuming B) -> BlockDevice {
        BlockDevice(
            Device(shared: queue, backend: backend, waitMode: waitMode, pollTicks: pollTicks))
    }
}

/// The backend alone.
struct BoxMaker: BackendUser {
    func use<B: Backend & ~Copyable>(_ backend: consuming B) -> BackendBox {
        BackendBox(backend)
    }
}

/// The RAM disks of an engine's LUNs, which all queues of a LUN share.
struct MemoryDisks {
    private var disks: [Int: SharedMapping] = [:]

    /// That of LUN number `lun`, made when it is first asked for.
    mutating func disk(ofLUN lun: Int, byteCount: Int64) throws -> SharedMapping {
        if let disk = disks[lun] { return disk }
        let disk = try SharedMapping(byteCount: Int(byteCount))
        disks[lun] = disk
        return disk
    }
}

/// What is made of a backend once it is known whether its answers are held for a modelled time.
private struct Delaying<User: BackendUser>: BackendUser {
    let user: User
    let lun: LUNConfiguration
    let slots: Int
    let seed: UInt64

    func use<B: Backend & ~Copyable>(_ backend: consuming B) -> User.Result {
        guard lun.serviceTime != nil || lun.storageModel != nil else { return user.use(backend) }
        var model = lun.storageModel
        model?.sectors = lun.backend.sectors
        return user.use(
            DelayBackend(
                backend, slots: slots, serviceTime: lun.serviceTime, model: model, seed: seed))
    }
}

extension LUNConfiguration {
    /// Segments of data in one request to the backend.
    private var backendSegments: Int {
        path == .ide ? PRDTable.mostEntries(byteCount: job.blockSize) : segmentLimit
    }

    /// Hands `user` the LUN's file behind `requests`, as the format of its image wants it.
    fileprivate func open<Requests: FileRequests & ~Copyable, User: BackendUser>(
        _ file: BackingFile, _ access: FileAccess, _ requests: consuming Requests, slots: Int,
        for user: User
    ) throws -> User.Result {
        switch access.format {
        case .raw:
            user.use(
                FileBackend(
                    file: file, cache: access.cache, requests: requests, queueSize: slots,
                    segmentLimit: backendSegments))
        case .qcow2:
            user.use(
                try Qcow2Backend(
                    file: file, cache: access.cache, requests: requests, queueSize: slots,
                    segmentLimit: backendSegments))
        }
    }
}

extension Engine {
    /// Hands `user` a backend for `queue` that takes requests in slots `0..<slots` and signals the
    /// queue's doorbell.
    func backend<User: BackendUser>(
        of queue: QueueShared, slots: Int, _ disks: inout MemoryDisks, _ user: User
    ) throws -> User.Result {
        let lun = queue.configuration
        let user = Delaying(user: user, lun: lun, slots: slots, seed: queue.job.seed)
        switch lun.backend {
        case .null: return user.use(NullBackend())
        case .memory(let byteCount):
            return user.use(
                MemoryBackend(disk: try disks.disk(ofLUN: queue.index, byteCount: byteCount)))
        case .file(let file, let access):
            let event = queue.doorbell
            switch access.model {
            case .aio:
                let requests = try AIOContext(capacity: slots, signalling: event)
                return try lun.open(file, access, requests, slots: slots, for: user)
            case .threads:
                let requests = try WorkerPool(
                    capacity: slots, owner: lun.id, signalling: event)
                return try lun.open(file, access, requests, slots: slots, for: user)
            case .ioUring:
                let requests = try UringContext(capacity: slots, signalling: event)
                return try lun.open(file, access, requests, slots: slots, for: user)
            }
        }
    }

    /// The virtio-blk devices that `service` serves.
    func blockDevices(
        of service: Service, _ waitMode: WaitMode, _ pollTicks: UInt64, _ disks: inout MemoryDisks
    ) throws -> [BlockDevice] {
        try service.queues.filter(\.configuration.path.hasBlockQueue).map { queue in
            try backend(
                of: queue, slots: queue.configuration.queueSize, &disks,
                DeviceMaker(queue: queue, waitMode: waitMode, pollTicks: pollTicks))
        }
    }

    /// The host's side of all IDE channels, by LUN.
    func ideControllers(_ disks: inout MemoryDisks) throws -> [Int: IDEController] {
        guard let bigLock else { return [:] }
        var controllers: [Int: IDEController] = [:]
        for queue in queues.joined() where queue.configuration.path == .ide {
            controllers[queue.index] = try IDEController(
                shared: queue, backend: try backend(of: queue, slots: 1, &disks, BoxMaker()),
                lock: bigLock, mainLoop: vcpus.count)
        }
        return controllers
    }

    /// The device end of `controller`, whose units `service` serves.
    func adapter(
        of controller: SCSIController, _ service: Service, _ disks: inout MemoryDisks
    ) throws -> SCSIAdapter {
        let slots = SCSIAdapter.slots(of: controller)
        return SCSIAdapter(
            controller: controller, units: service.queues,
            backends: try service.queues.map {
                try backend(of: $0, slots: slots, &disks, BoxMaker())
            })
    }

    /// What `vcpu` reaches its LUNs through.
    func ways(
        of vcpu: VCPU, _ disks: inout MemoryDisks, _ channels: [Int: IDEController]
    ) throws -> VCPUWays {
        var ways = VCPUWays()
        ways.backends = try vcpu.queues(on: .passThrough).map {
            try backend(of: $0, slots: $0.job.slots, &disks, BoxMaker())
        }
        ways.controllers = vcpu.queues(on: .ide).compactMap { channels[$0.index] }
        if let controller {
            ways.rings = controller.rings.filter { $0.vcpu == vcpu.index }
            ways.units = vcpu.queues(on: .virtioSCSI).compactMap {
                controller.luns.firstIndex(of: $0.index)
            }
        }
        return ways
    }
}
