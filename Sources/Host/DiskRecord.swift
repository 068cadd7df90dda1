internal import ProcFS
internal import Telemetry

/// What is remembered of one disk between ticks: its last reading, its rates and settings.
struct DiskRecord: Sendable {
    /// The rates of the last interval.
    private(set) var disk: HostDisk
    /// The open file `stat` of a disk that is read by itself.
    var file: (any TextFile)?
    /// Whether this tick had a reading.
    var isSeen = false
    /// Not a partition.
    var isWholeDisk = true
    /// Whether its queue's settings were read.
    private(set) var hasSettings = false
    /// Settings that could not be read.
    private(set) var settingProblems: [Unavailable] = []
    private var last: (at: Nanoseconds, counters: DiskCounters)?
    /// Belongs to a driver that makes devices for whoever may come to use them.
    private let isSpare: Bool

    init(name: String) {
        disk = HostDisk(name: name)
        isSpare = ["loop", "ram", "zram", "nbd", "sr", "fd"].contains { driver in
            name.hasPrefix(driver)
                && name.utf8.dropFirst(driver.utf8.count).allSatisfy {
                    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                }
        }
    }

    /// Whether it is worth a row where nobody asked for it by name.
    var isWorthShowing: Bool {
        isWholeDisk && (!isSpare || (last?.counters.requests ?? 0) > 0)
    }

    /// Brings the rates up to date.
    mutating func take(_ counters: DiskCounters, at now: Nanoseconds) {
        isSeen = true
        disk.inFlight = Int(exactly: counters.inFlight)
        if let last, let interval = RateInterval(from: last.at, to: now) {
            disk.derive(from: last.counters, to: counters, over: interval)
        } else {
            disk.forgetRates()
        }
        last = (now, counters)
    }

    /// There was no reading: the next one is a first one, from a file opened anew.
    mutating func forget() {
        file = nil
        last = nil
        isSeen = false
        hasSettings = false
    }

    // MARK: Settings

    /// Reads what the queue is set to.
    mutating func readSettings(into buffer: inout [UInt8], open: TextFileOpener) {
        hasSettings = true
        settingProblems = []
        let directory = "/sys/class/block/\(sysName(disk.name))/queue/"
        disk.scheduler = read(
            "scheduler", for: "scheduler", in: directory, into: &buffer, open: open
        ) { text throws(ProcFSError) in try DiskScheduler(text).name }
        disk.queueSize = read(
            "nr_requests", for: "queue_size", in: directory, into: &buffer, open: open
        ) { text throws(ProcFSError) in try SysNumber(text, file: "nr_requests").value }
        .flatMap { Int(exactly: $0) }
        disk.isRotational = read(
            "rotational", for: "rotational", in: directory, into: &buffer, open: open
        ) { text throws(ProcFSError) in try SysNumber(text, file: "rotational").value }
        .map { $0 != 0 }
    }

    private mutating func read<Value>(
        _ name: String, for metric: String, in directory: String, into buffer: inout [UInt8],
        open: TextFileOpener, parse: (Span<UInt8>) throws(ProcFSError) -> Value
    ) -> Value? {
        do {
            let count = try open(directory + name).read(into: &buffer)
            return try parse(buffer.span.extracting(first: min(count, buffer.count)))
        } catch {
            settingProblems.append(
                Unavailable(metric: metric, reason: "\(directory)\(name): \(error)"))
            return nil
        }
    }
}

extension HostDisk {
    /// Fills the rates from two readings, as iostat -x does.
    mutating func derive(
        from old: DiskCounters, to new: DiskCounters, over interval: RateInterval
    ) {
        span = interval.span
        iops = interval.rate(old.requests, new.requests)
        reads = interval.rate(old.reads, new.reads)
        writes = interval.rate(old.writes, new.writes)
        flushes = Self.rate(old.flushes, new.flushes, over: interval)
        discards = Self.rate(old.discards, new.discards, over: interval)
        readBytes = interval.rate(old.readSectors, new.readSectors).map { $0 * 512 }
        writeBytes = interval.rate(old.writeSectors, new.writeSectors).map { $0 * 512 }
        readMerges = interval.rate(old.readMerges, new.readMerges)
        writeMerges = interval.rate(old.writeMerges, new.writeMerges)
        readAwait = Self.mean((old.readTime, new.readTime), over: (old.reads, new.reads))
        writeAwait = Self.mean((old.writeTime, new.writeTime), over: (old.writes, new.writes))
        // A disk that took another's name starts at 0 too: its times did not overflow.
        let isSame = new.reads >= old.reads && new.writes >= old.writes
        let milliseconds = interval.seconds * 1000
        queueDepth =
            isSame
            ? Self.growth(old.weightedTime, new.weightedTime).map {
                (Double($0) / milliseconds).roundedToThousandths
            }
            : nil
        utilPercent =
            isSame
            ? Self.growth(old.busyTime, new.busyTime)
                .map { min(Double($0) / milliseconds * 100, 100).roundedToThousandths }
            : nil
    }

    /// Blanks what needs two readings.
    mutating func forgetRates() {
        var blank = HostDisk(name: name)
        blank.scheduler = scheduler
        blank.queueSize = queueSize
        blank.isRotational = isRotational
        blank.luns = luns
        blank.inFlight = inFlight
        self = blank
    }

    private static func rate(
        _ old: UInt64?, _ new: UInt64?, over interval: RateInterval
    ) -> Double? {
        guard let old, let new else { return nil }
        return interval.rate(old, new)
    }

    /// Microseconds a request; `nil` if none completed.
    private static func mean(
        _ milliseconds: (old: UInt64, new: UInt64), over requests: (old: UInt64, new: UInt64)
    ) -> Double? {
        guard requests.new > requests.old,
            let time = growth(milliseconds.old, milliseconds.new)
        else { return nil }
        return (Double(time) * 1000 / Double(requests.new - requests.old)).roundedToThousandths
    }

    /// How much a counter of 32 bits grew, which may have started again from 0; `nil` for what is
    /// not of 32 bits and went down.
    static func growth(_ old: UInt64, _ new: UInt64) -> UInt64? {
        if new >= old { return new - old }
        return old >> 32 == 0 ? new + (1 << 32) - old : nil
    }
}
