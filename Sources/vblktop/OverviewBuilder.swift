import Recording
import Screens
import Telemetry

/// The picture of a whole recording, drawn in step by step: first samples far apart, then those
/// between them, until all have been looked at.
struct OverviewBuilder {
    private(set) var buckets: [TimelineBucket] = []
    private let start: Nanoseconds
    private let end: Nanoseconds
    private var slots: [TimelineBucket?]
    private var next = 0
    /// Samples are taken `stride` apart, then those one after them, and so on.
    private let stride: Int
    private var offset = 0
    /// Samples of the recording when it was begun.
    let count: Int
    private static let slotCount = 1000
    private static let firstPass = 200

    init(_ recording: RecordedSession) {
        count = recording.sampleCount
        start = count > 0 ? recording.time(ofSample: 0) : 0
        end = count > 0 ? recording.time(ofSample: count - 1) : 0
        stride = max(1, count / Self.firstPass)
        slots = Array(repeating: nil, count: Self.slotCount)
    }

    /// Looks at samples for about `budget` nanoseconds; false once all have been looked at.
    mutating func step(
        _ recording: RecordedSession, for budget: Nanoseconds, clock: () -> Nanoseconds
    ) throws -> Bool {
        guard offset < stride, count > 0 else { return false }
        let deadline = clock() &+ budget
        while offset < stride, clock() < deadline {
            if next < count, let sample = try recording.sample(next) { take(sample) }
            next += stride
            if next >= count {
                offset += 1
                next = offset
            }
        }
        buckets = slots.compactMap { $0 }
        return true
    }

    private mutating func take(_ sample: Snapshot) {
        let bucket = TimelineBucket(
            sample.total, at: sample.monotonic, interval: sample.interval)
        let span = Double(max(1, end - start))
        let share = Double(min(max(sample.monotonic, start), end) - start) / span
        let slot = min(Self.slotCount - 1, Int(share * Double(Self.slotCount)))
        if slots[slot] == nil { slots[slot] = bucket } else { slots[slot]?.merge(bucket) }
    }
}
