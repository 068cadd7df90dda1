internal import Kernel
internal import ProcFS
internal import SystemPackage
public import Telemetry

/// The host's block devices, once a tick, in iostat's terms.
///
/// Cost of a tick: up to `perDiskLimit` disks watched by name one `pread` each of their file `stat`
/// (1.3 µs); for more, or all, one reading of /proc/diskstats. The settings of a queue, three files
/// that are opened anew, are read when a disk is first seen and every 30 ticks, by turns.
public struct HostDisks: Sendable {
    /// The largest number of disks that are read from their own files.
    public static let perDiskLimit = 8

    private let files: HostFiles
    /// `nil` for all disks.
    private var names: [String]?
    /// With all disks every line of /proc/diskstats has one, in its order; else as `names`.
    private var records: [DiskRecord] = []
    private var table: (any TextFile)?
    private var tick = 0
    private var buffer = [UInt8](repeating: 0, count: 8192)
    /// Why the last `sample` lacks disks: one entry at most.
    private var missing: Unavailable?

    /// Watches all disks until told otherwise; `files` is how to look at them.
    public init(files: HostFiles = .live) { self.files = files }

    /// Makes `names` the disks to watch, in this order: kernel names of disks or partitions. `nil`
    /// is all whole disks of the host, in its own order; those without a device behind them, such
    /// as loop devices, only if they were ever used.
    public mutating func watch(_ names: [String]?) {
        guard names != self.names else { return }
        guard let names else {
            self.names = nil
            records = []
            return
        }
        var seen: Set<String> = []
        let unique = names.filter { seen.insert($0).inserted }
        self.names = unique
        let known = Dictionary(
            records.map { ($0.disk.name, $0) }, uniquingKeysWith: { first, _ in first })
        records = unique.map { known[$0] ?? DiskRecord(name: $0) }
    }

    /// Reads every disk once and returns what each did since it was read before.
    ///
    /// `clock` gives `CLOCK_MONOTONIC` nanoseconds and is asked just before each file is read.
    /// Rates are `nil` on a disk's first reading, for a counter that went down, and for what this
    /// kernel does not count. A disk that is not there is left out; `unavailable` names one that
    /// was asked for.
    public mutating func sample(clock: () -> Nanoseconds) -> [HostDisk] {
        missing = nil
        for index in records.indices { records[index].isSeen = false }
        if let names, names.count <= Self.perDiskLimit {
            table = nil
            for index in records.indices { readOne(index, clock: clock) }
        } else {
            readTable(clock: clock)
        }
        readSettings()
        tick &+= 1
        return records.filter(isShown).map(\.disk)
    }

    /// What was asked for by name is shown whatever it is.
    private func isShown(_ record: DiskRecord) -> Bool {
        record.isSeen && (names != nil || record.isWorthShowing)
    }

    /// Why disks or their settings are missing after the last `sample`: one entry a metric.
    public var unavailable: [Unavailable] {
        var found = missing.map { [$0] } ?? []
        for record in records where isShown(record) {
            for problem in record.settingProblems
            where !found.contains(where: { $0.metric == problem.metric }) {
                found.append(problem)
            }
        }
        return found
    }

    // MARK: One file a disk

    private mutating func readOne(_ index: Int, clock: () -> Nanoseconds) {
        let path = "/sys/class/block/\(sysName(records[index].disk.name))/stat"
        do {
            let file = try records[index].file ?? files.open(path)
            records[index].file = file
            let now = clock()
            let count = try file.read(into: &buffer)
            let counters = try DiskCounters(
                buffer.span.extracting(first: min(count, buffer.count)))
            records[index].take(counters, at: now)
        } catch {
            records[index].forget()
            explain(error, at: path)
        }
    }

    // MARK: One file for all

    private mutating func readTable(clock: () -> Nanoseconds) {
        // Out of `self`, which changes while the text is walked.
        var bytes: [UInt8] = []
        swap(&bytes, &buffer)
        defer { swap(&bytes, &buffer) }
        do {
            let file = try table ?? files.open("/proc/diskstats")
            table = file
            let now = clock()
            let count = try file.readWhole(into: &bytes)
            let text = bytes.span.extracting(first: min(count, bytes.count))
            if names == nil {
                try takeAll(text, at: now)
            } else {
                try takeNamed(text, at: now)
            }
        } catch {
            table = nil
            for index in records.indices { records[index].forget() }
            explain(error, at: "/proc/diskstats")
        }
    }

    /// The lines come in the same order every time, but for disks that come and go.
    private mutating func takeAll(_ text: Span<UInt8>, at now: Nanoseconds) throws(ProcFSError) {
        var lines = DiskStatsLines()
        var index = 0
        var wholeDisks: Set<String>?
        while let line = try lines.next(in: text) {
            if index >= records.count || records[index].disk.name != line.name {
                if let later = records[index...].firstIndex(where: { $0.disk.name == line.name }) {
                    records.removeSubrange(index..<later)
                } else {
                    let whole = wholeDisks ?? Set((try? files.list("/sys/block")) ?? [])
                    wholeDisks = whole
                    var record = DiskRecord(name: line.name)
                    record.isWholeDisk = whole.contains(sysName(line.name))
                    records.insert(record, at: index)
                }
            }
            records[index].take(line.counters, at: now)
            index += 1
        }
        records.removeSubrange(index...)
    }

    private mutating func takeNamed(_ text: Span<UInt8>, at now: Nanoseconds) throws(ProcFSError) {
        let places = Dictionary(
            records.indices.map { (records[$0].disk.name, $0) }, uniquingKeysWith: { $1 })
        var lines = DiskStatsLines()
        while let line = try lines.next(in: text) {
            guard let index = places[line.name] else { continue }
            records[index].take(line.counters, at: now)
        }
        for index in records.indices where !records[index].isSeen {
            records[index].forget()
            let name = records[index].disk.name
            missing = Unavailable(
                metric: "host.disks", reason: "/proc/diskstats has no disk \(name)")
        }
    }

    // MARK: Settings

    private static let settingsPeriod = 30

    private mutating func readSettings() {
        for index in records.indices where isShown(records[index]) {
            let isItsTurn = (tick &+ index) % Self.settingsPeriod == 0
            guard isItsTurn || !records[index].hasSettings else { continue }
            records[index].readSettings(into: &buffer, open: files.open)
        }
    }

    private mutating func explain(_ error: any Error, at path: String) {
        guard missing == nil else { return }
        let cause = error as? KernelError
        missing = Unavailable(
            metric: "host.disks", reason: cause?.description ?? "\(path): \(error)",
            remedy: cause?.remedy)
    }
}

/// The name of a disk's directory in /sys, in which a slash cannot be.
func sysName(_ disk: String) -> String {
    disk.utf8.contains(UInt8(ascii: "/"))
        ? String(disk.map { $0 == "/" ? "!" : $0 }) : disk
}
