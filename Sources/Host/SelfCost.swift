internal import Kernel
internal import ProcFS
public import Telemetry

/// What watching costs: the CPU of this process's own watching threads, and the process's memory.
public struct SelfCost: Sendable {
    private let open: TextFileOpener
    private let pageSize: UInt64
    private var threads: [Thread]
    private var memory: (any TextFile)?
    private var buffer = [UInt8](repeating: 0, count: 512)
    /// Why the last `sample` lacks the process's memory.
    public private(set) var unavailable: Unavailable?

    private struct Thread: Sendable {
        var file: ThreadFile
        var last: (at: Nanoseconds, runTime: Nanoseconds)?
    }

    /// The cost of the threads `tids` of this process; those of an embedded engine are not among
    /// them.
    public init(tids: [Int], open: @escaping TextFileOpener = openTextFile) {
        self.init(tids: tids, pageSize: ReadableFile.pageByteCount, open: open)
    }

    /// `pageSize` is the unit of /proc/self/statm, bytes.
    init(tids: [Int], pageSize: UInt64, open: @escaping TextFileOpener) {
        self.open = open
        self.pageSize = pageSize
        threads = tids.map {
            Thread(file: ThreadFile(.schedstat, directory: "/proc/self/task/\($0)"), last: nil)
        }
    }

    /// CPU since the call before and memory now; what is not known is `nil`, as CPU is on the first
    /// call. `clock` gives `CLOCK_MONOTONIC` nanoseconds. The caller fills in skew and lost events.
    public mutating func sample(clock: () -> Nanoseconds) -> OwnCost {
        OwnCost(cpuPercent: cpuPercent(clock: clock), residentBytes: residentBytes())
    }

    /// Percent of one core, all threads together; `nil` unless every thread still there is known.
    private mutating func cpuPercent(clock: () -> Nanoseconds) -> Double? {
        var sum: Double? = 0
        var remaining: [Thread] = []
        for var thread in threads {
            let now = clock()
            let times: SchedStat?
            do {
                times = try thread.file.read(into: &buffer, open: open, parse: SchedStat.init)
            } catch {
                continue
            }
            let percent = times.flatMap { times in
                thread.last.flatMap { last in
                    RateInterval(from: last.at, to: now)?.percent(last.runTime, times.runTime)
                }
            }
            sum = percent.flatMap { percent in sum.map { $0 + percent } }
            thread.last = times.map { (now, $0.runTime) }
            remaining.append(thread)
        }
        threads = remaining
        return threads.isEmpty ? nil : sum
    }

    private mutating func residentBytes() -> UInt64? {
        do {
            let file = try memory ?? open("/proc/self/statm")
            memory = file
            let count = try file.read(into: &buffer)
            let pages = try MemoryPages(buffer.span.extracting(first: min(count, buffer.count)))
            let (bytes, overflows) = pages.resident.multipliedReportingOverflow(by: pageSize)
            guard !overflows else { throw ProcFSError(file: "statm", field: "resident") }
            unavailable = nil
            return bytes
        } catch {
            let remedy = (error as? KernelError)?.remedy
            unavailable = Unavailable(
                metric: "own_cost.resident_bytes", reason: "\(error)", remedy: remedy)
            return nil
        }
    }
}
