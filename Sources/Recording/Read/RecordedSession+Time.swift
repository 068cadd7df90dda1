public import Telemetry

extension RecordedSession {
    /// The usual distance of two samples, nanoseconds: as the header says, else the median of the
    /// first few; one second where there are none.
    public var usualInterval: Nanoseconds {
        if let interval = info?.sampleInterval, interval > 0 { return interval }
        let times = frames.prefix(64).map(\.time)
        let distances = zip(times.dropFirst(), times).map { $0 - min($0, $1) }.sorted()
        return distances.isEmpty ? 1_000_000_000 : max(1, distances[distances.count / 2])
    }

    /// The samples from `from` to `to` on the common axis; `nil`: no bound.
    public func samples(from: Nanoseconds?, to: Nanoseconds?) -> Range<Int> {
        let first = from.map { sample(atOrAfter: $0) ?? frames.count } ?? 0
        let end = to.map { (sample(atOrBefore: $0) ?? -1) + 1 } ?? frames.count
        return first..<max(first, end)
    }

    /// Stretches without samples: more than three usual distances long.
    public var gaps: [ClosedRange<Nanoseconds>] {
        let (limit, isOver) = usualInterval.multipliedReportingOverflow(by: 3)
        guard !isOver else { return [] }
        return zip(frames, frames.dropFirst()).compactMap { before, after in
            after.time > before.time && after.time - before.time > limit
                ? before.time...after.time : nil
        }
    }

    /// The first sample that can be read from `index` on, upwards (`step` 1) or downwards (−1).
    public func nearestSample(from index: Int, by step: Int) throws(RecordingError) -> Snapshot? {
        var index = index
        while frames.indices.contains(index) {
            if let sample = try sample(index) { return sample }
            index += step < 0 ? -1 : 1
        }
        return nil
    }

    /// Index of the last sample whose wall clock is at most `wall`; `nil` if all are later.
    ///
    /// Wall clocks rise with the samples unless one was set back; then any of those that fit.
    public func sample(atOrBeforeWall wall: Int64) throws(RecordingError) -> Int? {
        var (low, high) = (0, frames.count)
        while low < high {
            let middle = low + (high - low) / 2
            // A damaged sample counts as the one before it.
            let sample = try nearestSample(from: middle, by: -1)
            if let sample, sample.wallClock > wall { high = middle } else { low = middle + 1 }
        }
        return low > 0 ? low - 1 : nil
    }

    /// The clocks of the first file, nanoseconds since 1970 less nanoseconds of the axis; `nil`
    /// where it does not say.
    public var wallClockOffset: Int64? {
        guard let reader = library.readers.first else { return nil }
        if let started = reader.info?.started { return started.wallOffset }
        let readings = try? reader.clockReadings()
        return readings?.first?.wallOffset
    }

    /// The time on the axis at which the wall clock was `wall`; `nil` where no clock was recorded.
    public func time(ofWall wall: Int64) -> Nanoseconds? {
        wallClockOffset.map { offset in
            let (time, isOver) = wall.subtractingReportingOverflow(offset)
            return isOver ? (wall > offset ? .max : 0) : Nanoseconds(max(0, time))
        }
    }
}
