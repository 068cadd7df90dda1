import Glibc
import Synchronization

/// Runs both bodies at the same time on threads of their own and waits for them. Not tasks: two
/// bodies that spin for each other would starve on a pool that other tests share.
func atTheSameTime(
    _ first: @escaping @Sendable () -> Void, _ second: @escaping @Sendable () -> Void
) {
    let threads = [start(first), start(second)]
    for thread in threads { pthread_join(thread, nil) }
}

private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    let record = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
    var thread = pthread_t()
    let error = unsafe pthread_create(
        &thread, nil,
        { record in
            if let record = unsafe record {
                unsafe Unmanaged<Body>.fromOpaque(record).takeRetainedValue().run()
            }
            return nil
        }, record)
    precondition(error == 0, "no thread for the test")
    return thread
}

/// Where two threads meet before every round.
final class Meeting: Sendable {
    private let arrivals = Atomic<Int>(0)

    /// Returns once both threads have called this `round` times, the first call being round 1.
    func wait(round: Int) {
        arrivals.add(1, ordering: .acquiringAndReleasing)
        var turns = 0
        while arrivals.load(ordering: .acquiring) < 2 * round {
            turns += 1
            if turns % 64 == 0 { sched_yield() }
        }
    }

    /// Lets a little time pass, more with every step of 0…31: two threads that leave a meeting with
    /// different steps meet again at every distance.
    func stagger(_ step: Int) {
        for _ in 0..<step & 31 { _ = arrivals.load(ordering: .acquiring) }
    }
}
