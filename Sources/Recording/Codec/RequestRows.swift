internal import Telemetry

/// Requests made of the columns of their chunk, in one walk.
enum RequestRows {
    /// What the columns tell.
    struct Known {
        /// Bits of the stamps.
        var stamps: UInt8 = 0
        var hasLUNs = false
        var hasSectors = false
        var hasErrors = false
    }

    /// How many numbers there are of the stamps that not every request has.
    struct StampCounts {
        private var byStamps = [Int](repeating: 0, count: 256)
        private(set) var kicks = 0
        private(set) var notifications = 0

        /// Counts them in `numbers`, columns of `rows` requests.
        init(_ numbers: [Int64], _ rows: Int) {
            let numbers = numbers.span
            var counts = byStamps.mutableSpan
            var (kicks, notifications) = (0, 0)
            for index in 0..<rows {
                let stamps = UInt8(
                    truncatingIfNeeded: numbers[RequestPart.presence.column &* rows &+ index])
                let shared = numbers[RequestPart.shared.column &* rows &+ index]
                counts[Int(stamps)] &+= 1
                kicks &+= Int(stamps >> 1 & 1 & ~UInt8(truncatingIfNeeded: shared))
                notifications &+= Int(stamps >> 6 & 1 & ~UInt8(truncatingIfNeeded: shared >> 1))
            }
            (self.kicks, self.notifications) = (kicks, notifications)
        }

        /// Requests that have the stamp `bit`.
        func stamps(_ bit: UInt8) -> Int {
            byStamps.indices.reduce(0) {
                UInt8(truncatingIfNeeded: $1) & bit == 0 ? $0 : $0 + byStamps[$1]
            }
        }
    }

    /// The place of the next number in each column that not every request has one in.
    private struct Places {
        var published: Int
        var completed: Int
        var submitted: Int
        var popped: Int
        var queued: Int
        var kicked: Int
        var notified: Int

        init(_ rows: Int) {
            published = RequestPart.published.column * rows
            completed = RequestPart.completed.column * rows
            submitted = RequestPart.submitted.column * rows
            popped = RequestPart.popped.column * rows
            queued = RequestPart.queued.column * rows
            kicked = RequestPart.kicked.column * rows
            notified = RequestPart.notified.column * rows
        }
    }

    /// Fills `events` from `numbers`, columns of as many requests, whose LUNs are places in `luns`.
    static func fill(
        _ events: inout [IOEvent], _ numbers: [Int64], _ luns: [UInt16], _ known: Known
    ) {
        let rows = events.count
        var history = [RequestHistory](repeating: RequestHistory(), count: luns.count)
        var before = history.mutableSpan
        var out = events.mutableSpan
        let (numbers, luns) = (numbers.span, luns.span)
        var (places, end) = (Places(rows), UInt64(0))
        for index in 0..<rows {
            let place = Int(numbers[RequestPart.lun.column &* rows &+ index])
            let presence = numbers[RequestPart.presence.column &* rows &+ index]
            let stamps = UInt8(truncatingIfNeeded: presence) & known.stamps
            end = end &+ UInt64(bitPattern: numbers[RequestPart.end.column &* rows &+ index])
            var event = IOEvent.unknown
            event.lun = luns[place]
            event.type = UInt32(
                truncatingIfNeeded: numbers[RequestPart.type.column &* rows &+ index])
            event.status = UInt8(
                truncatingIfNeeded: numbers[RequestPart.status.column &* rows &+ index])
            event.queue = UInt16(
                truncatingIfNeeded: numbers[RequestPart.queue.column &* rows &+ index])
            event.head = UInt16(
                truncatingIfNeeded: numbers[RequestPart.head.column &* rows &+ index])
            event.byteCount = UInt32(
                truncatingIfNeeded: numbers[RequestPart.byteCount.column &* rows &+ index])
            if known.hasSectors {
                let distance = numbers[RequestPart.sector.column &* rows &+ index]
                event.sector = before[place].sector &+ UInt64(bitPattern: distance)
                before[place].sector = event.sector &+ UInt64(event.byteCount) / 512
            }
            if stamps & StampChain.reaped != 0 { event.reaped = end }
            fillStamps(&event, stamps, end, &places, numbers)
            let shared = numbers[RequestPart.shared.column &* rows &+ index]
            fillSignals(&event, stamps, end, shared, &before[place], &places, numbers)
            if known.hasErrors {
                event.queuedError = UInt32(
                    truncatingIfNeeded: numbers[RequestPart.queuedError.column &* rows &+ index])
                event.endError = UInt32(
                    truncatingIfNeeded: numbers[RequestPart.endError.column &* rows &+ index])
            }
            out[index] = event
        }
    }

    @inline(__always)
    private static func fillStamps(
        _ event: inout IOEvent, _ stamps: UInt8, _ end: UInt64, _ places: inout Places,
        _ numbers: Span<Int64>
    ) {
        var later = end
        if stamps & StampChain.published != 0 {
            event.published = take(&later, &places.published, numbers)
        }
        if stamps & StampChain.completed != 0 {
            event.completed = take(&later, &places.completed, numbers)
        }
        if stamps & StampChain.submitted != 0 {
            event.submitted = take(&later, &places.submitted, numbers)
        }
        if stamps & StampChain.popped != 0 {
            event.popped = take(&later, &places.popped, numbers)
        }
        if stamps & StampChain.queued != 0 {
            event.queued = take(&later, &places.queued, numbers)
        }
    }

    /// The stamp before `later`, which it becomes.
    @inline(__always)
    private static func take(
        _ later: inout UInt64, _ place: inout Int, _ numbers: Span<Int64>
    ) -> UInt64 {
        later = later &- UInt64(bitPattern: numbers[place])
        place &+= 1
        return later
    }

    @inline(__always)
    private static func fillSignals(
        _ event: inout IOEvent, _ stamps: UInt8, _ end: UInt64, _ shared: Int64,
        _ before: inout RequestHistory, _ places: inout Places, _ numbers: Span<Int64>
    ) {
        if stamps & StampChain.kicked != 0 {
            if shared & 1 == 0 {
                let reference = stamps & StampChain.queued != 0 ? event.queued : end
                before.kicked = reference &+ UInt64(bitPattern: numbers[places.kicked])
                places.kicked &+= 1
            }
            event.kicked = before.kicked
        }
        if stamps & StampChain.notified != 0 {
            if shared & 2 == 0 {
                let reference = stamps & StampChain.published != 0 ? event.published : end
                before.notified = reference &+ UInt64(bitPattern: numbers[places.notified])
                places.notified &+= 1
            }
            event.notified = before.notified
        }
    }
}
