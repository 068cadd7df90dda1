import Telemetry

extension Snapshot {
    /// The last of `samples` with its rates replaced by their means, each sample weighted by its
    /// interval. What is not known in all of them is a mean of those where it is; `samples` is not
    /// empty, and its first may have no rates.
    static func mean(of samples: [Snapshot]) -> Snapshot {
        var result = samples[samples.count - 1]
        let weighted = samples.filter { ($0.interval ?? 0) > 0 }
        guard weighted.count > 1 else { return result }
        let weights = weighted.map { $0.interval ?? 0 }
        func average<Row, Key: Hashable, Value>(
            _ rows: WritableKeyPath<Snapshot, [Row]>, by key: (Row) -> Key,
            of value: (Row) -> Value, _ mean: (inout Row, [(row: Value, weight: Double)]) -> Void
        ) {
            var found: [Key: [(row: Value, weight: Double)]] = [:]
            for (sample, weight) in zip(weighted, weights) {
                for row in sample[keyPath: rows] {
                    found[key(row), default: []].append((value(row), weight))
                }
            }
            for index in result[keyPath: rows].indices {
                let rowKey = key(result[keyPath: rows][index])
                mean(&result[keyPath: rows][index], found[rowKey] ?? [])
            }
        }
        average(\.luns, by: \.qualifiedID, of: \.rates) { lun, rows in
            lun.rates = BlockRates.mean(of: rows)
        }
        average(\.threads, by: \.tid, of: \.self) { thread, rows in
            thread.takeMeans(of: rows)
        }
        average(\.host.disks, by: \.name, of: \.self) { disk, rows in
            disk.takeMeans(of: rows)
        }
        average(\.locks, by: { ($0.vm ?? "") + "/" + $0.name }, of: \.self) { lock, rows in
            lock.waits = weightedMean(rows) { $0.waits }
            lock.waitPercent = weightedMean(rows) { $0.waitPercent }
        }
        average(
            \.eventCounts, by: { "\($0.kind)/\($0.vm ?? "")/\($0.name)/\($0.detail ?? "")" },
            of: \.self
        ) { count, rows in count.rate = weightedMean(rows) { $0.rate } }
        result.total = BlockRates(summing: result.luns)
        result.host.cpuPercent = weightedMean(
            zip(weighted, weights).map { (row: $0, weight: $1) }
        ) { $0.host.cpuPercent }
        result.interval = weights.reduce(0, +)
        return result
    }
}

/// The mean of what is known, `nil` if nothing is.
private func weightedMean<Row>(
    _ rows: [(row: Row, weight: Double)], _ value: (Row) -> Double?
) -> Double? {
    var (sum, weight) = (0.0, 0.0)
    for row in rows {
        guard let value = value(row.row) else { continue }
        sum += value * row.weight
        weight += row.weight
    }
    return weight > 0 ? sum / weight : nil
}

extension BlockRates {
    /// Rates and depths weighted by time, latencies by requests; percentiles and greatest values
    /// are the largest of those given.
    fileprivate static func mean(of rows: [(row: BlockRates, weight: Double)]) -> BlockRates {
        var mean = rows.last?.row ?? BlockRates()
        for path in Self.rates { mean[keyPath: path] = weightedMean(rows) { $0[keyPath: path] } }
        mean.readLatency = latency(rows, \.readLatency, weight: \.reads)
        mean.writeLatency = latency(rows, \.writeLatency, weight: \.writes)
        if let depth = weightedMean(rows, { $0.queueDepth?.mean }) {
            mean.queueDepth = QueueDepth(
                now: mean.queueDepth?.now, mean: depth, p50: mean.queueDepth?.p50,
                p99: mean.queueDepth?.p99, max: rows.compactMap { $0.row.queueDepth?.max }.max())
        }
        return mean
    }

    private static var rates: [WritableKeyPath<BlockRates, Double?>] {
        [
            \.reads, \.writes, \.flushes, \.discards, \.writeZeroes, \.iops, \.readBytes,
            \.writeBytes, \.merges, \.kicks, \.interrupts, \.exits, \.errors,
        ]
    }

    private static func latency(
        _ rows: [(row: BlockRates, weight: Double)], _ path: KeyPath<BlockRates, LatencySummary?>,
        weight: KeyPath<BlockRates, Double?>
    ) -> LatencySummary? {
        let known = rows.compactMap { row in
            row.row[keyPath: path].map { summary in
                (row: summary, weight: row.weight * (row.row[keyPath: weight] ?? 0))
            }
        }
        guard let mean = weightedMean(known, { $0.mean }) else { return nil }
        return LatencySummary(
            mean: mean, p50: weightedMean(known) { $0.p50 }, p99: known.compactMap(\.row.p99).max(),
            p999: known.compactMap(\.row.p999).max(), max: known.compactMap(\.row.max).max())
    }
}

extension ThreadActivity {
    fileprivate mutating func takeMeans(of rows: [(row: ThreadActivity, weight: Double)]) {
        let paths: [WritableKeyPath<ThreadActivity, Double?>] = [
            \.cpuPercent, \.voluntarySwitches, \.involuntarySwitches, \.migrations,
            \.runDelayPercent, \.lockWaits, \.lockWaitPercent, \.busyPercent, \.pollPercent,
        ]
        for path in paths { self[keyPath: path] = weightedMean(rows) { $0[keyPath: path] } }
    }
}

extension HostDisk {
    fileprivate mutating func takeMeans(of rows: [(row: HostDisk, weight: Double)]) {
        let paths: [WritableKeyPath<HostDisk, Double?>] = [
            \.iops, \.reads, \.writes, \.flushes, \.discards, \.readBytes, \.writeBytes,
            \.readMerges, \.writeMerges, \.queueDepth, \.utilPercent,
        ]
        for path in paths { self[keyPath: path] = weightedMean(rows) { $0[keyPath: path] } }
        readAwait = weightedMean(rows.map { ($0.row, $0.weight * ($0.row.reads ?? 0)) }) {
            $0.readAwait
        }
        writeAwait = weightedMean(rows.map { ($0.row, $0.weight * ($0.row.writes ?? 0)) }) {
            $0.writeAwait
        }
    }
}
