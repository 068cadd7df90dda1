/// One request's whole life, as the driver that reaps it can tell it: every stage's stamp in one
/// record.
///
/// Stamps are `CLOCK_MONOTONIC` nanoseconds; 0 means that the step did not happen (a kick or
/// interrupt that was suppressed because the other side was awake), or that the source did not see
/// it (a trace of another tool knows the submission and perhaps the completion).
public struct IOEvent: Sendable, Equatable {
    /// virtio-blk request type (virtio 1.2 §5.2.6): 0 IN, 1 OUT, 4 FLUSH, …
    public var type: UInt32
    /// The device's answer: 0 OK, 1 IOERR, 2 UNSUPP; `unknownStatus` where the source has none.
    public var status: UInt8
    /// Index of the LUN in its source's order.
    public var lun: UInt16
    /// Index of the virtqueue in its device.
    public var queue: UInt16
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
    /// By how much `queued` may be off in either direction, nanoseconds: half the time between the
    /// two looks at the ring that it lies between. 0 for a stamp that was taken as it happened.
    public var queuedError: UInt32 = 0
    /// Likewise of the stamp at its other end, `published` or `reaped`.
    public var endError: UInt32 = 0

    /// A record with all its stamps.
    public init(
        type: UInt32, status: UInt8, lun: UInt16, head: UInt16, sector: UInt64, byteCount: UInt32,
        queued: Nanoseconds, kicked: Nanoseconds, popped: Nanoseconds, submitted: Nanoseconds,
        completed: Nanoseconds, published: Nanoseconds, notified: Nanoseconds, reaped: Nanoseconds,
        queue: UInt16 = 0
    ) {
        self.type = type
        self.status = status
        self.lun = lun
        self.queue = queue
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

extension IOEvent {
    /// Stands for a status that is not known: what a driver writes before the device answers.
    public static let unknownStatus: UInt8 = 0xFF

    /// Stands for a type that is not known: the request was over before its chain could be read.
    public static let unknownType: UInt32 = 0xFFFF_FFFF

    /// By how much `latency` may be off in either direction, nanoseconds.
    @inlinable public var latencyError: Nanoseconds { UInt64(queuedError) + UInt64(endError) }

    /// Whether it may be off by as much as it is long: it was over too soon to tell its `latency`.
    @inlinable
    public func isUntold(_ latency: Nanoseconds) -> Bool {
        let error = latencyError
        return error > 0 && error >= latency
    }

    /// When the request began: the first of its stamps that is known, 0 if none is.
    public var start: Nanoseconds {
        if queued != 0 { return queued }
        if kicked != 0 { return kicked }
        return popped != 0 ? popped : submitted
    }

    /// When the request was over: the last of its stamps that is known, 0 if it is not.
    public var end: Nanoseconds {
        if reaped != 0 { return reaped }
        return published != 0 ? published : completed
    }

    /// From start to end, nanoseconds; `nil` where either is not known, or the end lies before the
    /// start.
    public var latency: Nanoseconds? {
        let (start, end) = (start, end)
        return start != 0 && end >= start ? end - start : nil
    }

    /// Nanoseconds spent in `stage`; `nil` where one of its two stamps is not known, or they run
    /// backwards. Where nobody saw what happened between popping and publishing, all of that is
    /// `storage`.
    public func time(in stage: StageTimes.Stage) -> Nanoseconds? {
        if stage == .storage, submitted == 0, completed == 0 {
            return popped != 0 && published >= popped ? published - popped : nil
        }
        let (from, to) =
            switch stage {
            case .ringWait: (queued, popped)
            case .submit: (popped, submitted)
            case .storage: (submitted, completed)
            case .complete: (completed, published)
            case .notify: (published, reaped)
            }
        return from != 0 && to >= from ? to - from : nil
    }
}
