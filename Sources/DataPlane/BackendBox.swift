import Kernel
import Virtio

/// A backend of whatever kind, where one thread has many and a call for each request costs little
/// beside what the path does anyway.
protocol AnyBackend: AnyObject {
    func start(head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList) -> Started
    func submit() -> Int
    func reap() -> Int
    func completion(_ index: Int) -> Completion
    var hasCompletion: Bool { get }
    var inFlight: Int { get }
    var holdsMemory: Bool { get }
    var nextDue: UInt64? { get }
}

/// A backend in a box.
final class BackendBox<B: Backend & ~Copyable>: AnyBackend {
    private var backend: B

    init(_ backend: consuming B) { self.backend = backend }

    func start(
        head: UInt16, _ request: BlockRequest, _ segments: borrowing SegmentList
    ) -> Started { backend.start(head: head, request, segments) }
    func submit() -> Int { backend.submit() }
    func reap() -> Int { backend.reap() }
    func completion(_ index: Int) -> Completion { backend.completion(index) }
    var hasCompletion: Bool { backend.hasCompletion }
    var inFlight: Int { backend.inFlight }
    var holdsMemory: Bool { backend.holdsMemory }
    var nextDue: UInt64? { backend.nextDue }
}
