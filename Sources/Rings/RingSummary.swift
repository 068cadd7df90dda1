internal import Telemetry

extension VMRings {
    /// Completed and not reaped for less than this is nothing to speak of, nanoseconds.
    private static let reapPatience: Nanoseconds = 10_000_000
    /// Requests under way that are told of one LUN.
    private static let mostInFlight = 64
    /// Looks that must have found requests before anything is said of where their time goes: of
    /// less, a mean is the luck of a look.
    private static let leastLooks: UInt64 = 10

    /// What every LUN's queues showed since this was called last, by `LUN.id`. `name` makes ids
    /// those of `LUN.qualifiedID`.
    func take(name: (String) -> String) -> [String: LUNRings] {
        var result: [String: LUNRings] = [:]
        let now = last?.end ?? 0
        withSums { luns, queues in
            for index in luns.indices {
                var reading = LUNRings()
                let members = luns[index].queues
                let all = members.map { queues[$0] }
                reading.virtqueues = all.map(Virtqueue.init)
                let looks = all.compactMap { $0.last?.end }
                reading.lookedAt = looks.max().map { (looks.min() ?? $0)...$0 }
                reading.queueDepth = Self.depth(of: all, luns[index])
                Self.summarize(all, into: &reading)
                reading.inFlight = Self.inFlight(all, lun: name(luns[index].id), at: now)
                luns[index].takeRequests(into: &reading)
                result[luns[index].id] = reading
                luns[index].meter.reset()
                for queue in members { queues[queue].record.meter.reset() }
            }
        }
        return result
    }

    private static func depth(of queues: [WatchedQueue], _ lun: LUNSums) -> QueueDepth? {
        let meter = queues.count == 1 ? queues[0].record.meter : lun.meter
        guard meter.time > 0, queues.allSatisfy({ $0.current != nil }) else { return nil }
        let now = queues.reduce(0) { $0 + ($1.current?.outstanding ?? 0) }
        return QueueDepth(
            now: now, mean: meter.outstandingTime / Double(meter.time), p50: meter.depth(at: 0.5),
            p99: meter.depth(at: 0.99), max: meter.deepest)
    }

    /// Counts, and the means of the stages by Little's law: so many requests were in a stage on
    /// average, and so many passed it in the time.
    private static func summarize(_ queues: [WatchedQueue], into reading: inout LUNRings) {
        var (waiting, device, unreaped) = (0.0, 0.0, 0.0)
        var (showsPops, showsReaps, looks) = (true, true, UInt64(0))
        for queue in queues {
            let meter = queue.record.meter
            looks &+= meter.busyLooks
            reading.ended &+= meter.completions
            reading.followed &+= meter.followed
            reading.slipped &+= meter.slipped
            showsPops = showsPops && meter.waitingKnown > meter.time / 2
            showsReaps = showsReaps && meter.unreapedKnown > meter.time / 2
            let scale = { (known: UInt64) in Double(meter.time) / Double(max(1, known)) }
            waiting += meter.waitingTime * scale(meter.waitingKnown)
            device += meter.inFlightTime
            unreaped += meter.unreapedTime * scale(meter.unreapedKnown)
        }
        guard reading.ended > 0 else { return }
        guard looks >= leastLooks else {
            reading.whyNoStages = reading.ended < leastLooks ? .fewRequests : .brief
            return
        }
        guard showsPops || showsReaps else {
            reading.whyNoStages = .hidden
            return
        }
        let count = Double(reading.ended) * 1000
        var stages = StageTimes()
        if showsPops {
            stages.ringWait = waiting / count
            stages.storage = max(0, device - waiting) / count
            reading.stageQuality[.ringWait] = .derived
            reading.stageQuality[.storage] = .derived
        }
        if showsReaps {
            stages.notify = unreaped / count
            reading.stageQuality[.notify] = .derived
        }
        reading.stages = stages
    }

    /// What is under way, the oldest first.
    private static func inFlight(
        _ queues: [WatchedQueue], lun: String, at now: Nanoseconds
    ) -> [InFlightRequest] {
        var all: [InFlightRequest] = []
        for queue in queues {
            queue.record.book.forEach { head, entry in
                let isPopped = entry.popped != 0 ? true : queue.isPopped(entry.position)
                let place: InFlightRequest.Place =
                    isPopped.map { $0 ? .device : .ring } ?? .ringOrDevice
                all.append(
                    InFlightRequest(
                        entry, head, lun: lun, queue: queue.place.queue, at: now, place))
            }
            for ended in queue.record.unreaped where now > ended.ended.latest &+ reapPatience {
                all.append(
                    InFlightRequest(
                        ended.entry, ended.head, lun: lun, queue: queue.place.queue, at: now,
                        .used))
            }
        }
        all.sort { $0.age > $1.age }
        return Array(all.prefix(mostInFlight))
    }
}

extension QueueMeter {
    /// The depth that was not passed for `share` of the time.
    func depth(at share: Double) -> Int? {
        guard time > 0 else { return nil }
        var seen = 0.0
        for (depth, duration) in timeAtDepth.enumerated() {
            seen += Double(duration)
            if seen >= share * Double(time) { return depth }
        }
        return deepest
    }
}

extension Virtqueue {
    /// What a queue did since its meter began.
    init(_ queue: WatchedQueue) {
        let (meter, indices) = (queue.record.meter, queue.indices)
        self.init(
            index: queue.place.queue, size: queue.place.size, availIndex: indices.avail,
            usedIndex: indices.used, inFlight: queue.current?.inFlight ?? 0)
        waiting = queue.current?.waiting
        unreaped = queue.current?.unreaped
        guard meter.time > 0 else { return }
        let seconds = Double(meter.time) / 1e9
        submissions = Double(meter.submissions) / seconds
        completions = Double(meter.completions) / seconds
        meanInFlight = meter.inFlightTime / Double(meter.time)
        fullPercent = Double(meter.fullTime) / Double(meter.time) * 100
        if meter.submitLooks > 0 {
            kicksSuppressedPercent =
                Double(meter.kicklessLooks) / Double(meter.submitLooks) * 100
        }
        if meter.completionLooks > 0 {
            interruptsSuppressedPercent =
                Double(meter.interruptlessLooks) / Double(meter.completionLooks) * 100
        }
    }
}

extension InFlightRequest {
    /// A request as the book has it.
    init(
        _ entry: RequestBook.Entry, _ head: UInt16, lun: String, queue: Int,
        at now: Nanoseconds, _ place: Place
    ) {
        let isPresumed = entry.state == .presumed || entry.published.earliest == 0
        let since = isPresumed ? entry.published.latest : entry.published.middle
        self.init(
            lun: lun, queue: queue, head: head, since: since,
            age: Double(now > since ? now - since : 0) / 1000, place: place)
        if !isPresumed { ageUncertainty = Double(entry.published.width) / 2000 }
        guard entry.chain == .read else { return }
        type = entry.type
        sector = entry.sector
        byteCount = entry.byteCount
    }
}
