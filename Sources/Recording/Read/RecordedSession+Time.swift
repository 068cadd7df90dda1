public import Telemetry

extension RecordedSession {
    /// The usual distance of samples around sample `index`, nanoseconds: the median, as the
    /// interval may have been changed while it was recorded. One second where there are none.
    public func usualInterval(around index: Int) -> Nanoseconds {
        let reach = 16
        let near = max(0, index - reach)..<max(0, min(frames.count, index + reach + 1))
        let times = frames[near.clamped(to: 0..<frames.count)].map(\.time)
        let distances = zip(times.dropFirst(), times).map { $0 - min($0, $1) }.sorted()
        guard !distances.isEmpty else { return info?.sampleInterval ?? 1_000_000_000 }
        return max(1, distances[distances.count / 2])
    }

    /// The samples from `from` to `to` on the common axis; `nil`: no bound.
    public func samples(from: Nanoseconds?, to: Nanoseconds?) -> Range<Int> {
        let first = from.map { sample(atOrAfter: $0) ?? frames.count } ?? 0
        let end = to.map { (sample(atOrBefore: $0) ?? -1) + 1 } ?? frames.count
        return first..<max(first, end)
    }

    /// Stretches without samples: more than three times as long as is usual around them.
    public var gaps: [ClosedRange<Nanoseconds>] {
        let shortest = usualInterval(around: 0)
        return frames.indices.dropFirst().compactMap { index in
            let (before, after) = (frames[index - 1].time, frames[index].time)
            guard after > before else { return nil }
            // The median is looked for where a distance stands out at all.
            let distance = after - before
            guard distance > Self.thrice(min(shortest, 1_000_000_000)),
                distance > Self.thrice(usualInterval(around: index))
            else { return nil }
            return before...after
        }
    }

    private static func thrice(_ time: Nanoseconds) -> Nanoseconds {
        let (product, isOver) = time.multipliedReportingOverflow(by: 3)
        return isOver ? .max : product
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
        guard let reader = library.readers.first, reader.info?.hasWallClock != false else {
            return nil
        }
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
