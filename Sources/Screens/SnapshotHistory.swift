internal import DequeModule
public import Telemetry

/// The last ten minutes of samples in memory, and where in them the screen stands.
///
/// The cursor is either at the live edge, where it follows every new sample, or paused at one
/// sample, which stays put while new ones arrive behind it. Bounded three ways: by time, by samples
/// (a short interval), and by LUN readings (many LUNs): a reading takes some 1.7 KB, so 65,536 of
/// them are about 110 MB. 56 LUNs at 1 s keep their ten minutes; 1024 LUNs keep the last minute.
public struct SnapshotHistory: Sendable {
    private var samples: Deque<Snapshot> = []
    /// Number, since the start, of the oldest sample kept.
    private var firstNumber = 0
    /// Number of the sample shown, `nil` at the live edge.
    private var cursor: Int?
    private var readings = 0
    private let seconds: Double
    private let capacity: Int
    private let readingCapacity: Int

    /// A history of at most `seconds`, `capacity` samples and `readingCapacity` LUN readings,
    /// whichever is reached first. The newest sample is always kept.
    public init(seconds: Double = 600, capacity: Int = 6000, readingCapacity: Int = 65_536) {
        self.seconds = seconds
        self.capacity = max(1, capacity)
        self.readingCapacity = max(1, readingCapacity)
    }

    /// Samples kept.
    public var count: Int { samples.count }

    /// The newest sample, `nil` before the first.
    public var latest: Snapshot? { samples.last }

    /// Whether the cursor stands still.
    public var isPaused: Bool { cursor != nil }

    /// Index of the sample shown, 0 the oldest; `nil` before the first.
    public var shownIndex: Int? {
        samples.isEmpty ? nil : cursor.map { $0 - firstNumber } ?? samples.count - 1
    }

    /// The sample at the cursor, the newest when live; `nil` before the first.
    public var shown: Snapshot? { shownIndex.map { samples[$0] } }

    /// Seconds the sample shown lies behind the newest; 0 when live.
    public var lag: Double {
        guard let shown, let latest, latest.monotonic > shown.monotonic else { return 0 }
        return Double(latest.monotonic - shown.monotonic) / 1e9
    }

    /// Adds the newest sample and drops what no longer fits.
    ///
    /// Nothing ages out while paused, so that what one looks at does not melt away; the bounds on
    /// memory hold all the same, and a paused cursor then moves to the oldest sample left.
    public mutating func append(_ snapshot: Snapshot) {
        samples.append(snapshot)
        readings += snapshot.luns.count
        while samples.count > 1, mustDropOldest, let oldest = samples.popFirst() {
            readings -= oldest.luns.count
            firstNumber += 1
        }
        cursor = cursor.map { max($0, firstNumber) }
    }

    private var mustDropOldest: Bool {
        if samples.count > capacity || readings > readingCapacity { return true }
        guard !isPaused, let oldest = samples.first, let latest else { return false }
        return latest.monotonic > oldest.monotonic
            && Double(latest.monotonic - oldest.monotonic) / 1e9 > seconds
    }

    /// Stops at the sample shown.
    public mutating func pause() {
        if let shownIndex { cursor = firstNumber + shownIndex }
    }

    /// Returns to the live edge.
    public mutating func resume() { cursor = nil }

    /// Goes `count` samples on (back if negative), as far as there are any, and pauses there.
    public mutating func step(by count: Int) {
        guard let shownIndex else { return }
        let (target, overflow) = shownIndex.addingReportingOverflow(count)
        let clamped = overflow ? (count < 0 ? 0 : samples.count - 1) : target
        cursor = firstNumber + min(max(0, clamped), samples.count - 1)
    }

    /// Goes to the oldest sample and pauses there.
    public mutating func goToStart() {
        if !samples.isEmpty { cursor = firstNumber }
    }

    /// The LUNs of at most `count` samples, from the one shown back.
    func trail(_ count: Int) -> [[LUN]] {
        guard let shownIndex else { return [] }
        return (max(0, shownIndex + 1 - count)...shownIndex).reversed().map { samples[$0].luns }
    }
}
