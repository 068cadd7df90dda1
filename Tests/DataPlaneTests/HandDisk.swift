import Kernel
import SystemPackage

/// Requests that are taken, refused and completed when the test says so; no byte moves.
final class HandDisk: FileRequests {
    /// What becomes of the next `submit`.
    enum Mood { case takesAll, takesNothing, refuses }

    let capacity: Int
    var mood = Mood.takesAll
    private var queued: [(slot: Int, request: FileRequest)] = []
    private var taken: [(slot: Int, request: FileRequest)] = []
    private var done: [(slot: Int, result: Int64)] = []
    private var reaped: [(slot: Int, result: Int64)] = []

    init(capacity: Int) { self.capacity = capacity }

    /// The requests that were taken and are not complete.
    var underWay: [FileRequest] { taken.map(\.request) }

    /// Completes number `index` of these.
    func complete(_ index: Int, result: Int64) {
        done.append((taken.remove(at: index).slot, result))
    }

    var prepared: Int { queued.count }
    var hasCompletion: Bool { !done.isEmpty }

    func prepare(slot: Int, _ request: FileRequest) { queued.append((slot, request)) }

    func submit() -> Submission {
        switch mood {
        case .takesAll:
            taken += queued
            queued = []
            return .all
        case .takesNothing: return .some
        case .refuses: return .refused(slot: queued.removeFirst().slot, .badFileDescriptor)
        }
    }

    func reap() -> Int {
        (reaped, done) = (done, [])
        return reaped.count
    }

    func completion(_ index: Int) -> (slot: Int, result: Int64) { reaped[index] }
}
