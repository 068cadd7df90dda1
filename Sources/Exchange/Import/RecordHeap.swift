internal import Telemetry

/// Records by time; those of the same time in the order in which they came.
struct RecordHeap {
    struct Item {
        var record: BlktraceRecord
        /// The file it is from.
        var file: Int
        fileprivate var order: UInt64

        fileprivate func isBefore(_ other: Item) -> Bool {
            (record.time, order) < (other.record.time, other.order)
        }
    }
    private var items: [Item] = []
    private var order: UInt64 = 0

    var count: Int { items.count }

    mutating func push(_ record: BlktraceRecord, file: Int) {
        order &+= 1
        items.append(Item(record: record, file: file, order: order))
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child].isBefore(items[parent]) else { return }
            items.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> Item? {
        guard let first = items.first, let last = items.popLast() else { return nil }
        if items.isEmpty { return first }
        items[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < items.count && items[child].isBefore(items[least]) {
                least = child
            }
            if least == parent { return first }
            items.swapAt(parent, least)
            parent = least
        }
    }
}
