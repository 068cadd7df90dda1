public import Telemetry

/// A bounded queue between threads for what is worth a wake-up: samples, orders, chunks of a file.
/// Whoever puts in never waits; what finds no room is refused, for the putter to count.
public final class WorkQueue<Item: Sendable>: Sendable {
    private struct State {
        var items: [Item] = []
        var cost = 0
    }
    private let state: Lock<State>
    private let capacity: Int
    private let arrival: EventDescriptor

    /// A queue for items that cost at most `capacity` together.
    public init(capacity: Int) throws(KernelError) {
        self.capacity = capacity
        state = Lock(State())
        arrival = try EventDescriptor()
    }

    /// Puts `item` at the end; false if it found no room. An empty queue takes any item, and one of
    /// no cost always finds room. What matters more may reach further: to `reach` times the
    /// capacity.
    @discardableResult
    public func put(_ item: Item, cost: Int = 0, reach: Int = 1) -> Bool {
        let isTaken = state.withLock { state in
            guard cost == 0 || state.items.isEmpty || state.cost + cost <= capacity * reach
            else {
                return false
            }
            state.items.append(item)
            state.cost += cost
            return true
        }
        if isTaken { arrival.signal() }
        return isTaken
    }

    /// Takes all items out, the oldest first; waits up to `timeout` nanoseconds for one (`nil`: for
    /// ever), and returns none when the time is over.
    public func takeAll(timeout: Nanoseconds? = nil) -> [Item] {
        let first = takeNow()
        if !first.isEmpty || timeout == 0 { return first }
        arrival.wait(timeout: timeout)
        return takeNow()
    }

    private func takeNow() -> [Item] {
        state.withLock { state in
            defer { state = State() }
            return state.items
        }
    }
}
