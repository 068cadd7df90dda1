// The virtqueues of a foreign VM, read from outside: which memory is looked at, how often, and what
// the indices, descriptors and headers found there come to. It only reads, and nothing found in
// that memory is believed: it may change between two loads, or vanish.

public import Virtio

/// One virtqueue of a VM: where it stands, and which rules its two sides keep.
public struct RingPlace: Sendable, Hashable {
    /// The forms of a virtqueue.
    public enum Layout: Sendable, Hashable {
        /// virtio 1.2 §2.7
        case split
        /// virtio 1.2 §2.8
        case packed
    }

    /// `LUN.id`.
    public var lun: String
    /// Number of the queue in its device.
    public var queue: Int
    /// Descriptors in the ring.
    public var size: Int
    public var layout: Layout
    /// Guest-physical address of the descriptor table, or of the packed ring.
    public var descriptors: GuestAddress
    /// Guest-physical address of the avail ring, or of the driver's event suppression.
    public var avail: GuestAddress
    /// Guest-physical address of the used ring, or of the device's event suppression.
    public var used: GuestAddress
    public var features: QueueFeatures
    /// Whether the device writes into `avail_event` how far it has popped: QEMU and libvhost-user
    /// do with EVENT_IDX, others write it only before they sleep.
    public var showsPops: Bool
    /// Whether the driver writes into `used_event` how far it has reaped: Linux does with
    /// EVENT_IDX.
    public var showsReaps: Bool

    /// A virtqueue of the LUN `lun`.
    public init(
        lun: String, queue: Int, size: Int, layout: Layout, descriptors: GuestAddress,
        avail: GuestAddress, used: GuestAddress, features: QueueFeatures, showsPops: Bool,
        showsReaps: Bool
    ) {
        self.lun = lun
        self.queue = queue
        self.size = size
        self.layout = layout
        self.descriptors = descriptors
        self.avail = avail
        self.used = used
        self.features = features
        self.showsPops = showsPops
        self.showsReaps = showsReaps
    }
}
