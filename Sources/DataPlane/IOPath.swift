/// The ways from a guest's request to its storage, each built as the real one is.
public enum IOPath: String, CaseIterable, Sendable {
    /// virtio-blk-data-plane: a thread of its own for each LUN, which takes whole batches from the
    /// ring and takes no lock.
    case dataPlane = "data-plane"
    /// virtio-blk with several queues, each served by an IOThread of its own (IOThread–virtqueue
    /// mapping).
    case multiQueue = "multi-queue"
    /// virtio-blk as it was before data-plane: one select loop for all LUNs under one mutex, the
    /// Big QEMU Lock, which exits of the vCPUs take too; a submission and a notification a request.
    case bigLock = "big-lock"
    /// vhost-blk: a worker for each device that submits straight from its handler, as the kernel's
    /// does.
    case vhost
    /// The guest drives the storage itself: its own thread does the AIO, nobody stands between.
    case passThrough = "pass-through"
    /// virtio-scsi: one controller for all LUNs, which parses commands and looks their LUN up.
    case virtioSCSI = "virtio-scsi"
    /// An emulated IDE disk: one request at a time, a trap for each access to a register.
    case ide
}
