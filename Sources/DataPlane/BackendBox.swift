import Kernel
import Virtio

/// A backend of whatever kind, where one thread has many and a call for each request costs little
/// beside what the path does anyway. What it does are closures for the reason that those of
/// `BlockDevice` are.
final class BackendBox {
    private let actions: Actions

    private struct Actions {
        let start: (UInt16, BlockRequest, borrowing SegmentList) -> Started
        let submit: () -> Int
        let reap: () -> Int
        let completion: (Int) -> Completion
        let hasCompletion: () -> Bool
        let inFlight: () -> Int
        let holdsMemory: () -> Bool
        let nextDue: () -> UInt64?
        let close: () -> Void
    }

    /// Inlined, so that the closures are made where the type is known.
    @inline(__always)
    init<B: Backend & ~Copyable>(_ backend: consuming B) {
        let place = BackendPlace(backend)
        actions = Actions(
            start: { place.backend[0].start(head: $0, $1, $2) },
            submit: { place.backend[0].submit() },
            reap: { place.backend[0].reap() },
            completion: { place.backend[0].completion($0) },
            hasCompletion: { place.backend[0].hasCompletion },
            inFlight: { place.backend[0].inFlight },
            holdsMemory: { place.backend[0].holdsMemory },
            nextDue: { place.backend[0].nextDue },
            close: { place.backend[0].close() })
    }

    // As in `Backend`.

    func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started { actions.start(head, request, segments) }
    func submit() -> Int { actions.submit() }
    func reap() -> Int { actions.reap() }
    func completion(_ index: Int) -> Completion { actions.completion(index) }
    var hasCompletion: Bool { actions.hasCompletion() }
    var inFlight: Int { actions.inFlight() }
    var holdsMemory: Bool { actions.holdsMemory() }
    var nextDue: UInt64? { actions.nextDue() }
    func close() { actions.close() }
}

/// Where a backend stands as long as its closures do.
private final class BackendPlace<B: Backend & ~Copyable> {
    /// Just one.
    let backend: OwnedArray<B>

    init(_ backend: consuming B) { self.backend = OwnedArray(only: backend) }
}
