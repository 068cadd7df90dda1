import Kernel
import Virtio

/// A request as the old path kept it: an object of its own from the ring to the answer, with a copy
/// of its scatter list.
final class RequestObject {
    let head: UInt16
    let segments: [Segment]

    init(head: UInt16, segments: [Segment]) {
        self.head = head
        self.segments = segments
    }
}

// What the main loop does with a device while it holds the lock. Nothing is put together here: each
// request is submitted by itself, answered by itself and interrupted for by itself.
extension Device where B: ~Copyable {
    /// The kick's handler: takes all that is in the ring and starts it. `keep` gets each request's
    /// object. Returns how many requests were taken.
    mutating func handleKick(keep: (RequestObject) -> Void) -> Int {
        isTracing = shared.orders.trace != .off
        finishedCount = 0
        var taken = 0
        for _ in 0..<queue.refresh() {
            startedCount = 0
            let now = isTracing ? Clock.ticksAfterLoads() : 0
            switch queue.pop(into: &segments) {
            case .empty: return taken
            case .chain(let head):
                notePopped(head, at: now)
                keep(RequestObject(head: head, segments: segments.copy))
                start(head)
                hand()
                if isTracing { stampStarted() }
            case .malformed(let head, _):
                notePopped(head, at: now)
                counters.add(1, to: .malformed)
                giveBack(head, written: 0)
            case .broken:
                breakDown()
                return taken
            }
            taken += 1
            counters.add(1, to: .popped)
        }
        if queue.breakage != nil { breakDown() }
        // What was answered without the backend.
        publishOne()
        return taken
    }

    /// Takes what the backend has completed to the bottom halves: whether any waits there.
    mutating func collect() -> Bool {
        if backend.inFlight > 0 {
            for index in 0..<backend.reap() {
                let completion = backend.completion(index)
                bottomHalves.append(completion)
            }
        }
        return bottomHalves.count > 0
    }

    /// Answers one request, if one is complete: its head.
    mutating func answerOne() -> UInt16? {
        guard let completion = bottomHalves.take() else { return nil }
        finishedCount = 0
        finish(completion.head, completion.result)
        stampCompleted(from: 0)
        publishOne()
        return completion.head
    }

    private mutating func publishOne() {
        let published = queue.unpublished
        guard published > 0 else { return }
        publish()
        counters.add(1, to: .turns)
        counters.add(UInt64(published), to: .requests)
    }
}
