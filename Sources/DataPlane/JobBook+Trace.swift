import Kernel
import Telemetry
import Virtio

/// When a request passed the stages of its path, in ticks.
struct RequestLife {
    /// When the device took it.
    var popped: UInt64
    /// When the backend had it.
    var submitted: UInt64
    /// When the device saw that the backend was through with it.
    var completed: UInt64
    /// When the guest could see that.
    var published: UInt64
}

extension JobBook {
    /// Does from now on what the engine's owner wants noted.
    @inline(__always)
    mutating func followOrders() {
        traceMode = shared.orders.trace
        recordMask = (1 &<< UInt64(shared.orders.recordShift)) &- 1
    }

    /// Folds the stages of the request in slot `index` and, if wanted, writes its record. Stamps of
    /// a time before tracing was switched on are not in order and are left out.
    ///
    /// Mutating in name only, like others here: a `self` of this size that is merely borrowed would
    /// be copied for every call.
    mutating func note(
        _ index: Int, head: UInt16, status: UInt8, _ life: RequestLife, reaped: UInt64
    ) {
        let slot = slots[index]
        guard slot.queued <= life.popped, life.popped <= life.submitted,
            life.submitted <= life.completed, life.completed <= life.published,
            life.published <= reaped
        else { return }
        counters.add(1, to: .staged)
        fold(.ringWait, life.popped &- slot.queued)
        fold(.submit, life.submitted &- life.popped)
        fold(.storage, life.completed &- life.submitted)
        fold(.complete, life.published &- life.completed)
        fold(.notify, reaped &- life.published)
        guard traceMode == .requests else { return }
        recordNumber &+= 1
        guard recordNumber & recordMask == 0 else { return }
        let interrupt = counters[DeviceCounter.lastInterrupt]
        trace.append(
            TraceRing.Record(
                type: slot.type, status: status, lun: UInt16(truncatingIfNeeded: shared.index),
                head: head, sector: slot.sector, byteCount: slot.byteCount, queued: slot.queued,
                kicked: slot.kicked, popped: life.popped, submitted: life.submitted,
                completed: life.completed, published: life.published,
                notified: interrupt >= life.published && interrupt <= reaped ? interrupt : 0,
                reaped: reaped))
    }

    @inline(__always)
    private func fold(_ stage: StageTimes.Stage, _ ticks: UInt64) {
        counters.countStage(stage, ticks: ticks, nanoseconds: rate.nanoseconds(ticks))
    }
}
