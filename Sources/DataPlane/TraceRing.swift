public import Kernel
public import Telemetry

/// A bounded queue of request records between one vCPU thread and one reader.
///
/// The writer never waits: a record that finds no room is counted as lost, exactly. A record is
/// twelve words; stamps stay in ticks until the reader converts them.
public final class TraceRing: Sendable {
    private static let recordWords = 12
    private enum Control { static let written = 0, taken = 8, lost = 16, first = 24 }
    private let words: SharedWords
    private let mask: UInt64

    /// A ring for `capacity` records, rounded up to a power of two.
    public init(capacity: Int) throws(KernelError) {
        var size = 2
        while size < capacity { size *= 2 }
        mask = UInt64(size - 1)
        words = try SharedWords(count: Control.first + size * Self.recordWords)
    }

    /// Records that found no room since the start.
    public var lost: UInt64 { words[Control.lost] }

    /// One request's record with its stamps in ticks.
    struct Record {
        var type: UInt32
        var status: UInt8
        var lun: UInt16
        var head: UInt16
        var sector: UInt64
        var byteCount: UInt32
        var queued: UInt64
        var kicked: UInt64
        var popped: UInt64
        var submitted: UInt64
        var completed: UInt64
        var published: UInt64
        var notified: UInt64
        var reaped: UInt64
    }

    /// Appends `record`, or counts it as lost. Only the vCPU thread calls this.
    @inline(__always)
    func append(_ record: Record) {
        let written = words[Control.written]
        guard written &- words.acquire(Control.taken) <= mask else {
            words.add(1, at: Control.lost)
            return
        }
        let at = Control.first &+ Int(written & mask) &* Self.recordWords
        words[at] =
            UInt64(record.type) &<< 32 | UInt64(record.lun) &<< 16 | UInt64(record.head)
        words[at &+ 1] = UInt64(record.byteCount) &<< 8 | UInt64(record.status)
        words[at &+ 2] = record.sector
        words[at &+ 3] = record.queued
        words[at &+ 4] = record.kicked
        words[at &+ 5] = record.popped
        words[at &+ 6] = record.submitted
        words[at &+ 7] = record.completed
        words[at &+ 8] = record.published
        words[at &+ 9] = record.notified
        words[at &+ 10] = record.reaped
        words.release(written &+ 1, at: Control.written)
    }

    /// Hands all records so far to `body`, oldest first. Only one thread may drain a ring.
    public func drain(rate: TickRate, _ body: (IOEvent) -> Void) {
        let written = words.acquire(Control.written)
        var taken = words[Control.taken]
        while taken != written {
            body(event(at: Control.first + Int(taken & mask) * Self.recordWords, rate: rate))
            taken += 1
            words.release(taken, at: Control.taken)
        }
    }

    private func event(at index: Int, rate: TickRate) -> IOEvent {
        func time(_ offset: Int) -> Nanoseconds {
            let ticks = words[index + offset]
            return ticks == 0 ? 0 : rate.time(at: ticks)
        }
        let names = words[index]
        let sizes = words[index + 1]
        return IOEvent(
            type: UInt32(truncatingIfNeeded: names >> 32),
            status: UInt8(truncatingIfNeeded: sizes),
            lun: UInt16(truncatingIfNeeded: names >> 16),
            head: UInt16(truncatingIfNeeded: names),
            sector: words[index + 2], byteCount: UInt32(truncatingIfNeeded: sizes >> 8),
            queued: time(3), kicked: time(4), popped: time(5), submitted: time(6),
            completed: time(7), published: time(8), notified: time(9), reaped: time(10))
    }
}
