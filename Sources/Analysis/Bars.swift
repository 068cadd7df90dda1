internal import Telemetry

/// Histograms in powers of two of `unit`, from fine ones in the layout of `LatencyBuckets`. A fine
/// bucket counts where its upper end lies.
///
/// A value of 0 has a bar of its own among distances, where it matters most, and where it stands
/// for latencies that are not told.
func powerBars(
    _ reads: ArraySlice<UInt64>, _ writes: ArraySlice<UInt64>, unit: UInt64,
    isZeroUntold: Bool = false
) -> [Report.Bar] {
    var bars = (0...38).map { Report.Bar(upTo: Double(UInt64(1) << $0), reads: 0, writes: 0) }
    let hasZero = unit == 1 || isZeroUntold
    if hasZero {
        bars.insert(Report.Bar(upTo: isZeroUntold ? nil : 0, reads: 0, writes: 0), at: 0)
    }
    func index(_ bucket: Int) -> Int {
        let value = LatencyBuckets.range(of: bucket).upperBound
        if hasZero, value == 0 { return 0 }
        let units = (value + unit - 1) / unit
        let power = units < 2 ? 0 : 64 - (units - 1).leadingZeroBitCount
        return min(power + (hasZero ? 1 : 0), bars.count - 1)
    }
    for (bucket, count) in reads.enumerated() where count > 0 {
        bars[index(bucket)].reads &+= count
    }
    for (bucket, count) in writes.enumerated() where count > 0 {
        bars[index(bucket)].writes &+= count
    }
    return trimmed(bars)
}

/// Latencies of requests, in powers of two of a microsecond.
func latencyBars(_ tally: LUNTally) -> [Report.Bar] {
    powerBars(
        tally.histogram(.read), tally.histogram(.write), unit: 1000,
        isZeroUntold: tally.untold > 0)
}

/// Request sizes, index n for sizes of at most 2^n bytes.
func sizeBars(_ reads: ArraySlice<UInt64>, _ writes: ArraySlice<UInt64>) -> [Report.Bar] {
    trimmed(
        zip(reads, writes).enumerated().map { power, counts in
            Report.Bar(upTo: Double(UInt64(1) << power), reads: counts.0, writes: counts.1)
        })
}

/// Without the empty bars at both ends.
private func trimmed(_ bars: [Report.Bar]) -> [Report.Bar] {
    func isUsed(_ bar: Report.Bar) -> Bool { bar.reads > 0 || bar.writes > 0 }
    guard let first = bars.firstIndex(where: isUsed), let last = bars.lastIndex(where: isUsed)
    else { return [] }
    return Array(bars[first...last])
}

/// Depths 0, 1, 2, 3–4, 5–8 and so on with their share of `counts`.
func depthShares(_ counts: [UInt64]) -> [Report.DepthShare] {
    let all = counts.reduce(0.0) { $0 + Double($1) }
    guard all > 0, let deepest = counts.lastIndex(where: { $0 > 0 }) else { return [] }
    var shares: [Report.DepthShare] = []
    var range = 0...0
    while range.lowerBound <= deepest {
        let part = counts[range.clamped(to: 0...(counts.count - 1))].reduce(0.0) {
            $0 + Double($1)
        }
        shares.append(Report.DepthShare(depths: range, percent: part / all * 100))
        let next = range.upperBound + 1
        range = next...max(next, range.upperBound * 2)
    }
    return shares
}
