internal import Telemetry

/// Everything that is counted of one LUN's requests: fixed arrays, whatever their number.
struct LUNTally: Sendable {
    /// Histograms in the layout of `LatencyBuckets`, one after the other.
    enum Histogram: Int, CaseIterable {
        case read, write, flush
        /// One for each of `StageTimes.Stage`, in its order.
        case ringWait, submit, storage, complete, notify
        /// Distances between requests, in sectors.
        case seek

        var offset: Int { rawValue * LatencyBuckets.count }
    }

    let name: String
    /// Requests by `RequestKind`.
    var counts = [UInt64](repeating: 0, count: RequestKind.allCases.count)
    var buckets = [UInt64](
        repeating: 0, count: Histogram.allCases.count * LatencyBuckets.count)
    /// Sums of the values in the histograms, nanoseconds; the largest of them.
    var sums = [UInt64](repeating: 0, count: Histogram.allCases.count)
    var largest = [UInt64](repeating: 0, count: Histogram.allCases.count)
    /// Requests by size: index n counts sizes of at most 2^n bytes and more than half of that.
    var readSizes = [UInt64](repeating: 0, count: 33)
    var writeSizes = [UInt64](repeating: 0, count: 33)
    var readBytes: UInt64 = 0
    var writeBytes: UInt64 = 0
    var errors: UInt64 = 0
    /// Requests whose status is known.
    var judged: UInt64 = 0
    /// Requests with a latency, and its sum, whatever their kind.
    var timed: UInt64 = 0
    var latencySum: UInt64 = 0
    /// Changes of the requests in flight at the borders of `TimeAxis`.
    var depthSteps = [Int32](repeating: 0, count: TimeAxis.cells)
    var seeks = SeekWindow()
    /// The latest completion.
    var lastEnd: Nanoseconds = 0

    init(name: String) { self.name = name }

    /// Counts one request. `end` is its begin where its end is not known.
    @inline(__always)
    mutating func count(
        _ event: IOEvent, _ kind: RequestKind, _ start: Nanoseconds, _ end: Nanoseconds,
        latency: Nanoseconds?, axis: TimeAxis
    ) {
        counts[kind.rawValue] &+= 1
        if event.status != IOEvent.unknownStatus {
            judged &+= 1
            if event.status != 0 { errors &+= 1 }
        }
        if let latency {
            timed &+= 1
            latencySum = latencySum.addingClamped(latency)
            switch kind {
            case .read: record(latency, .read)
            case .write: record(latency, .write)
            case .flush: record(latency, .flush)
            default: break
            }
            depthSteps[axis.border(after: start)] &+= 1
            depthSteps[axis.border(after: end)] &-= 1
        }
        countStages(event)
        guard kind == .read || kind == .write else { return }
        let bytes = event.byteCount
        let size = bytes < 2 ? 0 : 32 &- (bytes &- 1).leadingZeroBitCount
        if kind == .read {
            readBytes &+= UInt64(bytes)
            readSizes[size] &+= 1
        } else {
            writeBytes &+= UInt64(bytes)
            writeSizes[size] &+= 1
        }
        seeks.add(
            start: start, sector: event.sector, byteCount: bytes, isWrite: kind == .write,
            buckets: &buckets, offset: Histogram.seek.offset)
    }

    /// Judges what still waits.
    mutating func finish() {
        seeks.finish(buckets: &buckets, offset: Histogram.seek.offset)
    }

    @inline(__always)
    private mutating func countStages(_ event: IOEvent) {
        stage(event.queued, event.popped, .ringWait)
        stage(event.popped, event.submitted, .submit)
        stage(event.submitted, event.completed, .storage)
        stage(event.completed, event.published, .complete)
        stage(event.published, event.reaped, .notify)
    }

    @inline(__always)
    private mutating func stage(_ from: Nanoseconds, _ to: Nanoseconds, _ histogram: Histogram) {
        if from != 0, to >= from { record(to &- from, histogram) }
    }

    @inline(__always)
    private mutating func record(_ nanoseconds: Nanoseconds, _ histogram: Histogram) {
        let index = histogram.rawValue
        buckets[histogram.offset &+ LatencyBuckets.index(of: nanoseconds)] &+= 1
        sums[index] = sums[index].addingClamped(nanoseconds)
        if nanoseconds > largest[index] { largest[index] = nanoseconds }
    }
}

extension UInt64 {
    /// The sum, or the largest value where it does not fit.
    @inline(__always)
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
