internal import Kernel
public import Rings
internal import Telemetry

/// The sampler of all VMs' virtqueues.
struct RingWatch: Sendable {
    let sampler: RingSampler
    /// The generation of each watch's location that is looked at.
    private let generations: Lock<[Int: Int]>
    private let followed: Set<String>
    /// How they could be looked at more often; `nil` where they are as often as can be.
    let remedy: String?

    /// `nil` where virtqueues are not to be looked at, or no thread can be had for it.
    init?(_ configuration: AttachConfiguration) {
        guard configuration.ringRate > 0,
            let sampler = try? RingSampler(
                rate: configuration.ringRate, budget: configuration.ringBudget)
        else { return nil }
        self.sampler = sampler
        followed = configuration.followedLUNs
        let isMost = configuration.ringRate >= 20_000 && configuration.ringBudget >= 100
        remedy = isMost ? nil : "--ring-rate 20000 --ring-budget 100 looks as closely as can be"
        generations = Lock([:])
    }

    /// Looks where `location` says from now on; whether that is another place than before.
    func follow(_ location: RingLocation?, ofWatch index: Int, prefix: String?) -> Bool {
        guard generations.withLock({ $0[index] }) != location?.generation else { return false }
        // Where there is no memory for it, nothing is seen until there is another place.
        let isDone =
            location.map { location in
                (try? sampler.watch(
                    index, location.ram, location.places, prefix: prefix, followed: followed))
                    ?? true
            } ?? sampler.forget(index)
        if isDone { generations.withLock { $0[index] = location?.generation } }
        return true
    }

    func stop() { sampler.stop() }
}

extension AttachSource {
    /// Adds what the virtqueues of VM number `index` show.
    mutating func addRings(_ index: Int, to reading: inout VMReading) {
        guard let rings else { return reading.blankRings("--ring-rate is 0") }
        let prefix = watches.count > 1 ? name(ofWatch: index) : nil
        let location = watches[index].ringLocation
        let isNew = rings.follow(location, ofWatch: index, prefix: prefix)
        guard let location else {
            return reading.blankRings(watches[index].ringStatus().detail ?? "not located yet")
        }
        if isNew { return }
        guard var seen = rings.sampler.take(index, prefix: prefix) else { return }
        watches[index].takeRingProblem(
            seen.problem, ofGeneration: location.generation, at: Clock.monotonic())
        guard seen.problem == nil else { return }
        watches[index].leaveOutAbandoned(&seen)
        reading.add(seen, prefix: prefix, remedy: rings.remedy, now: Clock.monotonic())
    }

    /// The requests that were followed one by one, for who records them.
    public var ringRequests: RingRequests? { rings.map { RingRequests($0.sampler) } }
}

extension VMReading {
    /// Says why there is nothing of what virtqueues show.
    fileprivate mutating func blankRings(_ reason: String) {
        for metric in ["in_flight", "slowest"] {
            unavailable.append(
                Unavailable(metric: metric, reason: "virtqueues are not read: " + reason))
        }
    }

    /// Requests that are told of one VM.
    private static let mostInFlight = 256
    private static let mostSlowest = 32

    /// What QMP does not tell, and virtqueues show.
    private static let shownByRings: Set<String> = [
        "stage_us", "in_flight_oldest_us", "queue_depth.now", "read_latency_us.p99",
    ]
    /// Unless the requests are found among those of a disk.
    static let unseen = Unavailable(
        metric: "stage_us.submit",
        reason: "a virtqueue shows when a request is popped and completed, not what QEMU does with "
            + "it: `storage` is the time from one to the other")

    /// What virtqueues do not tell of these LUNs, and why; `remedy` looks closer.
    private func untold(_ seen: RingReading, remedy: String?) -> [Unavailable] {
        let isBrief = "requests are over before the next look at their virtqueue: "
        var untold: [Unavailable] = []
        for (metric, isUntold) in Self.latencies where luns.contains(where: isUntold) {
            // QEMU counts no latencies of disks that another process serves.
            let isCountable = luns.contains { isUntold($0) && !$0.isServedElsewhere }
            let other = isCountable ? "--set-histograms has QEMU count latencies" : nil
            let both = [remedy, other].compactMap(\.self).joined(separator: ", and ")
            untold.append(
                Unavailable(
                    metric: metric,
                    reason: isBrief
                        + (metric.hasSuffix("mean")
                            ? "nobody counts the time they take"
                            : "a percentile is told where it is not one of theirs"),
                    remedy: both.isEmpty ? nil : both))
        }
        let gaps = seen.luns.values.compactMap(\.whyNoStages)
        let reasons: [(StageGap, String, String?)] = [
            (.hidden, "neither driver nor device shows in the virtqueue how far it is", nil),
            (.brief, isBrief + "stages are told where ten looks found some under way", remedy),
            (.fewRequests, "stages are told where ten looks found requests under way", nil),
        ]
        for (gap, reason, remedy) in reasons where gaps.contains(gap) {
            untold.append(Unavailable(metric: "stage_us", reason: reason, remedy: remedy))
        }
        return untold
    }

    /// What may be untold of a LUN, by the names of metrics.
    private static let latencies: [(metric: String, isUntold: @Sendable (LUN) -> Bool)] = [
        ("read_latency_us.mean", { $0.hides(\.mean, $0.rates.readLatency, $0.readLatencies) }),
        ("read_latency_us.p50", { $0.hides(\.p50, $0.rates.readLatency, $0.readLatencies) }),
        ("read_latency_us.p99", { $0.hides(\.p99, $0.rates.readLatency, $0.readLatencies) }),
        ("write_latency_us.mean", { $0.hides(\.mean, $0.rates.writeLatency, $0.writeLatencies) }),
        ("write_latency_us.p50", { $0.hides(\.p50, $0.rates.writeLatency, $0.writeLatencies) }),
        ("write_latency_us.p99", { $0.hides(\.p99, $0.rates.writeLatency, $0.writeLatencies) }),
    ]

    /// Adds what the virtqueues showed.
    mutating func add(
        _ seen: RingReading, prefix: String?, remedy: String?, now: Nanoseconds
    ) {
        for index in luns.indices {
            guard let rings = seen.luns[luns[index].id] else { continue }
            luns[index].add(rings)
            inFlight += rings.inFlight
            let name = prefix.map { $0 + "/" + luns[index].id } ?? luns[index].id
            slowest += rings.slowest.map { SlowRequest(lun: name, request: $0) }
        }
        unavailable.removeAll { Self.shownByRings.contains($0.metric) }
        unavailable.append(Self.unseen)
        unavailable += untold(seen, remedy: remedy)
        inFlight.sort { $0.age > $1.age }
        inFlight = Array(inFlight.prefix(Self.mostInFlight))
        slowest.sort { $0.request.latency ?? 0 > $1.request.latency ?? 0 }
        slowest = Array(slowest.prefix(Self.mostSlowest))
        guard let source = sources.firstIndex(where: { $0.name == "rings" }) else { return }
        sources[source].age = seen.newest.map { now > $0 ? now - $0 : 0 }
        sources[source].interval = seen.rate.map { 1 / max(1, $0) }
        guard sources[source].state == .ok, sources[source].detail == nil else { return }
        sources[source].detail = Self.words(seen)
    }

    /// How closely was looked, and what that missed.
    private static func words(_ seen: RingReading) -> String? {
        guard let rate = seen.rate else { return nil }
        let ended = seen.luns.values.reduce(0) { $0 + $1.ended }
        let followed = seen.luns.values.reduce(0) { $0 + $1.followed }
        let slipped = seen.luns.values.reduce(0) { $0 + $1.slipped }
        return "\(Int(rate.rounded())) looks/s, \(followed) of \(ended) requests followed"
            + (slipped > 0 ? ", \(slipped) slipped through" : "")
    }
}

extension LUN {
    /// Whether the looks are too far apart to tell a number of requests that there were.
    fileprivate func hides(
        _ number: (LatencySummary) -> Double?, _ summary: LatencySummary?,
        _ latencies: LatencyHistogram?
    ) -> Bool {
        guard rates.latencyUncertainty != nil, latencies?.buckets.isEmpty == false else {
            return false
        }
        return summary.flatMap(number) == nil
    }

    /// Adds what its virtqueues showed.
    mutating func add(_ rings: LUNRings) {
        virtqueues = rings.virtqueues
        if let depth = rings.queueDepth { rates.queueDepth = depth }
        if rates.stages == nil {
            rates.stages = rings.stages
            rates.stageQuality = rings.stageQuality
        }
        rates.oldestInFlight = rings.inFlight.first?.age
        if rates.iops == nil { rates.takeRates(rings) }
        addLatencies(rings)
    }

    /// Percentiles of the requests followed, where QEMU counts none, as far as the looks tell them.
    /// The means stay QEMU's, which are exact.
    private mutating func addLatencies(_ rings: LUNRings) {
        guard readLatencies == nil, writeLatencies == nil else { return }
        var (reads, writes) = (rings.readLatencies, rings.writeLatencies)
        // Requests whose kind was not seen are shared out as QEMU counts them, else as the others.
        var (read, write) = (rates.reads ?? 0, rates.writes ?? 0)
        if read + write == 0 { (read, write) = (Double(reads.count), Double(writes.count)) }
        let parts = rings.untypedLatencies.divided(
            by: read + write > 0 ? read / (read + write) : 0.5)
        reads.add(parts.0)
        writes.add(parts.1)
        guard reads.count + writes.count > 0 else { return }
        rates.latencyUncertainty = rings.latencyUncertainty
        func add(
            _ latencies: RingLatencies, to summary: inout LatencySummary?
        ) -> LatencyHistogram {
            let mean = summary?.mean ?? latencies.mean
            let histogram = latencies.histogram(mean: mean)
            if var found = LatencySummary(of: histogram, within: rings.latencyUncertainty ?? 0) {
                found.mean = mean
                summary = found
            }
            return histogram
        }
        readLatencies = add(reads, to: &rates.readLatency)
        writeLatencies = add(writes, to: &rates.writeLatency)
    }
}

extension BlockRates {
    /// What is done per second, where nobody counts it but the indices: a disk that another process
    /// than QEMU serves.
    fileprivate mutating func takeRates(_ rings: LUNRings) {
        let all = rings.virtqueues.compactMap(\.completions)
        guard !all.isEmpty else { return }
        let sum = all.reduce(0, +)
        iops = sum
        let (read, write) = (rings.readLatencies.count, rings.writeLatencies.count)
        // Of a few that were not seen, it is not known what they were.
        guard rings.ended > 0, Double(read + write) > 0.95 * Double(rings.ended) else { return }
        reads = sum * Double(read) / Double(rings.ended)
        writes = sum * Double(write) / Double(rings.ended)
    }
}
