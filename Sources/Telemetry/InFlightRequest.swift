/// A request that is under way at the instant of the sample, as its virtqueue shows it.
public struct InFlightRequest: Sendable, Equatable {
    /// Who has to act next: where a request that does not move is stuck.
    public enum Place: String, Sendable, Equatable, CaseIterable, Codable {
        /// The driver published it, the device has not popped it: a lost kick, or an IOThread that
        /// is starved, stopped or dead.
        case ring
        /// The device popped it and has not completed it: the backend.
        case device
        /// Published and not completed; the device does not show what it has popped.
        case ringOrDevice = "ring_or_device"
        /// The device completed it, the driver has not reaped it: a lost interrupt, or a vCPU that
        /// does not run.
        case used
    }
    /// `LUN.qualifiedID`.
    public var lun: String
    /// Number of the virtqueue in its device.
    public var queue: Int
    /// Head descriptor, or the buffer id of a packed ring.
    public var head: UInt16
    /// virtio-blk request type (virtio 1.2 §5.2.6); `nil` where the chain could not be read while
    /// it was certainly under way.
    public var type: UInt32?
    /// First 512-byte sector; `nil` likewise, and for a request without one.
    public var sector: UInt64?
    /// Data bytes; `nil` likewise.
    public var byteCount: UInt64?
    /// Since when it is known to be under way, `CLOCK_MONOTONIC` nanoseconds.
    public var since: Nanoseconds
    /// Time since the driver published it, microseconds; at least this, where it was there when the
    /// observer came.
    public var age: Double
    /// The age may be more by this, microseconds; `nil`: by any amount.
    public var ageUncertainty: Double?
    public var place: Place

    /// A request of `lun` at `place`, of which nothing else is known yet.
    public init(
        lun: String, queue: Int, head: UInt16, since: Nanoseconds, age: Double, place: Place
    ) {
        self.lun = lun
        self.queue = queue
        self.head = head
        self.since = since
        self.age = age
        self.place = place
    }
}

/// A request that is over, with all its stages, kept because it was slow.
public struct SlowRequest: Sendable, Equatable {
    /// `LUN.qualifiedID`.
    public var lun: String
    public var request: IOEvent

    /// `request` of the LUN called `lun`.
    public init(lun: String, request: IOEvent) {
        self.lun = lun
        self.request = request
    }
}
