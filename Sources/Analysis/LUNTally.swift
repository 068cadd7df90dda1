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

    /// Where in `cells` the counters stand that follow the histograms.
    private enum Place {
        // Constants the compiler knows: a request passes them.
        static var counts: Int { 9 * LatencyBuckets.count }
        static var sums: Int { counts + 6 }
        static var largest: Int { sums + 9 }
        static var readSizes: Int { largest + 9 }
        static var writeSizes: Int { readSizes + 33 }
        static var end: Int { writeSizes + 33 }
    }

    let name: String
    /// All histograms and counters in one piece, so that a request reaches them at once.
    private(set) var cells = [UInt64](repeating: 0, count: Place.end)
    var readBytes: UInt64 = 0
    var writeBytes: UInt64 = 0
    var errors: UInt64 = 0
    /// Requests whose status is known.
    var judged: UInt64 = 0
    /// Requests with a latency, and its sum, whatever their kind.
    var timed: UInt64 = 0
    var latencySum: UInt64 = 0
    /// Requests of `timed` that were over too soon to tell how long they took.
    var untold: UInt64 = 0
    /// Changes of the requests in flight at the borders of `TimeAxis`.
    var depthSteps = [Int32](repeating: 0, count: TimeAxis.cells)
    var seeks = SeekWindow()
    /// The latest completion.
    var lastEnd: Nanoseconds = 0

    init(name: String) { self.name = name }

    /// Requests by `RequestKind`.
    var counts: ArraySlice<UInt64> { cells[Place.counts..<Place.sums] }
    /// Index n counts sizes of at most 2^n bytes and more than half of that.
    var readSizes: ArraySlice<UInt64> { cells[Place.readSizes..<Place.writeSizes] }
    var writeSizes: ArraySlice<UInt64> { cells[Place.writeSizes..<Place.end] }

    func histogram(_ histogram: Histogram) -> ArraySlice<UInt64> {
        cells[histogram.offset..<(histogram.offset + LatencyBuckets.count)]
    }

    /// The sum of a histogram's values, and the largest of them.
    func sum(_ histogram: Histogram) -> UInt64 { cells[Place.sums + histogram.rawValue] }
    func largest(_ histogram: Histogram) -> UInt64 { cells[Place.largest + histogram.rawValue] }

    /// Counts one request. `end` is its begin where its end is not known.
    @inline(__always)
    mutating func count(
        _ event: borrowing IOEvent, _ kind: RequestKind, _ start: Nanoseconds,
        _ end: Nanoseconds, latency: Nanoseconds?, isUntold: Bool, axis: TimeAxis
    ) {
        if event.status != IOEvent.unknownStatus {
            judged &+= 1
            if event.status != 0 { errors &+= 1 }
        }
        if let latency {
            timed &+= 1
            if isUntold { untold &+= 1 }
            latencySum = latencySum.addingClamped(latency)
            Self.step(&depthSteps, axis.border(after: start), axis.border(after: end))
        }
        var distance: UInt64?
        if kind.rawValue <= RequestKind.write.rawValue {
            if kind == .read {
                readBytes &+= UInt64(event.byteCount)
            } else {
                writeBytes &+= UInt64(event.byteCount)
            }
            distance = seeks.add(
                start: start, sector: event.sector, byteCount: event.byteCount,
                isWrite: kind == .write)
        }
        Self.count(event, kind, isUntold ? 0 : latency, distance, &cells)
    }

    @inline(__always)
    private static func step(_ steps: inout [Int32], _ up: Int, _ down: Int) {
        var span = steps.mutableSpan
        span[up] &+= 1
        span[down] &-= 1
    }

    @inline(__always)
    private static func count(
        _ event: borrowing IOEvent, _ kind: RequestKind, _ latency: Nanoseconds?,
        _ distance: UInt64?, _ cells: inout [UInt64]
    ) {
        var span = cells.mutableSpan
        span[Place.counts &+ kind.rawValue] &+= 1
        // The first three histograms are in the order of the kinds.
        if let latency, kind.rawValue <= RequestKind.flush.rawValue {
            record(latency, kind.rawValue, &span)
        }
        let first = Histogram.ringWait.rawValue
        stage(event.queued, event.popped, first, &span)
        stage(event.popped, event.submitted, first &+ 1, &span)
        stage(event.submitted, event.completed, first &+ 2, &span)
        stage(event.completed, event.published, first &+ 3, &span)
        stage(event.published, event.reaped, first &+ 4, &span)
        guard kind.rawValue <= RequestKind.write.rawValue else { return }
        let bytes = event.byteCount
        let size = bytes < 2 ? 0 : 32 &- (bytes &- 1).leadingZeroBitCount
        let sizes = kind == .read ? Place.readSizes : Place.writeSizes
        span[sizes &+ size] &+= 1
        if let distance { span[seekBucket(distance)] &+= 1 }
    }

    /// Judges what still waits.
    mutating func finish() {
        var distances: [UInt64] = []
        seeks.finish { distances.append($0) }
        for distance in distances { cells[Self.seekBucket(distance)] &+= 1 }
    }

    /// Adds the counters of `other`; depths and seeks, which do not add up so, apart.
    mutating func add(_ other: LUNTally) {
        for index in cells.indices {
            let isLargest = index >= Place.largest && index < Place.readSizes
            cells[index] =
                isLargest
                ? max(cells[index], other.cells[index])
                : cells[index].addingClamped(other.cells[index])
        }
        readBytes &+= other.readBytes
        writeBytes &+= other.writeBytes
        errors &+= other.errors
        judged &+= other.judged
        timed &+= other.timed
        latencySum = latencySum.addingClamped(other.latencySum)
        untold &+= other.untold
    }

    /// Whether what took a request is told of nearly all.
    var isTold: Bool { isNearlyAll(timed, without: untold) }

    @inline(__always)
    private static func seekBucket(_ distance: UInt64) -> Int {
        Histogram.seek.offset &+ LatencyBuckets.index(of: distance)
    }

    @inline(__always)
    private static func stage(
        _ from: Nanoseconds, _ to: Nanoseconds, _ index: Int, _ span: inout MutableSpan<UInt64>
    ) {
        if from != 0, to >= from { record(to &- from, index, &span) }
    }

    @inline(__always)
    private static func record(
        _ nanoseconds: Nanoseconds, _ index: Int, _ span: inout MutableSpan<UInt64>
    ) {
        let bucket = index &* LatencyBuckets.count &+ LatencyBuckets.index(of: nanoseconds)
        span[bucket] &+= 1
        span[Place.sums &+ index] = span[Place.sums &+ index].addingClamped(nanoseconds)
        if nanoseconds > span[Place.largest &+ index] {
            span[Place.largest &+ index] = nanoseconds
        }
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

/// Whether what is known of `all` requests but `untold` holds for all: these are one in twenty at
/// most.
func isNearlyAll(_ all: UInt64, without untold: UInt64) -> Bool { untold <= all / 20 }
