internal import Kernel
public import Rings
internal import Telemetry

/// The sampler of all VMs' virtqueues.
struct RingWatch: Sendable {
    let sampler: RingSampler
    /// The generation of each watch's location that is looked at.
    private let generations: Lock<[Int: Int]>
    private let followed: Set<String>

    /// `nil` where virtqueues are not to be looked at, or no thread can be had for it.
    init?(_ configuration: AttachConfiguration) {
        guard configuration.ringRate > 0,
            let sampler = try? RingSampler(
                rate: configuration.ringRate, budget: configuration.ringBudget)
        else { return nil }
        self.sampler = sampler
        followed = configuration.followedLUNs
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
        reading.add(seen, prefix: prefix, now: Clock.monotonic())
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

    /// What the looks are too far apart for.
    private func untold(_ seen: RingReading) -> [Unavailable] {
        let reason = "requests are over before the next look at their virtqueue: "
        let remedy = "--ring-rate 20000 looks closer"
        var untold: [Unavailable] = []
        if luns.contains(where: \.hasUntoldPercentiles) {
            untold.append(
                Unavailable(
                    metric: "read_latency_us.p50",
                    reason: reason + "a percentile is told where it is more than it may be off by",
                    remedy: remedy + ", and --set-histograms has QEMU count latencies"))
        }
        if seen.luns.values.contains(where: \.isTooBrief) {
            untold.append(
                Unavailable(
                    metric: "stage_us",
                    reason: reason + "stages are told where ten looks found some under way",
                    remedy: remedy))
        }
        return untold
    }

    /// Adds what the virtqueues showed.
    mutating func add(_ seen: RingReading, prefix: String?, now: Nanoseconds) {
        for index in luns.indices {
            guard let rings = seen.luns[luns[index].id] else { continue }
            luns[index].add(rings)
            inFlight += rings.inFlight
            let name = prefix.map { $0 + "/" + luns[index].id } ?? luns[index].id
            slowest += rings.slowest.map { SlowRequest(lun: name, request: $0) }
        }
        unavailable.removeAll { Self.shownByRings.contains($0.metric) }
        unavailable.append(Self.unseen)
        unavailable += untold(seen)
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
    /// Whether the looks are too far apart for a percentile of its requests.
    fileprivate var hasUntoldPercentiles: Bool {
        guard rates.latencyUncertainty != nil else { return false }
        return [rates.readLatency, rates.writeLatency].contains { $0 != nil && $0?.p50 == nil }
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
        let (reads, writes) = (rates.reads ?? 0, rates.writes ?? 0)
        let share = reads + writes > 0 ? reads / (reads + writes) : 0.5
        let untyped = rings.untypedLatencies
        guard rings.readLatencies.count + rings.writeLatencies.count + untyped.count > 0 else {
            return
        }
        rates.latencyUncertainty = rings.latencyUncertainty
        func summarize(
            _ latencies: RingLatencies, share: Double, _ summary: inout LatencySummary?
        ) -> LatencyHistogram {
            let mean = summary?.mean
            let histogram = latencies.histogram(with: untyped, share: share, mean: mean)
            if let found = LatencySummary(of: histogram, within: rings.latencyUncertainty) {
                summary = found
                summary?.mean = mean ?? found.mean
            }
            return histogram
        }
        readLatencies = summarize(rings.readLatencies, share: share, &rates.readLatency)
        writeLatencies = summarize(rings.writeLatencies, share: 1 - share, &rates.writeLatency)
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
