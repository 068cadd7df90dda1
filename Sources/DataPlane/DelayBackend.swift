import Kernel
import Virtio

/// A backend whose answers are held until the modelled time of the storage is over. What the
/// backend behind it really takes comes on top.
struct DelayBackend<Inner: Backend & ~Copyable>: ~Copyable, Backend {
    var batchLimit: Int { inner.batchLimit }

    private var inner: Inner
    private let serviceTime: ServiceTime?
    private var storage: StorageState?
    private var delays: DelayLine
    private var random: Random
    /// What each slot's request is, as the model wants to know it.
    private let requests: FixedArray<BlockRequest>
    private let completions: FixedArray<Completion>

    /// Holds answers of `inner`, for requests in slots `0..<slots`.
    init(
        _ inner: consuming Inner, slots: Int, serviceTime: ServiceTime?, model: StorageModel?,
        seed: UInt64
    ) {
        self.inner = inner
        self.serviceTime = serviceTime
        storage = model.map { StorageState($0) }
        delays = DelayLine(capacity: slots)
        random = Random(seed: seed ^ 0xD0E1)
        requests = FixedArray(repeating: .none, count: slots)
        completions = FixedArray(repeating: Completion(head: 0, result: 0), count: slots)
    }

    mutating func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started {
        requests[Int(head)] = request
        if case .completed(let result) = inner.start(head: head, request, segments) {
            hold(Completion(head: head, result: result))
        }
        return .inFlight
    }

    /// Keeps a completion until its request has served its time.
    private mutating func hold(_ completion: Completion) {
        let now = Clock.monotonic()
        var due = now
        if storage != nil {
            due = storage?.serve(requests[Int(completion.head)], at: now, &random) ?? now
        }
        if let serviceTime { due = serviceTime.due(completedAt: due, unit: random.unit()) }
        delays.insert(.init(due: due, result: completion.result, head: completion.head))
    }

    mutating func submit() -> Int { inner.submit() }

    mutating func reap() -> Int {
        if inner.inFlight > 0 {
            for index in 0..<inner.reap() { hold(inner.completion(index)) }
        }
        guard delays.count > 0 else { return 0 }
        let now = Clock.monotonic()
        var count = 0
        while let entry = delays.take(at: now) {
            completions[count] = Completion(head: entry.head, result: entry.result)
            count += 1
        }
        return count
    }

    func completion(_ index: Int) -> Completion { completions[index] }

    var hasCompletion: Bool {
        if inner.hasCompletion { return true }
        guard let due = delays.firstDue else { return false }
        return due <= Clock.monotonic()
    }

    var inFlight: Int { inner.inFlight + delays.count }
    var holdsMemory: Bool { inner.holdsMemory }
    var nextDue: UInt64? {
        guard let due = inner.nextDue else { return delays.firstDue }
        return min(due, delays.firstDue ?? due)
    }
    mutating func close() { inner.close() }
}
