internal import DequeModule
public import Telemetry

/// The last ten minutes of samples in memory, and where in them the screen stands.
///
/// The cursor is either at the live edge, where it follows every new sample, or paused at one
/// sample, which stays put while new ones arrive behind it. The newest sample is kept as it came,
/// older ones packed, some 15 KB for 56 LUNs; they come back exactly as they were. Bounded three
/// ways: by time, by samples (a short interval), and by bytes (many LUNs): 56 LUNs at 1 s keep
/// their ten minutes; 1024 LUNs keep about the last minute.
public struct SnapshotHistory: Sendable {
    /// All but the newest, the oldest first.
    private var packed: Deque<PackedSample> = []
    /// The newest sample, `nil` before the first.
    public private(set) var latest: Snapshot?
    /// Number, since the start, of the oldest sample kept.
    private var firstNumber = 0
    /// Number of the sample shown, `nil` at the live edge.
    private var cursor: Int?
    /// The sample at a cursor that is not at the newest.
    private var lookedAt: (number: Int, sample: Snapshot)?
    private var packedBytes = 0
    private let seconds: Double
    private let capacity: Int
    private let byteCapacity: Int

    /// A history of at most `seconds`, `capacity` samples and about `byteCapacity` bytes, whichever
    /// is reached first. The newest sample is always kept.
    public init(seconds: Double = 600, capacity: Int = 6000, byteCapacity: Int = 16 << 20) {
        self.seconds = seconds
        self.capacity = max(1, capacity)
        self.byteCapacity = max(0, byteCapacity)
    }

    /// Samples kept.
    public var count: Int { latest == nil ? 0 : packed.count + 1 }

    /// Bytes the samples before the newest take, estimated.
    public var byteCount: Int { packedBytes }

    /// Whether the cursor stands still.
    public var isPaused: Bool { cursor != nil }

    /// Index of the sample shown, 0 the oldest; `nil` before the first.
    public var shownIndex: Int? {
        latest == nil ? nil : cursor.map { $0 - firstNumber } ?? packed.count
    }

    /// The sample at the cursor, the newest when live; `nil` before the first.
    public var shown: Snapshot? { lookedAt?.sample ?? latest }

    /// Seconds the sample shown lies behind the newest; 0 when live.
    public var lag: Double {
        guard let shown = lookedAt?.sample.monotonic, let latest = latest?.monotonic,
            latest > shown
        else { return 0 }
        return Double(latest - shown) / 1e9
    }

    /// Adds the newest sample and drops what no longer fits.
    ///
    /// Nothing ages out while paused, so that what one looks at does not melt away; the bounds on
    /// memory hold all the same, and a paused cursor then moves to the oldest sample left.
    public mutating func append(_ snapshot: Snapshot) {
        if let latest {
            if cursor == newestNumber { lookedAt = (newestNumber, latest) }
            let sample = PackedSample(latest, like: packed.last)
            packed.append(sample)
            packedBytes += sample.byteCount
        }
        latest = snapshot
        while mustDropOldest, let oldest = packed.popFirst() {
            packedBytes -= oldest.byteCount
            firstNumber += 1
        }
        if let cursor { show(max(cursor, firstNumber)) }
    }

    private var newestNumber: Int { firstNumber + packed.count }

    private var mustDropOldest: Bool {
        guard let oldest = packed.first, let latest else { return false }
        if count > capacity || packedBytes > byteCapacity { return true }
        return !isPaused && latest.monotonic > oldest.monotonic
            && Double(latest.monotonic - oldest.monotonic) / 1e9 > seconds
    }

    /// Pauses at the sample of this number, which is kept.
    private mutating func show(_ number: Int) {
        cursor = number
        let index = number - firstNumber
        if index >= packed.count {
            lookedAt = nil
        } else if lookedAt?.number != number {
            lookedAt = (number, packed[index].snapshot)
        }
    }

    /// Stops at the sample shown.
    public mutating func pause() {
        if let shownIndex { show(firstNumber + shownIndex) }
    }

    /// Returns to the live edge.
    public mutating func resume() {
        cursor = nil
        lookedAt = nil
    }

    /// Goes `count` samples on (back if negative), as far as there are any, and pauses there.
    public mutating func step(by count: Int) {
        guard let shownIndex else { return }
        let (target, overflow) = shownIndex.addingReportingOverflow(count)
        let clamped = overflow ? (count < 0 ? 0 : packed.count) : target
        show(firstNumber + min(max(0, clamped), packed.count))
    }

    /// Goes to the oldest sample and pauses there.
    public mutating func goToStart() {
        if latest != nil { show(firstNumber) }
    }

    /// The LUNs' rates of at most `count` samples, from the one shown back.
    func trail(_ count: Int) -> RateTrail {
        guard let shown, let shownIndex else { return RateTrail(luns: [], before: []) }
        let before = packed.indices[min(shownIndex, max(0, shownIndex + 1 - count))..<shownIndex]
        return RateTrail(luns: shown.luns, before: before.reversed().map { packed[$0].luns })
    }

    /// What happened in the `seconds` up to the sample shown, the newest last.
    func notices(ofLast seconds: Double) -> [Notice] {
        guard let shown, let shownIndex else { return [] }
        let first = shown.monotonic.subtractingReportingOverflow(Nanoseconds(seconds * 1e9))
        var start = shownIndex
        while start > 0, first.overflow || packed[start - 1].monotonic > first.partialValue {
            start -= 1
        }
        return packed[start..<shownIndex].flatMap(\.notices) + shown.notices
    }
}
