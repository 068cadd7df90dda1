public import Telemetry

/// Turns the kernel's files of a process's threads into `ThreadActivity`, once a tick.
///
/// Cost of a thread and tick: one `pread` of `schedstat` (0.6 µs), and of `stat` and `sched` (5 µs
/// together); where the kernel has no `sched` that tells switches, of `status` (5 µs) as well. Up
/// to `everyTickLimit` threads all are read every tick; of more, a quarter has its dear files read
/// in each tick, by turns, and shows the rates of its last turn until the next. Four descriptors a
/// thread stay open.
public struct ThreadSampler: Sendable {
    /// The largest number of threads whose files are all read every tick.
    public static let everyTickLimit = 16
    /// Ticks from one turn of a thread's dear files to the next, where there are more threads.
    private static let turns = 4

    private let directory: String
    private let open: TextFileOpener
    private var records: [ThreadRecord] = []
    private var tick = 0
    /// Larger than any of the files, of which `status` is the longest with its CPU masks.
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    /// Watches no thread of process `pid` yet; `open` opens the files below /proc.
    public init(pid: Int, open: @escaping TextFileOpener = openTextFile) {
        self.directory = "/proc/\(pid)/task"
        self.open = open
    }

    /// Makes `threads` the set to watch, in this order. A thread already watched keeps its open
    /// files and its readings; the files of one left out are closed.
    public mutating func watch(_ threads: [WatchedThread]) {
        let known = Dictionary(
            records.map { ($0.thread.tid, $0) }, uniquingKeysWith: { first, _ in first })
        records = threads.map { thread in
            guard var record = known[thread.tid] else {
                return ThreadRecord(thread, directory: "\(directory)/\(thread.tid)")
            }
            record.update(thread)
            return record
        }
    }

    /// Reads every thread once and returns what each did since it was read before, in the order of
    /// `watch`.
    ///
    /// `clock` gives `CLOCK_MONOTONIC` nanoseconds and is asked once a thread, just before it is
    /// read: a tick over many threads is no single instant. Rates are `nil` on a thread's first
    /// reading, for a counter that went down and for a file that cannot be read (`unavailable` says
    /// why). A thread that has ended is left out and no longer watched.
    public mutating func sample(clock: () -> Nanoseconds) -> [ThreadActivity] {
        let readsEverything = records.count <= Self.everyTickLimit
        var ended: Set<Int> = []
        for index in records.indices {
            let isItsTurn = readsEverything || index % Self.turns == tick % Self.turns
            do {
                try records[index].sample(
                    at: clock(), readsAll: isItsTurn || !records[index].isComplete,
                    into: &buffer, open: open)
            } catch {
                ended.insert(index)
            }
        }
        if !ended.isEmpty {
            records = records.indices.filter { !ended.contains($0) }.map { records[$0] }
        }
        tick &+= 1
        return records.map(\.activity)
    }

    /// Why columns are blank, after the last `sample`: one entry a metric, however many threads
    /// miss it.
    public var unavailable: [Unavailable] {
        var found: [Unavailable] = []
        var seen: Set<ThreadFile.Kind> = []
        for index in records.indices where records[index].hasFailure {
            for file in records[index].files {
                guard let failure = file.failure, seen.insert(file.kind).inserted else { continue }
                found += file.kind.metrics.map {
                    Unavailable(metric: $0, reason: failure.reason, remedy: failure.remedy)
                }
            }
        }
        return found
    }
}
