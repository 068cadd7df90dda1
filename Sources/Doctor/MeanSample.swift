import Telemetry

extension Snapshot {
    /// The last of `samples` with its rates replaced by their means, each sample weighted by its
    /// interval. What is not known in all of them is a mean of those where it is; `samples` is not
    /// empty, and its first may have no rates.
    static func mean(of samples: [Snapshot]) -> Snapshot {
        var result = samples[samples.count - 1]
        let measured = samples.filter { ($0.interval ?? 0) > 0 }
        guard measured.count > 1 else { return result }
        let weights = measured.map { $0.interval ?? 0 }
        Rows.each(result.luns, in: measured.map(\.luns), weights, by: { $0[$1].qualifiedID }) {
            result.luns[$0].rates.takeMeans(of: $1)
        }
        Rows.each(result.threads, in: measured.map(\.threads), weights, by: { $0[$1].tid }) {
            result.threads[$0].takeMeans(of: $1)
        }
        Rows.each(
            result.host.disks, in: measured.map(\.host.disks), weights, by: { $0[$1].name }
        ) {
            result.host.disks[$0].takeMeans(of: $1)
        }
        Rows.each(
            result.locks, in: measured.map(\.locks), weights,
            by: { ($0[$1].vm ?? "") + "/" + $0[$1].name }
        ) { place, rows in
            result.locks[place].waits = rows.mean { $0[$1].waits }
            result.locks[place].waitPercent = rows.mean { $0[$1].waitPercent }
        }
        Rows.each(
            result.eventCounts, in: measured.map(\.eventCounts), weights,
            by: { "\($0[$1].kind)/\($0[$1].vm ?? "")/\($0[$1].name)/\($0[$1].detail ?? "")" }
        ) { place, rows in
            result.eventCounts[place].rate = rows.mean { $0[$1].rate }
        }
        Rows.each([result.host], in: measured.map { [$0.host] }, weights, by: { $1 }) { _, rows in
            result.host.cpuPercent = rows.mean { $0[$1].cpuPercent }
        }
        result.total = BlockRates(summing: result.luns)
        result.interval = weights.reduce(0, +)
        return result
    }
}

/// The rows of one thing in several samples. Values are asked for by a sample's rows and the place
/// among them: to copy a row takes longer than to add up what it has.
private struct Rows<Row> {
    private let lists: [[Row]]
    private let weights: [Double]
    /// Where it is in each list; `nil` where it is not.
    private let places: [Int?]

    /// Calls `body` for each of `rows`, with its place and the same thing in `lists`.
    static func each<Key: Hashable>(
        _ rows: [Row], in lists: [[Row]], _ weights: [Double], by key: ([Row], Int) -> Key,
        _ body: (Int, Rows) -> Void
    ) {
        var found: [[Key: Int]?] = Array(repeating: nil, count: lists.count)
        for place in rows.indices {
            let own = key(rows, place)
            let places = lists.indices.map { number -> Int? in
                let list = lists[number]
                // Nearly always all samples list the same things.
                if place < list.count, key(list, place) == own { return place }
                let all =
                    found[number]
                    ?? Dictionary(
                        list.indices.map { (key(list, $0), $0) }, uniquingKeysWith: { $1 })
                found[number] = all
                return all[own]
            }
            body(place, Rows(lists: lists, weights: weights, places: places))
        }
    }

    /// The mean of what is known, `nil` if nothing is. Each counts for as long as its sample does,
    /// times its `share`.
    func mean(
        _ value: ([Row], Int) -> Double?, share: ([Row], Int) -> Double? = { _, _ in 1 }
    ) -> Double? {
        var (sum, weight) = (0.0, 0.0)
        for (number, place) in places.enumerated() {
            guard let place, let value = value(lists[number], place) else { continue }
            let own = weights[number] * (share(lists[number], place) ?? 0)
            sum += value * own
            weight += own
        }
        return weight > 0 ? sum / weight : nil
    }

    /// The largest that is known.
    func largest<Value: Comparable>(_ value: ([Row], Int) -> Value?) -> Value? {
        var largest: Value?
        for (number, place) in places.enumerated() {
            guard let place, let value = value(lists[number], place) else { continue }
            largest = largest.map { max($0, value) } ?? value
        }
        return largest
    }
}

extension BlockRates {
    /// Rates and depths weighted by time, latencies by requests; percentiles and greatest values
    /// are the largest of those given.
    fileprivate mutating func takeMeans(of rows: Rows<LUN>) {
        reads = rows.mean { $0[$1].rates.reads }
        writes = rows.mean { $0[$1].rates.writes }
        flushes = rows.mean { $0[$1].rates.flushes }
        discards = rows.mean { $0[$1].rates.discards }
        writeZeroes = rows.mean { $0[$1].rates.writeZeroes }
        iops = rows.mean { $0[$1].rates.iops }
        readBytes = rows.mean { $0[$1].rates.readBytes }
        writeBytes = rows.mean { $0[$1].rates.writeBytes }
        merges = rows.mean { $0[$1].rates.merges }
        kicks = rows.mean { $0[$1].rates.kicks }
        interrupts = rows.mean { $0[$1].rates.interrupts }
        exits = rows.mean { $0[$1].rates.exits }
        errors = rows.mean { $0[$1].rates.errors }
        latencyUncertainty = rows.largest { $0[$1].rates.latencyUncertainty }
        readLatency = LatencySummary(
            meanOf: rows, { $0[$1].rates.readLatency }, share: { $0[$1].rates.reads })
        writeLatency = LatencySummary(
            meanOf: rows, { $0[$1].rates.writeLatency }, share: { $0[$1].rates.writes })
        if let depth = rows.mean({ $0[$1].rates.queueDepth?.mean }) {
            queueDepth = QueueDepth(
                now: queueDepth?.now, mean: depth, p50: queueDepth?.p50, p99: queueDepth?.p99,
                max: rows.largest { $0[$1].rates.queueDepth?.max })
        }
    }
}

extension LatencySummary {
    fileprivate init?(
        meanOf rows: Rows<LUN>, _ summary: ([LUN], Int) -> LatencySummary?,
        share: ([LUN], Int) -> Double?
    ) {
        // What looks do not tell was over before the next one: a mean without it would be that of
        // the slow samples.
        func p50(_ luns: [LUN], _ place: Int) -> Double? {
            let most = luns[place].rates.latencyUncertainty.map { 2 * $0 }
            return summary(luns, place).flatMap { $0.p50 ?? most }
        }
        let mean = rows.mean({ summary($0, $1)?.mean }, share: share)
        let p99 = rows.largest { summary($0, $1)?.p99 }
        guard mean != nil || p99 != nil else { return nil }
        self.init(
            mean: mean, p50: rows.mean(p50, share: share), p99: p99,
            p999: rows.largest { summary($0, $1)?.p999 },
            max: rows.largest { summary($0, $1)?.max })
    }
}

extension ThreadActivity {
    fileprivate mutating func takeMeans(of rows: Rows<ThreadActivity>) {
        cpuPercent = rows.mean { $0[$1].cpuPercent }
        voluntarySwitches = rows.mean { $0[$1].voluntarySwitches }
        involuntarySwitches = rows.mean { $0[$1].involuntarySwitches }
        migrations = rows.mean { $0[$1].migrations }
        runDelayPercent = rows.mean { $0[$1].runDelayPercent }
        lockWaits = rows.mean { $0[$1].lockWaits }
        lockWaitPercent = rows.mean { $0[$1].lockWaitPercent }
        busyPercent = rows.mean { $0[$1].busyPercent }
        pollPercent = rows.mean { $0[$1].pollPercent }
    }
}

extension HostDisk {
    fileprivate mutating func takeMeans(of rows: Rows<HostDisk>) {
        iops = rows.mean { $0[$1].iops }
        reads = rows.mean { $0[$1].reads }
        writes = rows.mean { $0[$1].writes }
        flushes = rows.mean { $0[$1].flushes }
        discards = rows.mean { $0[$1].discards }
        readBytes = rows.mean { $0[$1].readBytes }
        writeBytes = rows.mean { $0[$1].writeBytes }
        readMerges = rows.mean { $0[$1].readMerges }
        writeMerges = rows.mean { $0[$1].writeMerges }
        queueDepth = rows.mean { $0[$1].queueDepth }
        utilPercent = rows.mean { $0[$1].utilPercent }
        readAwait = rows.mean({ $0[$1].readAwait }, share: { $0[$1].reads })
        writeAwait = rows.mean({ $0[$1].writeAwait }, share: { $0[$1].writes })
    }
}
