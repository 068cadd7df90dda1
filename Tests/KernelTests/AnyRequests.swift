import Kernel

/// The ways to have requests to a file under way, for tests that all of them pass.
enum Way: CaseIterable, Sendable { case aio, threads, ioUring }

/// Requests in any of the ways.
struct AnyRequests: FileRequests {
    private var held: any FileRequests

    init(_ way: Way, capacity: Int, signalling event: EventDescriptor) throws(KernelError) {
        switch way {
        case .aio: held = Held(try AIOContext(capacity: capacity, signalling: event))
        case .threads: held = Held(try WorkerPool(capacity: capacity, signalling: event))
        case .ioUring: held = Held(try UringContext(capacity: capacity, signalling: event))
        }
    }

    var capacity: Int { held.capacity }
    var prepared: Int { held.prepared }
    var hasCompletion: Bool { held.hasCompletion }
    mutating func prepare(slot: Int, _ request: FileRequest) {
        held.prepare(slot: slot, request)
    }
    mutating func submit() -> Submission { held.submit() }
    mutating func reap() -> Int { held.reap() }
    func completion(_ index: Int) -> (slot: Int, result: Int64) { held.completion(index) }
}

/// Makes copyable what is not.
private final class Held<Requests: FileRequests & ~Copyable>: FileRequests {
    private var requests: Requests

    init(_ requests: consuming Requests) { self.requests = requests }

    var capacity: Int { requests.capacity }
    var prepared: Int { requests.prepared }
    var hasCompletion: Bool { requests.hasCompletion }
    func prepare(slot: Int, _ request: FileRequest) { requests.prepare(slot: slot, request) }
    func submit() -> Submission { requests.submit() }
    func reap() -> Int { requests.reap() }
    func completion(_ index: Int) -> (slot: Int, result: Int64) { requests.completion(index) }
}
