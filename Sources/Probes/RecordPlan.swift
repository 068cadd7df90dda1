internal import Kernel
internal import ProcFS
internal import Telemetry

/// Which fields of an event's records a probe needs, and where this kernel has them.
struct RecordPlan: Sendable {
    /// By column, `nil` for columns that need none.
    let columns: [TracepointFormat.Field?]
    let name: TracepointFormat.Field?
    let companion: TracepointFormat.Field?
    let lock: TracepointFormat.Field?
    let mask: UInt64

    /// The fields of `probe` in `format`; throws for one that is not there.
    init(
        _ probe: ProbeDefinition, format: TracepointFormat
    ) throws(Tracefs.Failure) {
        func field(_ name: String?) throws(Tracefs.Failure) -> TracepointFormat.Field? {
            guard let name else { return nil }
            if let field = format.field(name) { return field }
            let own = format.fields.map(\.name).filter { !$0.hasPrefix("common_") }
            throw Tracefs.Failure(
                reason: "\(probe.event.text) has no field \(name) in this kernel",
                remedy: "take one of \(own.joined(separator: ", ")) in \(probe.name).toml")
        }
        var columns: [TracepointFormat.Field?] = []
        for column in probe.columns { columns.append(try field(column.fold.field)) }
        self.columns = columns
        name = try field(probe.eventNames?.field)
        companion = try field(name == nil ? nil : probe.eventNames?.names.companion)
        lock = try field(probe.lockField)
        mask = probe.eventNames?.mask ?? .max
    }
}

/// Times from an event to the one that ends it, within an interval.
struct WaitTotals: Sendable, Equatable {
    /// How many began.
    var begun: UInt64 = 0
    /// Nanoseconds of them that lie in the interval.
    var time: UInt64 = 0
    /// Nanoseconds of the longest, from its very beginning.
    var longest: UInt64 = 0
    /// Those that ended, by `LatencyBuckets` of their whole length, and the sum of those lengths.
    var ended: [Int: UInt64] = [:]
    var endedTime: UInt64 = 0

    mutating func add(_ other: WaitTotals) {
        begun &+= other.begun
        time &+= other.time
        longest = max(longest, other.longest)
        ended.merge(other.ended, uniquingKeysWith: &+)
        endedTime &+= other.endedTime
    }

    /// What 99 % of those that ended took at most, nanoseconds; `nil` if none ended.
    var p99: UInt64? {
        let total = ended.values.reduce(0, &+)
        guard total > 0 else { return nil }
        let wanted = (Double(total) * 0.99).rounded(.up)
        var seen = 0.0
        for bucket in ended.sorted(by: { $0.key < $1.key }) {
            seen += Double(bucket.value)
            if seen >= wanted {
                return min(longest, LatencyBuckets.range(of: bucket.key).upperBound)
            }
        }
        return longest
    }

    /// Mean length of those that ended, nanoseconds.
    var mean: Double? {
        let total = ended.values.reduce(0, &+)
        return total > 0 ? Double(endedTime) / Double(total) : nil
    }
}

/// The value of a field, and of the one that says how to understand it.
struct EventValue: Sendable, Hashable {
    var value: UInt64
    var companion: UInt64?
}

/// What one probe makes of the records of one thread or CPU: pure, records in, totals out.
struct RecordFold: Sendable {
    /// Totals of an interval.
    struct Totals: Sendable, Equatable {
        /// Records of the event.
        var samples: UInt64 = 0
        /// By column, of its field; no maximum without a record.
        var sums: [Double]
        var maxima: [Double?]
        var names: [EventValue: UInt64] = [:]
        var waits = WaitTotals()
        var locks: [UInt64: WaitTotals] = [:]

        init(columns: Int) {
            sums = Array(repeating: 0, count: columns)
            maxima = Array(repeating: nil, count: columns)
        }
    }

    /// A probe that tells more values or locks apart than this counts the rest as one.
    static let nameLimit = 256

    let plan: RecordPlan
    private(set) var totals: Totals
    /// The event that has begun and not ended.
    private var open: (time: UInt64, lock: UInt64?)?
    /// Where the interval began, `CLOCK_MONOTONIC` nanoseconds; waits count from here on.
    private var start: UInt64 = 0

    init(plan: RecordPlan) {
        self.plan = plan
        totals = Totals(columns: plan.columns.count)
    }

    /// The event occurred at `time`; `fields` are its raw ones.
    mutating func begin(at time: UInt64, _ fields: Span<UInt8>) {
        totals.samples &+= 1
        for index in plan.columns.indices {
            guard let value = plan.columns[index]?.value(in: fields) else { continue }
            totals.sums[index] += value
            totals.maxima[index] = max(totals.maxima[index] ?? value, value)
        }
        if let bits = plan.name?.bits(in: fields) {
            var value = EventValue(
                value: bits & plan.mask, companion: plan.companion?.bits(in: fields))
            if totals.names[value] == nil, totals.names.count >= Self.nameLimit {
                value = EventValue(value: .max, companion: nil)
            }
            totals.names[value, default: 0] &+= 1
        }
        open = (time, plan.lock?.bits(in: fields))
        var begun = WaitTotals()
        begun.begun = 1
        add(begun, lock: open?.lock)
    }

    /// What `begin` began ended at `time`; without a beginning nothing is known of it.
    mutating func end(at time: UInt64) {
        guard let begun = open else { return }
        open = nil
        guard time >= begun.time else { return }
        var wait = WaitTotals()
        wait.longest = time - begun.time
        wait.time = time - min(time, max(begun.time, start))
        wait.ended[LatencyBuckets.index(of: wait.longest)] = 1
        wait.endedTime = wait.longest
        add(wait, lock: begun.lock)
    }

    /// Records were lost: nobody knows whether what has begun still lasts.
    mutating func forget() { open = nil }

    /// The totals up to `now`, where a new interval begins; what lasts still is in both.
    mutating func take(until now: UInt64) -> Totals {
        if let open, now > open.time {
            var wait = WaitTotals()
            wait.time = now - max(open.time, min(start, now))
            wait.longest = now - open.time
            add(wait, lock: open.lock)
        }
        defer {
            totals = Totals(columns: plan.columns.count)
            start = now
        }
        return totals
    }

    private mutating func add(_ wait: WaitTotals, lock: UInt64?) {
        totals.waits.add(wait)
        guard let lock else { return }
        let known = totals.locks[lock] != nil || totals.locks.count < Self.nameLimit
        totals.locks[known ? lock : 0, default: WaitTotals()].add(wait)
    }
}
