internal import Telemetry

/// Flushes in flight of one LUN. They have no sector to be known by; the block layer serves them in
/// order.
struct FlushTable {
    /// A flush in flight.
    struct Entry {
        var queued: Nanoseconds = 0
        var submitted: Nanoseconds = 0
        /// Whether a bio asked for it, whose own completion follows.
        var hasBio = false
        /// Where the bio says it lies.
        var sector: UInt64 = 0
    }
    /// Flushes that may wait for each step.
    static let limit = 32

    /// Asked for; handed to the device.
    private(set) var queued: [Entry] = []
    private(set) var issued: [Entry] = []
    /// Bios whose flush is completed and whose own completion has not come.
    private var answered = 0

    /// Adds one that is asked for; the oldest leaves where there are too many.
    mutating func queue(_ entry: Entry) -> Entry? {
        queued.append(entry)
        return queued.count > Self.limit ? queued.removeFirst() : nil
    }

    /// The oldest that is asked for goes to the device.
    mutating func issue(at time: Nanoseconds) -> Entry? {
        var entry = queued.isEmpty ? Entry() : queued.removeFirst()
        entry.submitted = time
        issued.append(entry)
        return issued.count > Self.limit ? issued.removeFirst() : nil
    }

    /// The youngest that the device has is taken back.
    mutating func requeue() {
        guard var entry = issued.popLast() else { return }
        entry.submitted = 0
        queued.insert(entry, at: 0)
    }

    /// What a completion came to.
    enum Completion {
        case finished(Entry)
        /// The bio of a flush that is already handed over.
        case answered
        /// None that is in flight.
        case unknown
    }

    /// The oldest is completed: that of the device, or the `bio` of one.
    mutating func complete(bio: Bool) -> Completion {
        if bio, answered > 0 {
            answered -= 1
            return .answered
        }
        if !issued.isEmpty {
            let entry = issued.removeFirst()
            if entry.hasBio, !bio { answered = min(answered + 1, Self.limit) }
            return .finished(entry)
        }
        if !queued.isEmpty { return .finished(queued.removeFirst()) }
        return bio ? .answered : .unknown
    }
}
