import Kernel
import Telemetry
import Virtio

/// The request queue between a guest's jobs and its driver: the scheduler, and the lock that the
/// request-based driver takes around it.
///
/// Flushes go ahead of everything, for they concern only what has completed.
struct RequestQueue: ~Copyable {
    private let lock: CountedLock?
    /// Whether the driver has one; without it nothing comes in.
    let isUsed: Bool
    private let counters: LUNCounterBlock
    private var scheduler: RequestScheduler
    /// Flushes that wait, as slots.
    private let flushes: FixedArray<UInt16>
    private var flushCount = 0

    /// The queue of `shared`, around whose request lock it is.
    init(shared: QueueShared) {
        lock = shared.requestLock
        isUsed = lock != nil
        counters = shared.counters
        scheduler = RequestScheduler(
            slotCount: isUsed ? shared.job.slots : 0,
            limits: RequestScheduler.Limits(
                segmentCount: Self.segmentLimit(of: shared.configuration)))
        flushes = FixedArray(repeating: 0, count: isUsed ? shared.job.slots : 0)
    }

    /// Segments of the largest request for `lun`: where chains are direct, it must find room in the
    /// ring itself.
    static func segmentLimit(of lun: LUNConfiguration) -> Int {
        let room = lun.features.contains(.indirect) ? lun.tableEntries : lun.queueSize
        return max(1, min(lun.segmentLimit, room - 2))
    }

    /// Requests that wait, merged ones counted once.
    var count: Int { scheduler.count + flushCount }

    /// The slot that follows `slot` in a merged request; nil after the last.
    func part(after slot: Int) -> Int? {
        scheduler.part(after: UInt16(truncatingIfNeeded: slot)).map { Int($0) }
    }

    /// Takes in the request in slot `index` at `now` nanoseconds.
    mutating func insert(_ index: Int, _ slot: JobBook.Slot, now: Nanoseconds) {
        lock?.lock(as: 0)
        defer { lock?.unlock() }
        let number = UInt16(truncatingIfNeeded: index)
        if slot.byteCount == 0 {
            flushes[flushCount] = number
            flushCount += 1
            return
        }
        let request = RequestScheduler.Request(
            slot: number, isWrite: slot.type == BlockRequestType.write, sector: slot.sector,
            byteCount: slot.byteCount)
        if scheduler.insert(request, now: now) == .merged { counters.add(1, to: .merges) }
    }

    /// Takes out what goes to the driver next at `now` nanoseconds; nil if nothing waits.
    mutating func dispatch(now: Nanoseconds) -> RequestScheduler.Dispatched? {
        lock?.lock(as: 0)
        defer { lock?.unlock() }
        if flushCount > 0 {
            flushCount -= 1
            return RequestScheduler.Dispatched(
                first: flushes[flushCount], partCount: 1, isWrite: false, sector: 0,
                byteCount: 0, segmentCount: 0)
        }
        return scheduler.dispatch(now: now)
    }

    /// A request has ended, for which the driver takes the lock once more.
    func noteEnd() {
        lock?.lock(as: 0)
        lock?.unlock()
    }
}
