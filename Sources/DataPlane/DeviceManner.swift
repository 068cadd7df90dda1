import Virtio

/// How a device moves requests between its ring and its backend.
enum DeviceManner {
    /// All that is there in one turn: one submission and one interrupt at most.
    case batched
    /// Each request goes to the backend where it is taken from the ring; one interrupt at most.
    case direct
    /// A submission, a turn of its own for the completion, and an interrupt for each request.
    case oneByOne

    /// The manner of `path`'s devices.
    init(of path: IOPath) {
        switch path {
        case .dataPlane, .multiQueue, .virtioSCSI, .passThrough: self = .batched
        case .vhost: self = .direct
        case .bigLock, .ide: self = .oneByOne
        }
    }
}

/// Completions in the order they came, at most `capacity` at a time.
struct CompletionQueue: ~Copyable {
    private let ring: FixedArray<Completion>
    private var first = 0
    private(set) var count = 0

    init(capacity: Int) {
        ring = FixedArray(repeating: Completion(head: 0, result: 0), count: capacity)
    }

    mutating func append(_ completion: Completion) {
        precondition(count < ring.count)
        ring[(first + count) % ring.count] = completion
        count += 1
    }

    mutating func take() -> Completion? {
        guard count > 0 else { return nil }
        defer {
            first = (first + 1) % ring.count
            count -= 1
        }
        return ring[first]
    }
}
