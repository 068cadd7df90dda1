public import Virtio

/// Where a virtqueue of the engine is: the memory of its LUN begins with its descriptors.
public struct EngineRing: Sendable {
    /// Its number among the LUN's queues.
    public let number: Int
    /// Descriptors in the table.
    public let size: Int
    public let features: QueueFeatures
    /// Guest-physical addresses of its parts.
    public let descriptors: GuestAddress
    public let avail: GuestAddress
    public let used: GuestAddress
    /// Where `descriptors` is mapped in this process.
    public let host: UInt64
    /// Bytes of the LUN's memory.
    public let byteCount: UInt64
}
