internal import DequeModule
public import Telemetry

/// The last ten minutes of samples in memory, and where in them the screen stands; of a recording
/// a window on it, which the owner moves.
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
            pack(latest)
        }
        latest = snapshot
        while mustDropOldest { dropOldest() }
        if let cursor { show(max(cursor, firstNumber)) }
    }

    private var newestNumber: Int { firstNumber + packed.count }

    private var mustDropOldest: Bool {
        guard let oldest = packed.first, let latest else { return false }
        if isOver { return true }
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

    /// Pauses at the last sample at or before `monotonic`, the oldest where there is none.
    public mutating func show(atOrBefore monotonic: Nanoseconds) {
        guard latest != nil else { return }
        show(firstNumber + (lastIndex { $0 <= monotonic } ?? 0))
    }

    /// The LUNs' rates of at most `count` samples, from the one shown back.
    func trail(_ count: Int) -> RateTrail {
        guard let shown, let shownIndex else { return RateTrail(luns: [], before: []) }
        let before = packed.indices[min(shownIndex, max(0, shownIndex + 1 - count))..<shownIndex]
        return RateTrail(luns: shown.luns, before: before.reversed().map { packed[$0].luns })
    }

    /// The requests told one by one of the samples before the one shown, the newest first.
    var requestsBeforeShown: some Sequence<PackedRequests> {
        packed[..<(shownIndex ?? 0)].reversed().lazy.map(\.requests)
    }

    /// When each of at most `count` samples was taken and how long before it began, from the one
    /// shown back.
    func beats(_ count: Int) -> [(time: Nanoseconds, interval: Double?)] {
        guard let shown, let shownIndex, count > 0 else { return [] }
        return [(shown.monotonic, shown.interval)]
            + packed[max(0, shownIndex + 1 - count)..<shownIndex].reversed().map {
                ($0.monotonic, $0.interval)
            }
    }

    /// Latencies of the LUNs with these qualified ids in at most `count` samples, from the one
    /// shown back; `nil` where none is known.
    func latencies(of ids: Set<String>, _ count: Int) -> [PowerHistogram?] {
        guard let shown, let shownIndex, count > 0 else { return [] }
        let now = shown.luns.filter { ids.contains($0.qualifiedID) }
            .flatMap { [$0.readLatencies, $0.writeLatencies].compactMap(\.self) }
        let latest =
            now.isEmpty ? nil : PowerHistogram(reads: .sum(now), writes: LatencyHistogram())
        return [latest]
            + packed[max(0, shownIndex + 1 - count)..<shownIndex].reversed().map {
                $0.latencies(of: ids)
            }
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

    // MARK: A window on a recording

    /// Samples before the one shown.
    public var countBefore: Int { shownIndex ?? 0 }
    /// Samples after the one shown.
    public var countAfter: Int { count - 1 - (shownIndex ?? count - 1) }

    /// Keeps `window` in place of what was kept, the oldest first, and pauses at its sample
    /// `index`; as many around that as fit, those before it first to go.
    public mutating func replace(window: [Snapshot], showing index: Int) {
        packed = []
        (packedBytes, firstNumber, cursor, lookedAt) = (0, 0, nil, nil)
        latest = window.last
        for sample in window.dropLast() { pack(sample) }
        guard !window.isEmpty else { return }
        show(min(max(0, index), packed.count))
        while isOver, countBefore > 0 { dropOldest() }
        while isOver, countAfter > 0 { dropNewest() }
    }

    /// Adds what comes after the newest sample; the oldest go, but never the one shown; at least
    /// one is added. The cursor stays where it is.
    public mutating func extend(after samples: [Snapshot]) {
        guard let shownIndex else { return replace(window: samples, showing: 0) }
        show(firstNumber + shownIndex)
        for sample in samples {
            if let latest {
                if cursor == newestNumber { lookedAt = (newestNumber, latest) }
                pack(latest)
            }
            latest = sample
            while isOver, countBefore > 0 { dropOldest() }
            if isOver, countAfter > 1 { return dropNewest() }
        }
    }

    /// Adds what came before the oldest sample, the oldest of it first; the newest go, but never
    /// the one shown; at least one is added. The cursor stays where it is.
    public mutating func extend(before samples: [Snapshot]) {
        guard let shownIndex else {
            return replace(window: samples, showing: samples.count - 1)
        }
        show(firstNumber + shownIndex)
        var added: [PackedSample] = []
        for sample in samples { added.append(PackedSample(sample, like: added.last)) }
        for sample in added.reversed() {
            packed.prepend(sample)
            packedBytes += sample.byteCount
            firstNumber -= 1
            while isOver, countAfter > 0 { dropNewest() }
            if isOver, countBefore > 1 { return dropOldest() }
        }
    }

    private var isOver: Bool { count > capacity || packedBytes > byteCapacity }

    private mutating func pack(_ sample: Snapshot) {
        let sample = PackedSample(sample, like: packed.last)
        packed.append(sample)
        packedBytes += sample.byteCount
    }

    private mutating func dropOldest() {
        guard let oldest = packed.popFirst() else { return }
        packedBytes -= oldest.byteCount
        firstNumber += 1
    }

    private mutating func dropNewest() {
        guard let newest = packed.popLast() else { return }
        packedBytes -= newest.byteCount
        latest = newest.snapshot
        if let cursor { show(min(cursor, newestNumber)) }
    }

    // MARK: Single samples

    /// The times of the oldest and the newest sample; `nil` before the first.
    var range: (first: Moment, last: Moment)? {
        guard let latest else { return nil }
        return (moment(0) ?? Moment(latest), Moment(latest))
    }

    /// When the sample at `index` was taken.
    func moment(_ index: Int) -> Moment? {
        if index == packed.count { return latest.map { Moment($0) } }
        return packed.indices.contains(index) ? packed[index].moment : nil
    }

    /// The sample at `index`, unpacked.
    func sample(_ index: Int) -> Snapshot? {
        if index == packed.count { return latest }
        return packed.indices.contains(index) ? packed[index].snapshot : nil
    }

    /// What all LUNs together did in each sample, the oldest first.
    var overview: [TimelineBucket] {
        packed.map { TimelineBucket($0.total, at: $0.moment.monotonic, interval: $0.interval) }
            + (latest.map {
                [TimelineBucket($0.total, at: $0.monotonic, interval: $0.interval)]
            } ?? [])
    }

    /// What came and went with each sample, the oldest first.
    func eachHappening(_ body: (Happenings) -> Void) {
        for sample in packed { body(sample.happenings) }
        if let latest { body(Happenings(latest)) }
    }

    /// Index of the last sample whose time `holds`; times rise.
    private func lastIndex(where holds: (Nanoseconds) -> Bool) -> Int? {
        (0..<count).last { moment($0).map { holds($0.monotonic) } ?? false }
    }

    /// Pauses at the last sample whose wall clock is at most `wallClock`, else at the oldest.
    mutating func show(wallClock: Int64) {
        guard latest != nil else { return }
        let index = (0..<count).last { moment($0).map { $0.wallClock <= wallClock } ?? false }
        show(firstNumber + (index ?? 0))
    }

    /// Pauses at the first sample at or after `monotonic`, else at the newest.
    mutating func show(atOrAfter monotonic: Nanoseconds) {
        guard latest != nil else { return }
        let index = (0..<count).first { moment($0).map { $0.monotonic >= monotonic } ?? false }
        show(firstNumber + (index ?? packed.count))
    }
}

/// What a sample tells besides numbers.
struct Happenings {
    var monotonic: Nanoseconds
    var interval: Double?
    var notices: [Notice]
    var findings: [Finding]
}

extension Happenings {
    /// Those of `snapshot`.
    init(_ snapshot: Snapshot) {
        self.init(
            monotonic: snapshot.monotonic, interval: snapshot.interval, notices: snapshot.notices,
            findings: snapshot.findings)
    }
}
