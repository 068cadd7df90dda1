/// One request's whole life, as the driver that reaps it can tell it: every stage's stamp in one
/// record.
///
/// Stamps are `CLOCK_MONOTONIC` nanoseconds; 0 means that the step did not happen (a kick or
/// interrupt that was suppressed because the other side was awake).
public struct IOEvent: Sendable, Equatable {
    /// virtio-blk request type (virtio 1.2 §5.2.6): 0 IN, 1 OUT, 4 FLUSH, …
    public var type: UInt32
    /// The device's answer: 0 OK, 1 IOERR, 2 UNSUPP.
    public var status: UInt8
    /// Index of the LUN in its source's order.
    public var lun: UInt16
    /// Head descriptor, which is unique among the requests in flight of a queue.
    public var head: UInt16
    /// First 512-byte sector.
    public var sector: UInt64
    /// Data bytes.
    public var byteCount: UInt32
    /// Published in the avail ring by the driver.
    public var queued: Nanoseconds
    /// The driver notified the device.
    public var kicked: Nanoseconds
    /// Taken from the avail ring by the device.
    public var popped: Nanoseconds
    /// Handed to the backend.
    public var submitted: Nanoseconds
    /// Completed by the backend.
    public var completed: Nanoseconds
    /// Published in the used ring.
    public var published: Nanoseconds
    /// The device notified the driver.
    public var notified: Nanoseconds
    /// Seen by the driver.
    public var reaped: Nanoseconds

    /// A record with all its stamps.
    public init(
        type: UInt32, status: UInt8, lun: UInt16, head: UInt16, sector: UInt64, byteCount: UInt32,
        queued: Nanoseconds, kicked: Nanoseconds, popped: Nanoseconds, submitted: Nanoseconds,
        completed: Nanoseconds, published: Nanoseconds, notified: Nanoseconds, reaped: Nanoseconds
    ) {
        self.type = type
        self.status = status
        self.lun = lun
        self.head = head
        self.sector = sector
        self.byteCount = byteCount
        self.queued = queued
        self.kicked = kicked
        self.popped = popped
        self.submitted = submitted
        self.completed = completed
        self.published = published
        self.notified = notified
        self.reaped = reaped
    }
}
