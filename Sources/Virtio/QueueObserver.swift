private import CKernel
public import Telemetry

/// The read-only end of a split virtqueue: what anybody can tell from the ring alone.
///
/// It serves rings of the engine in this process and copies of a foreign VM's alike. It writes
/// nothing, and nothing in the ring can make it fail: an incoherent ring gives an incoherent
/// observation, which says so.
public struct QueueObserver: Sendable {
    private let ring: SplitRing
    private let features: QueueFeatures
    private let index: Int

    /// An observer of `ring`, queue number `index` of its device.
    public init(ring: SplitRing, features: QueueFeatures, index: Int = 0) {
        self.ring = ring
        self.features = features
        self.index = index
    }

    /// The ring's state now.
    ///
    /// `used.idx` is read before `avail.idx`: the device cannot have used what was not yet
    /// available, so in-flight may come out too high by what was published between the loads, never
    /// negative.
    public func observe() -> Virtqueue {
        let used = ck_load16_acquire(ring.usedIndex)
        let avail = ck_load16_acquire(ring.availIndex)
        return Virtqueue(
            index: index, size: Int(ring.size), availIndex: avail, usedIndex: used,
            inFlight: min(Int(avail &- used), Int(ring.size)))
    }

    /// Whether the device asks to be kicked for the next chain.
    public var wantsKick: Bool {
        guard features.contains(.eventIndex) else {
            return ck_load16_relaxed(ring.usedFlags) & doNotNotify == 0
        }
        let avail = ck_load16_acquire(ring.availIndex)
        return ck_load16_relaxed(ring.availEvent) == avail
    }
}
