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

    /// Answers all that is complete, and takes `lock`, as its thread number `thread`, for each: how
    /// many requests.
    mutating func answerAll(under lock: CountedLock, as thread: Int) -> Int {
        var answered = 0
        while collect() {
            lock.lock(as: thread)
            answerOne()
            lock.unlock()
            answered += 1
        }
        return answered
    }

    /// Takes what the backend has completed to the bottom halves: whether any waits there.
    private mutating func collect() -> Bool {
        if backend.inFlight > 0 {
            for index in 0..<backend.reap() {
                let completion = backend.completion(index)
                bottomHalves.append(completion)
            }
        }
        if bottomHalves.count > 0 { return true }
        return delays.firstDue.map { $0 <= Clock.monotonic() } ?? false
    }

    /// Answers one request, if one is complete, or lets its modelled service time begin.
    private mutating func answerOne() {
        finishedCount = 0
        if let completion = bottomHalves.take() {
            settle(completion.head, completion.result)
            if serviceTime == nil { objects[Int(completion.head)] = nil }
        } else if let entry = delays.take(at: Clock.monotonic()) {
            finish(entry.head, entry.result)
            objects[Int(entry.head)] = nil
        }
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
