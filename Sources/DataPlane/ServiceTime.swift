private import Glibc
import Virtio

/// A modelled service time added to what the backend really takes. A LUN with one says so on
/// screen.
public struct ServiceTime: Sendable, Equatable {
    /// Mean of an exponential distribution, nanoseconds.
    public var mean: UInt64
    /// The backend answers nothing for `stallFor` nanoseconds every `stallEvery`; 0 for never.
    public var stallEvery: UInt64
    public var stallFor: UInt64

    /// A service time of `mean` nanoseconds, with stalls if given.
    public init(mean: UInt64, stallEvery: UInt64 = 0, stallFor: UInt64 = 0) {
        self.mean = mean
        self.stallEvery = stallEvery
        self.stallFor = stallFor
    }

    /// When a request that completes at `now` is to be answered, in nanoseconds from a common
    /// origin. `unit` is uniform in 0…1.
    func due(completedAt now: UInt64, unit: Double) -> UInt64 {
        var due = now + UInt64(Double(mean) * Self.exponential(unit))
        if stallEvery > 0 {
            let phase = due % stallEvery
            let stallBegin = stallEvery - min(stallFor, stallEvery)
            if phase >= stallBegin { due += stallEvery - phase }
        }
        return due
    }

    /// −ln(unit), at most 8, so that a tail stays a tail.
    static func exponential(_ unit: Double) -> Double {
        min(8, -log(max(unit, 0x1p-53)))
    }
}

/// Completed requests that wait for the end of their modelled service time: a binary heap by due
/// time.
struct DelayLine: ~Copyable {
    struct Entry: BitwiseCopyable {
        var due: UInt64
        var result: Int64
        var head: UInt16
    }
    private let heap: FixedArray<Entry>
    private(set) var count = 0

    init(capacity: Int) {
        heap = FixedArray(repeating: Entry(due: 0, result: 0, head: 0), count: capacity)
    }

    /// The earliest due time, or nil if nothing waits.
    var firstDue: UInt64? { count > 0 ? heap[0].due : nil }

    /// Adds an entry; there is room for as many as the queue has descriptors.
    mutating func insert(_ entry: Entry) {
        precondition(count < heap.count)
        var index = count
        count += 1
        while index > 0, heap[(index - 1) / 2].due > entry.due {
            heap[index] = heap[(index - 1) / 2]
            index = (index - 1) / 2
        }
        heap[index] = entry
    }

    /// Takes the earliest entry if it is due at `now`.
    mutating func take(at now: UInt64) -> Entry? {
        guard count > 0, heap[0].due <= now else { return nil }
        let first = heap[0]
        count -= 1
        let moved = heap[count]
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < count else { break }
            if child + 1 < count, heap[child + 1].due < heap[child].due { child += 1 }
            guard heap[child].due < moved.due else { break }
            heap[index] = heap[child]
            index = child
        }
        if count > 0 { heap[index] = moved }
        return first
    }
}
