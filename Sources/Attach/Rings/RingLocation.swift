import Rings

/// Where a VM's virtqueues are, for whoever reads them.
struct RingLocation: Sendable, Equatable {
    /// Another one whenever anything else here is; it only goes up.
    var generation: Int
    var ram: GuestRAM
    /// The virtqueues that a driver uses, by disks, the busiest when they were found first.
    var places: [RingPlace]
}
