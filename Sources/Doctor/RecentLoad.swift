import Telemetry

/// What each LUN did in the last ten seconds: means of what gates go by, and no more, as they are
/// asked for every second.
struct RecentLoad: Sendable {
    private struct Reading: Sendable {
        var iops: Double?
        var bytes: Double?
        var depth: Double?
    }
    /// Of the last sample.
    private var luns: [LUN] = []
    /// The oldest first: when, over how many seconds, and a reading for each of `luns`.
    private var readings: [(end: Nanoseconds, seconds: Double, luns: [Reading])] = []
    private var isPlanned = false
    private(set) var loads: [Load] = []
    private var machines: [String?: Double] = [:]
    /// Requests per second of all LUNs of all VMs; `nil` before there are rates.
    private var total: Double?

    /// Takes a sample's rates; those of more than `window` nanoseconds ago no longer count.
    mutating func add(_ sample: Snapshot, window: Nanoseconds) {
        if !sample.luns.areCalled(like: luns) { readings = [] }
        luns = sample.luns
        isPlanned = sample.source.kind == .configuration
        let now = sample.monotonic
        readings.removeAll { now > $0.end &+ window || $0.end > now }
        if let seconds = sample.interval, seconds > 0 {
            readings.append(
                (
                    now, seconds,
                    sample.luns.indices.map { index in
                        Reading(
                            iops: sample.luns[index].rates.iops,
                            bytes: sample.luns[index].rates.bytes,
                            depth: sample.luns[index].rates.queueDepth?.mean)
                    }
                ))
        }
    }

    /// The load of `subject`, which is LUN number `place` or none.
    func load(of subject: Subject, _ place: Int?) -> Load {
        var load = Load()
        if case .lun = subject.scope, let place, loads.indices.contains(place) {
            load = loads[place]
        }
        load.isPlanned = isPlanned
        load.machineIOPS = subject.vm == nil ? total : machines[subject.vm] ?? nil
        return load
    }

    /// Brings the means up to date with the readings.
    mutating func conclude() {
        loads = luns.indices.map { index in
            Load(
                iops: mean(index) { $0.iops }, bytes: mean(index) { $0.bytes },
                depth: mean(index) { $0.depth })
        }
        machines = [:]
        total = nil
        for (index, load) in loads.enumerated() {
            guard let iops = load.iops else { continue }
            machines[luns[index].vm, default: 0] += iops
            total = (total ?? 0) + iops
        }
    }

    private func mean(_ index: Int, _ value: (Reading) -> Double?) -> Double? {
        var (sum, weight) = (0.0, 0.0)
        for reading in readings {
            guard let value = value(reading.luns[index]) else { continue }
            sum += value * reading.seconds
            weight += reading.seconds
        }
        return weight > 0 ? sum / weight : nil
    }
}
