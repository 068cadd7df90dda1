internal import Kernel
internal import ProcFS
internal import Telemetry

/// How long the host's disks took for flushes between two readings of /proc/diskstats.
struct DiskLoad: Sendable {
    private static let path = "/proc/diskstats"
    private var last: (at: Nanoseconds, disks: [String: DiskCounters])?

    /// Two facts about each of `disks`.
    mutating func read(
        _ reader: inout FactReader, disks: [String], now: Nanoseconds
    ) -> [Fact] {
        let before = last
        last = nil
        let new: [String: DiskCounters]
        do {
            new = try counters(of: Set(disks), &reader)
        } catch {
            let reason = reader.reason(for: error)
            return disks.flatMap { Self.missing(reason, of: $0) }
        }
        last = (now, new)
        let interval = before.flatMap { RateInterval(from: $0.at, to: now) }
        return disks.flatMap { disk in
            guard let current = new[disk] else { return Self.missing("it is not there", of: disk) }
            guard current.flushTime != nil else {
                return Self.missing("flushes are counted since Linux 5.5", of: disk)
            }
            guard let interval, let old = before?.disks[disk] else {
                return Self.missing(secondReading, of: disk)
            }
            return Self.facts(of: disk, from: old, to: current, over: interval)
        }
    }

    private func counters(
        of disks: Set<String>, _ reader: inout FactReader
    ) throws -> [String: DiskCounters] {
        try reader.value(Self.path) { text in
            var lines = DiskStatsLines()
            var found: [String: DiskCounters] = [:]
            while let line = try lines.next(in: text) {
                if disks.contains(line.name) { found[line.name] = line.counters }
            }
            return found
        }
    }

    private static func facts(
        of disk: String, from old: DiskCounters, to new: DiskCounters,
        over interval: RateInterval
    ) -> [Fact] {
        guard let oldCount = old.flushes, let newCount = new.flushes, newCount >= oldCount,
            let oldTime = old.flushTime, let newTime = new.flushTime,
            let time = HostDisk.growth(oldTime, newTime)
        else { return missing(secondReading, of: disk) }
        let subject = Subject(.disk(disk))
        // Flushes that run side by side take more than all the time.
        let share = min(Double(time) / (interval.seconds * 1000) * 100, 100)
        let source = "\(path), fields 16 and 17"
        let flushes = Double(newCount - oldCount)
        // A mean of a few would come and go with each of them.
        let isEnough = flushes >= interval.seconds
        return [
            Fact(subject, .flushTime, .number(share.roundedToTenths), from: source),
            isEnough
                ? Fact(
                    subject, .flushMean, .number((Double(time) / flushes).roundedToThousandths),
                    from: source)
                : Fact(
                    subject, .flushMean, missing: "fewer than one flush a second", from: source),
        ]
    }

    private static func missing(_ reason: String, of disk: String) -> [Fact] {
        [.flushTime, .flushMean].map {
            Fact(Subject(.disk(disk)), $0, missing: reason, from: path)
        }
    }
}
