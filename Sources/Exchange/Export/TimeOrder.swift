internal import Telemetry

/// Puts records in the order of their time, when each comes at the latest at a known time: a heap
/// of what lies in the future.
///
/// What it holds is bounded. A record that comes after a later one was given out is given the later
/// one's time, so that time never runs backwards.
struct TimeOrder<Record: Sendable>: Sendable {
    private struct Entry {
        var time: Nanoseconds
        /// Keeps records of one time in the order they came in.
        var number: UInt64
        var record: Record

        func isBefore(_ other: Entry) -> Bool {
            time != other.time ? time < other.time : number < other.number
        }
    }

    private var heap: [Entry] = []
    private var added: UInt64 = 0
    private var last: Nanoseconds = 0
    private let limit: Int
    /// How many records were given a later time than their own.
    private(set) var displaced: UInt64 = 0

    /// Holds at most `limit` records; then the earliest goes, whatever may still come.
    init(limit: Int = 1 << 16) { self.limit = max(limit, 0) }

    mutating func add(_ record: Record, at time: Nanoseconds) {
        heap.append(Entry(time: time, number: added, record: record))
        added &+= 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the next record, if its time is `latest` at most or too many are held.
    mutating func next(upTo latest: Nanoseconds) -> (time: Nanoseconds, record: Record)? {
        guard let first = heap.first, first.time <= latest || heap.count > limit else {
            return nil
        }
        let end = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = end
            siftDown()
        }
        if first.time < last { displaced &+= 1 }
        last = max(last, first.time)
        return (last, first.record)
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1].isBefore(heap[child]) { child += 1 }
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
