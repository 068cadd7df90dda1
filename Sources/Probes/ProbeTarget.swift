internal import Kernel
internal import Telemetry

/// A probe as the session has it: defined, and perhaps refused.
struct ProbeState: Sendable {
    let definition: ProbeDefinition
    /// Software: known from the start. Tracepoints: while they are on.
    var request: PerfRequest?
    var untilRequest: PerfRequest?
    /// Where the fields are, of a probe that needs records.
    var plan: RecordPlan?
    /// Why it cannot be had.
    var failure: Tracefs.Failure?

    init(_ definition: ProbeDefinition) {
        self.definition = definition
        if case .software(let name) = definition.event,
            let counter = ProbeDefinition.Event.softwareCounters[name]
        {
            request = PerfRequest(.software(counter))
        }
    }

    /// Descriptors it takes of a thread or CPU.
    var descriptorCount: Int {
        failure != nil || request == nil ? 0 : untilRequest == nil ? 1 : 2
    }
}

/// What a probe did on one thread or CPU during an interval.
struct ProbeActivity: Sendable {
    /// How often the event occurred; `nil` if the kernel's answer was not understood.
    var events: UInt64?
    /// What its records told, of a probe that has any.
    var totals: RecordFold.Totals?
    let interval: RateInterval
    /// Nanoseconds of the interval.
    var length: Double { interval.seconds * 1e9 }

    var rate: Double? { events.map { Double($0) / interval.seconds } }

    /// Events for each that was recorded: more than one where records were lost, or only some were
    /// wanted.
    var scale: Double {
        guard let totals, let events, totals.samples > 0 else { return 1 }
        return max(1, Double(events) / Double(totals.samples))
    }

    /// Time from event to end, percent of the interval.
    var percent: Double? {
        totals.map { min(100, Double($0.waits.time) * scale / length * 100) }
    }

    /// The value of a column.
    func value(of fold: ProbeDefinition.Fold, column: Int) -> Double? {
        switch fold {
        case .rate: return rate
        case .count: return events.map(Double.init)
        case .percent: return percent
        case .sum, .mean, .max, .meanTime, .longest, .p99: break
        }
        guard let totals else { return nil }
        let sample = totals.samples > 0 ? Double(totals.samples) : nil
        switch fold {
        case .sum: return totals.sums[column] * scale / interval.seconds
        case .mean: return sample.map { totals.sums[column] / $0 }
        case .max: return totals.maxima[column]
        case .meanTime: return totals.waits.mean.map { $0 / 1000 }
        case .longest:
            return totals.waits.longest > 0 ? Double(totals.waits.longest) / 1000 : nil
        case .p99: return totals.waits.p99.map { Double($0) / 1000 }
        case .rate, .count, .percent: return nil
        }
    }
}

/// Events that are only counted, of one thread or CPU.
struct CountedEvents: Sendable {
    let counters: any ProbeCounters
    /// Index of the probe of each counter.
    let probes: [Int]
    private var previous: (time: Nanoseconds, values: [UInt64])?

    init(_ counters: any ProbeCounters, probes: [Int]) {
        self.counters = counters
        self.probes = probes
    }

    /// Reads them at `time`, and adds what they did since they were read before.
    mutating func sample(
        at time: Nanoseconds, scratch words: inout [UInt64],
        into activities: inout [Int: ProbeActivity]
    ) {
        guard let reading = try? counters.read(scratch: &words),
            reading.values.count == probes.count
        else {
            previous = nil
            return
        }
        if let previous, let interval = RateInterval(from: previous.time, to: time) {
            for (index, probe) in probes.enumerated() {
                let (before, now) = (previous.values[index], reading.values[index])
                activities[probe] = ProbeActivity(
                    events: now >= before ? now - before : nil, interval: interval)
            }
        }
        previous = (time, reading.values)
    }
}

/// Events that are recorded, of one thread or CPU.
struct RecordedEvents: Sendable {
    /// What the events of a recorder are.
    struct Part: Sendable {
        let probe: Int
        /// The event itself, or the one that ends it.
        let isUntil: Bool
        /// Only every so many events are recorded.
        var period: UInt64 = 1
        var samples: UInt64 = 0
        /// Whether every event was to be recorded, so that none may be missing.
        var isWhole = true
        var count = PerfRecorder.Count(events: 0, lost: nil)
    }

    let recorder: any ProbeRecorder
    private(set) var parts: [Part]
    private var folds: [Int: RecordFold]
    private let isPaired: Bool
    private let capacity: UInt64
    private var previous: (time: Nanoseconds, events: [UInt64])?
    /// Told by records in the ring, where the kernel does not tell it by event.
    private var lostInRing: UInt64 = 0
    private var lostBefore: UInt64 = 0

    /// A record with its header and some fields.
    private static let recordByteCount = 96

    init(
        _ recorder: any ProbeRecorder, parts: [Part], folds: [Int: RecordFold], ringByteCount: Int
    ) {
        self.recorder = recorder
        self.parts = parts
        self.folds = folds
        isPaired = parts.contains { $0.isUntil }
        capacity = UInt64(max(1, ringByteCount / Self.recordByteCount / 2 / max(1, parts.count)))
    }

    /// Records lost since it was opened.
    var lost: UInt64 {
        let byEvent = parts.compactMap(\.count.lost)
        return byEvent.count == parts.count ? byEvent.reduce(0, &+) : lostInRing
    }

    /// Events of which there is neither record nor loss, since it was opened.
    var hidden: UInt64 {
        parts.reduce(0) { sum, part in
            guard part.isWhole, let lost = part.count.lost else { return sum }
            let known = part.samples &+ lost
            return part.count.events > known ? sum &+ (part.count.events - known) : sum
        }
    }

    /// Takes what is in the ring.
    mutating func drain(scratch: inout [UInt8]) {
        let (recorder, oldParts) = (recorder, parts)
        var (folds, parts) = (folds, oldParts)
        self.folds = [:]
        self.parts = []
        let drained = recorder.drain(scratch: &scratch) { index, sample, fields in
            guard parts.indices.contains(index) else { return }
            parts[index].samples &+= 1
            let probe = parts[index].probe
            if parts[index].isUntil {
                folds[probe]?.end(at: sample.time)
            } else {
                folds[probe]?.begin(at: sample.time, fields)
            }
        }
        lostInRing &+= drained.lost
        self.folds = folds
        self.parts = parts
    }

    /// Reads and takes everything at `time`, and adds what happened since the time before.
    mutating func sample(
        at time: Nanoseconds, scratch: inout ProbeScratch,
        into activities: inout [Int: ProbeActivity]
    ) {
        // Counted before the ring is read: an event between the two has a record more, never less.
        let counts = try? recorder.read(scratch: &scratch.words)
        drain(scratch: &scratch.bytes)
        for (index, count) in (counts ?? []).enumerated() where index < parts.count {
            if let count { parts[index].count = count }
        }
        let events = parts.map(\.count.events)
        let interval = previous.flatMap { RateInterval(from: $0.time, to: time) }
        for (index, part) in parts.enumerated() where !part.isUntil {
            let totals = folds[part.probe]?.take(until: time)
            guard let interval, let before = previous?.events[index] else { continue }
            let isKnown = counts != nil && events[index] >= before
            activities[part.probe] = ProbeActivity(
                events: isKnown ? events[index] - before : nil, totals: totals,
                interval: interval)
            if let interval = previous.map({ time - min(time, $0.time) }), isKnown {
                adapt(index, events: events[index] - before, over: interval)
            }
        }
        if lost != lostBefore {
            lostBefore = lost
            for probe in folds.keys { folds[probe]?.forget() }
        }
        previous = (time, events)
    }

    /// Has fewer of an event's occurrences recorded when more come than there is room for, and more
    /// again when there is. Pairs cannot be thinned out.
    private mutating func adapt(_ index: Int, events: UInt64, over interval: Nanoseconds) {
        guard !isPaired(parts[index].probe), interval > 0 else { return }
        var period = parts[index].period
        while events / period > capacity, period < 1 << 20 { period *= 2 }
        while period > 1, events / period < capacity / 4 { period /= 2 }
        guard period != parts[index].period else { return }
        parts[index].period = period
        parts[index].isWhole = false
        recorder.setPeriod(period, of: index)
    }

    private func isPaired(_ probe: Int) -> Bool {
        isPaired && parts.contains { $0.probe == probe && $0.isUntil }
    }
}

/// Buffers that readings share.
struct ProbeScratch: Sendable {
    var words: [UInt64] = []
    var bytes: [UInt8] = []
}

/// One watched thread or CPU, with all that is open on it.
struct ProbeTarget: Sendable {
    let target: PerfTarget
    /// `nil` for a CPU.
    var thread: ProbedThread?
    var software: CountedEvents?
    var counted: CountedEvents?
    var recorded: RecordedEvents?
    /// Of the last sample, by probe.
    var activities: [Int: ProbeActivity] = [:]
    /// Where opening found nobody.
    var hasEnded = false
    /// Where the limits left no room.
    var isLeftOut = false

    init(_ thread: ProbedThread) {
        target = .thread(thread.tid)
        self.thread = thread
    }

    init(cpu: Int) { target = .cpu(cpu) }

    var descriptorCount: Int {
        (software?.probes.count ?? 0) + (counted?.probes.count ?? 0)
            + (recorded?.parts.count ?? 0)
    }

    mutating func sample(clock: () -> Nanoseconds, scratch: inout ProbeScratch) {
        activities.removeAll(keepingCapacity: true)
        let time = clock()
        software?.sample(at: time, scratch: &scratch.words, into: &activities)
        counted?.sample(at: time, scratch: &scratch.words, into: &activities)
        recorded?.sample(at: time, scratch: &scratch, into: &activities)
    }
}
