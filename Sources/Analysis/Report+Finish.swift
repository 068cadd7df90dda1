internal import Telemetry

extension Report {
    /// Everything added so far, as a value.
    public func finish() -> Result {
        var report = self
        report.requests.finish()
        report.samples.finish()
        return report.result()
    }

    private func result() -> Result {
        var result = Result()
        result.recording = recording
        result.coveragePercent = coverage
        result.basis = basis
        switch basis {
        case .requests: fillFromRequests(&result)
        case .samples: fillFromSamples(&result)
        case .nothing: break
        }
        addSampleFigures(&result)
        addRequestLists(&result)
        result.luns.sort { left, right in
            let (a, b) = (left.requests ?? 0, right.requests ?? 0)
            return a != b ? a > b : left.id < right.id
        }
        let all = result.total.requests ?? 0
        for index in result.luns.indices where all > 0 {
            result.luns[index].sharePercent = result.luns[index].requests.map {
                Double($0) / Double(all) * 100
            }
        }
        result.total.sharePercent = all > 0 ? 100 : nil
        result.findings = findings.spans
        result.notices = findings.notices
        result.marks = marks
        result.kernelEvents = kernelEvents.map { .init(name: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
        result.settings = machineSettings
        result.unavailable = missing(in: result)
        return result
    }

    private var recording: Recording {
        var recording = Recording()
        recording.source = samples.first?.source
        recording.vms = samples.last?.vms ?? []
        let starts = [samples.first?.monotonic, requests.axis.isEmpty ? nil : requests.axis.low]
        let ends = [samples.last?.monotonic, requests.axis.isEmpty ? nil : requests.axis.high]
        recording.start = starts.compactMap { $0 }.min()
        recording.end = ends.compactMap { $0 }.max()
        recording.wallClockOffset =
            samples.first.flatMap { first in
                Int64(exactly: first.monotonic).flatMap {
                    let (offset, overflow) = first.wallClock.subtractingReportingOverflow($0)
                    return overflow ? nil : offset
                }
            } ?? options.wallClockOffset
        recording.samples = samples.count
        recording.requests = requests.count
        recording.lost = lost.addingClamped(samples.lost)
        recording.gaps = gaps
        return recording
    }

    /// Recorded requests in percent of those that samples count.
    private var coverage: Double? {
        guard requests.count > 0, let counted = samples.total.requests, counted > 0 else {
            return nil
        }
        return Double(requests.count) / counted * 100
    }

    /// Recorded requests are the better figures, if they are (nearly) all there were, and if it is
    /// told of (nearly) all how long they took.
    private var basis: Basis {
        if requests.count > 0, (coverage ?? 100) >= 95, requests.isTold { return .requests }
        if samples.total.seconds > 0 { return .samples }
        return requests.count > 0 ? .requests : .nothing
    }

    // MARK: From requests

    private func fillFromRequests(_ result: inout Result) {
        let seconds = requests.seconds
        result.luns = requests.tallies.filter { $0.counts.contains { $0 > 0 } }.map {
            $0.report(over: seconds, depths: requests.depths(of: [$0]))
        }
        let total = LUNTally(summing: requests.tallies)
        result.total = total.report(over: seconds, depths: requests.depths(of: requests.tallies))
        result.total.pattern = Pattern(of: requests.tallies, merged: total)
        result.latencies = latencyBars(total)
    }

    /// What only requests tell, whatever the basis.
    private func addRequestLists(_ result: inout Result) {
        if requests.count > 0 {
            let total = LUNTally(summing: requests.tallies)
            result.sizes = sizeBars(total.readSizes, total.writeSizes)
            result.seeks = powerBars(total.histogram(.seek), [], unit: 1)
            let depths = requests.depths(of: requests.tallies)
            result.depths = depthShares(total.isTold ? depths.counts : samples.total.depths)
            result.mix = requests.mix
            result.idle = requests.idleTime
            if basis == .samples { addRequestDetails(&result, total) }
        } else {
            result.depths = depthShares(samples.total.depths)
        }
        result.slowest = requests.slowest.requests
        result.stallThreshold = options.stall
        let stalls = requests.count > 0 ? requests.stalls : samples.stalls
        result.stallCount = stalls.count
        result.stalls = stalls.longest
    }

    /// What samples do not tell, of the requests that were recorded beside them.
    private func addRequestDetails(_ result: inout Result, _ total: LUNTally) {
        let figures = total.report(over: requests.seconds, depths: ([], nil))
        if result.total.stages.isEmpty { result.total.stages = figures.stages }
        result.total.pattern = Pattern(of: requests.tallies, merged: total)
        if result.latencies.isEmpty {
            result.latencies = latencyBars(total)
        }
        var tallies: [String: LUNTally] = [:]
        for tally in requests.tallies { tallies[tally.name] = tally }
        for index in result.luns.indices {
            guard let tally = tallies[result.luns[index].id] else { continue }
            let figures = tally.report(over: requests.seconds, depths: ([], nil))
            if result.luns[index].stages.isEmpty { result.luns[index].stages = figures.stages }
            result.luns[index].pattern = figures.pattern
        }
    }

    // MARK: From samples

    private func fillFromSamples(_ result: inout Result) {
        result.total = samples.total.report
        result.luns = samples.luns.map(\.report)
        result.latencies = powerBars(
            samples.total.reads.histogram[...], samples.total.writes.histogram[...], unit: 1000,
            isZeroUntold: samples.total.reads.isOfLooks || samples.total.writes.isOfLooks)
    }

    /// What only samples tell, whatever the basis.
    private func addSampleFigures(_ result: inout Result) {
        guard samples.count > 0, basis == .requests else { return }
        result.total.series = samples.total.series
        result.total.takeMeans(of: samples.total)
        var place: [String: Int] = [:]
        for (index, lun) in result.luns.enumerated() { place[lun.id] = index }
        for tally in samples.luns {
            let sampled = tally.report
            guard let index = place[tally.name] else {
                var lun = LUNReport(id: tally.name)
                lun.settings = sampled.settings
                lun.series = sampled.series
                lun.requests = 0
                lun.seconds = result.total.seconds
                lun.counts = Array(repeating: 0, count: lun.counts.count)
                (lun.readBytes, lun.writeBytes, lun.errors) = (0, 0, 0)
                result.luns.append(lun)
                continue
            }
            result.luns[index].settings = sampled.settings
            result.luns[index].series = sampled.series
            result.luns[index].takeMeans(of: tally)
            if let deepest = tally.deepest, let depth = result.luns[index].depth {
                result.luns[index].depth?.max = max(deepest, depth.max ?? 0)
            }
        }
    }
}

extension Report.LUNReport {
    /// Means that requests do not tell, of samples.
    fileprivate mutating func takeMeans(of samples: SampleTally) {
        if readLatency?.mean == nil { readLatency?.mean = samples.reads.latency?.mean }
        if writeLatency?.mean == nil { writeLatency?.mean = samples.writes.latency?.mean }
    }
}
