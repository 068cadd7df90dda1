internal import Telemetry

/// Requests in the order in which they begin and end.
struct RequestHeap {
    /// A request begins or ends.
    struct Edge {
        var time: Nanoseconds
        var isEnd: Bool
        var event: IOEvent
    }
    private struct Node {
        var time: Nanoseconds
        var slot: Int32
        var isEnd: Bool

        /// Of those at one time the begins come first, so that the order of coming is not seen.
        func isBefore(_ other: Node) -> Bool {
            time != other.time ? time < other.time : !isEnd && other.isEnd
        }
    }
    private struct Slot {
        var event: IOEvent
        var end: Nanoseconds
        var isInFlight: Bool
    }
    private var nodes: [Node] = []
    private var slots: [Slot] = []
    private var free: [Int32] = []
    private var inFlight = 0

    /// Requests in it: every request has one node, for its begin or for its end.
    var count: Int { nodes.count }
    /// Whether a request has begun and not ended.
    var hasBegun: Bool { inFlight > 0 }
    /// When the next one begins or ends.
    var nextTime: Nanoseconds? { nodes.first?.time }

    /// Adds a request that lasts from `start` to `end`.
    mutating func add(_ event: IOEvent, from start: Nanoseconds, to end: Nanoseconds) {
        let slot = Slot(event: event, end: end, isInFlight: false)
        let place: Int32
        if let freed = free.popLast() {
            place = freed
            slots[Int(place)] = slot
        } else {
            place = Int32(slots.count)
            slots.append(slot)
        }
        push(Node(time: start, slot: place, isEnd: false))
    }

    /// Takes the next begin or end out if it comes before `time`.
    mutating func pop(before time: Nanoseconds) -> Edge? {
        guard let first = nodes.first, first.time < time else { return nil }
        let place = Int(first.slot)
        let slot = slots[place]
        if first.isEnd {
            inFlight -= 1
            slots[place].isInFlight = false
            free.append(first.slot)
            removeFirst()
        } else {
            inFlight += 1
            slots[place].isInFlight = true
            nodes[0] = Node(time: slot.end, slot: first.slot, isEnd: true)
            sink()
        }
        return Edge(time: first.time, isEnd: first.isEnd, event: slot.event)
    }

    /// Hands over every request that has begun and not ended.
    func forEachInFlight(_ body: (IOEvent) -> Void) {
        for slot in slots where slot.isInFlight { body(slot.event) }
    }

    private mutating func push(_ node: Node) {
        nodes.append(node)
        var child = nodes.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard node.isBefore(nodes[parent]) else { break }
            nodes[child] = nodes[parent]
            child = parent
        }
        nodes[child] = node
    }

    private mutating func removeFirst() {
        guard let last = nodes.popLast(), !nodes.isEmpty else { return }
        nodes[0] = last
        sink()
    }

    /// Brings the first node to its place.
    private mutating func sink() {
        let node = nodes[0]
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= nodes.count { break }
            if child + 1 < nodes.count, nodes[child + 1].isBefore(nodes[child]) { child += 1 }
            guard nodes[child].isBefore(node) else { break }
            nodes[parent] = nodes[child]
            parent = child
        }
        nodes[parent] = node
    }
}
