/// How the guest's driver puts requests into the ring.
public enum GuestDriver: String, Sendable, CaseIterable {
    /// Each request straight into the ring (`virtio_blk.use_bio=1` in 2013).
    case bio
    /// Through the block layer's request queue, whose lock is taken for each request that comes in,
    /// goes out, and ends: a deadline scheduler sorts, and merges neighbours.
    case request
}
