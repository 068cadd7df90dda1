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

    func use<B: Backend & ~Copyable>(_ backend: consuming B) -> LoopDevice {
        LoopDevice(
            Device(shared: queue, backend: backend, waitMode: waitMode, pollTicks: pollTicks))
    }
}

/// The backend alone.
struct BoxMaker: BackendUser {
    func use<B: Backend & ~Copyable>(_ backend: consuming B) -> any AnyBackend {
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

extension Engine {
    /// Hands `user` a backend for `queue` that takes `slots` requests at a time and signals the
    /// queue's doorbell.
    func backend<User: BackendUser>(
        of queue: QueueShared, slots: Int, _ disks: inout MemoryDisks, _ user: User
    ) throws -> User.Result {
        switch queue.configuration.backend {
        case .null: return user.use(NullBackend())
        case .memory(let byteCount):
            return user.use(
                MemoryBackend(disk: try disks.disk(ofLUN: queue.index, byteCount: byteCount)))
        case .aio(let file):
            return user.use(
                try AIOBackend(
                    file: file, queueSize: slots,
                    segmentLimit: queue.configuration.segmentLimit, signalling: queue.doorbell))
        }
    }
}
