internal import Telemetry

/// The columns of a chunk of requests before they are packed. All are filled in one walk over the
/// requests: each is two cache lines.
struct RequestColumns {
    /// Column after column, each with room for a number of every request.
    private(set) var numbers: [Int64] = []
    private var rows = 0
    private var hasErrors = false
    private var fill = Fill()
    private(set) var times = RequestTimes()

    /// Numbers in the columns that not every request has one in.
    private struct Fill {
        var published = 0
        var completed = 0
        var submitted = 0
        var popped = 0
        var queued = 0
        var kicked = 0
        var notified = 0
    }

    /// Where in `numbers` those of `part` are: of each request, or of each that has one.
    func range(_ part: RequestPart) -> Range<Int> {
        let count =
            switch part {
            case .published: fill.published
            case .completed: fill.completed
            case .submitted: fill.submitted
            case .popped: fill.popped
            case .queued: fill.queued
            case .kicked: fill.kicked
            case .notified: fill.notified
            case .queuedError, .endError: hasErrors ? rows : 0
            default: rows
            }
        let start = part.column * rows
        return start..<(start + count)
    }

    /// Fills the columns; `places` are the LUNs' by their index.
    mutating func take(_ events: [IOEvent], _ places: [Int], lunCount: Int, hasErrors: Bool) {
        rows = events.count
        self.hasErrors = hasErrors
        let needed = rows * RequestPart.columnCount
        if numbers.count < needed { numbers = Array(repeating: 0, count: needed) }
        var history = [RequestHistory](repeating: RequestHistory(), count: lunCount)
        var luns = history.mutableSpan
        let (events, places) = (events.span, places.span)
        var (fill, times, last) = (Fill(), RequestTimes(), UInt64(0))
        let rows = rows
        var out = numbers.mutableSpan
        for index in events.indices {
            let event = events[index]
            let place = places[Int(event.lun)]
            let end = event.lastKnownStamp
            times.add(event, end)
            out[RequestPart.presence.column &* rows &+ index] = Int64(event.knownStamps)
            out[RequestPart.end.column &* rows &+ index] = Int64(bitPattern: end &- last)
            last = end
            Self.takeStamps(event, end, &fill, &out, rows)
            out[RequestPart.shared.column &* rows &+ index] =
                Self.takeSignals(event, end, &luns[place], &fill, &out, rows)
            out[RequestPart.type.column &* rows &+ index] = Int64(event.type)
            out[RequestPart.status.column &* rows &+ index] = Int64(event.status)
            out[RequestPart.lun.column &* rows &+ index] = Int64(place)
            out[RequestPart.queue.column &* rows &+ index] = Int64(event.queue)
            out[RequestPart.head.column &* rows &+ index] = Int64(event.head)
            out[RequestPart.sector.column &* rows &+ index] =
                Int64(bitPattern: event.sector &- luns[place].sector)
            luns[place].sector = event.sector &+ UInt64(event.byteCount) / 512
            out[RequestPart.byteCount.column &* rows &+ index] = Int64(event.byteCount)
            guard hasErrors else { continue }
            out[RequestPart.queuedError.column &* rows &+ index] = Int64(event.queuedError)
            out[RequestPart.endError.column &* rows &+ index] = Int64(event.endError)
        }
        self.fill = fill
        self.times = times
    }

    /// The stamps on the way to `end`, each less the one after it that is known.
    @inline(__always)
    private static func takeStamps(
        _ event: IOEvent, _ end: UInt64, _ fill: inout Fill, _ out: inout MutableSpan<Int64>,
        _ rows: Int
    ) {
        var later = end
        takeStamp(.published, event.published, &later, &fill.published, &out, rows)
        takeStamp(.completed, event.completed, &later, &fill.completed, &out, rows)
        takeStamp(.submitted, event.submitted, &later, &fill.submitted, &out, rows)
        takeStamp(.popped, event.popped, &later, &fill.popped, &out, rows)
        takeStamp(.queued, event.queued, &later, &fill.queued, &out, rows)
    }

    @inline(__always)
    private static func takeStamp(
        _ part: RequestPart, _ stamp: UInt64, _ later: inout UInt64, _ count: inout Int,
        _ out: inout MutableSpan<Int64>, _ rows: Int
    ) {
        guard stamp != 0 else { return }
        out[part.column &* rows &+ count] = Int64(bitPattern: later &- stamp)
        count &+= 1
        later = stamp
    }

    /// Kick and notification, which several requests often share: which of them are shared.
    @inline(__always)
    private static func takeSignals(
        _ event: IOEvent, _ end: UInt64, _ lun: inout RequestHistory, _ fill: inout Fill,
        _ out: inout MutableSpan<Int64>, _ rows: Int
    ) -> Int64 {
        var shared: Int64 = 0
        if event.kicked != 0 {
            if event.kicked == lun.kicked {
                shared |= 1
            } else {
                let reference = event.queued != 0 ? event.queued : end
                out[RequestPart.kicked.column &* rows &+ fill.kicked] =
                    Int64(bitPattern: event.kicked &- reference)
                fill.kicked &+= 1
                lun.kicked = event.kicked
            }
        }
        if event.notified != 0 {
            if event.notified == lun.notified {
                shared |= 2
            } else {
                let reference = event.published != 0 ? event.published : end
                out[RequestPart.notified.column &* rows &+ fill.notified] =
                    Int64(bitPattern: event.notified &- reference)
                fill.notified &+= 1
                lun.notified = event.notified
            }
        }
        return shared
    }
}

/// The times of a chunk's requests.
struct RequestTimes {
    private var earliest = Nanoseconds.max
    private(set) var last: Nanoseconds = 0
    private var shortest = Nanoseconds.max
    private var longest: Nanoseconds = 0

    var first: Nanoseconds { min(earliest, last) }

    @inline(__always)
    mutating func add(_ event: IOEvent, _ end: Nanoseconds) {
        let start = event.start
        earliest = min(earliest, start == 0 ? end : start)
        last = max(last, end)
        if let latency = event.latency {
            shortest = min(shortest, latency)
            longest = max(longest, latency)
        }
    }

    /// Whether there is a latency, the shortest, and how much longer the longest is.
    var summary: [UInt8] {
        var writer = ByteWriter()
        writer.byte(shortest <= longest ? 1 : 0)
        if shortest <= longest {
            writer.number(shortest)
            writer.number(longest - shortest)
        }
        return writer.bytes
    }
}
