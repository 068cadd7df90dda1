import Kernel
import Virtio

/// A request as the old path kept it: an object of its own from the ring to the answer, with a copy
/// of its scatter list behind it.
typealias RequestObject = ManagedBuffer<Int, Segment>

extension SegmentList {
    /// An object with a copy of the segments; its header is their number.
    fileprivate func makeObject() -> RequestObject {
        let object = RequestObject.create(minimumCapacity: count) { _ in count }
        // SAFETY: the object has room for `count` segments, which are plain values.
        unsafe object.withUnsafeMutablePointerToElements { elements in
            for index in 0..<count { unsafe (elements + index).initialize(to: self[index]) }
        }
        return object
    }
}

// What the main loop does with a device while it holds the lock. Nothing is put together here: each
// request is submitted by itself, answered by itself and interrupted for by itself.
extension Device where B: ~Copyable {
    /// The kick's handler: takes all that is in the ring and starts it. Returns how many requests
    /// were taken.
    mutating func handleKick() -> Int {
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
                objects[Int(head)] = segments.makeObject()
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

    /// Answers all that is complete, and takes `lock`, as its thread number `thread`, for each, and
    /// for an interrupt that was held and is due: how many requests.
    mutating func answerAll(under lock: CountedLock, as thread: Int) -> Int {
        if backend.inFlight > 0 {
            for index in 0..<backend.reap() { bottomHalves.append(backend.completion(index)) }
        }
        var answered = 0
        while let completion = bottomHalves.take() {
            lock.lock(as: thread)
            answer(completion)
            lock.unlock()
            answered += 1
        }
        if gate.isDue() {
            lock.lock(as: thread)
            interrupt()
            lock.unlock()
        }
        return answered
    }

    private mutating func answer(_ completion: Completion) {
        finishedCount = 0
        finish(completion.head, completion.result)
        objects[Int(completion.head)] = nil
        stampCompleted(from: 0)
        publishOne()
    }

    private mutating func publishOne() {
        let published = queue.unpublished
        guard published > 0 else { return }
        publish()
        counters.add(1, to: .turns)
        counters.add(UInt64(published), to: .requests)
    }
}
