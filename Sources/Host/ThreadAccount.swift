public import Kernel
internal import ProcFS
public import Telemetry

/// What one thread has used since it started, read once.
public struct ThreadAccount: Sendable, Equatable {
    /// Nanoseconds on a CPU (/proc/…/schedstat field 1, late by up to a tick of the kernel); nil
    /// where the kernel does not count it.
    public let cpu: Nanoseconds?
    /// Context switches by its own wish and against it (/proc/…/status); nil where unreadable.
    public let voluntarySwitches: UInt64?
    public let involuntarySwitches: UInt64?

    /// Reads the files of thread `tid` of process `pid`: some 15 us. `open` opens below /proc.
    public init(pid: Int, tid: Int, open: TextFileOpener = openTextFile) {
        let directory = "/proc/\(pid)/task/\(tid)/"
        let times = Self.read(directory + "schedstat", open, SchedStat.init)
        let status = Self.read(directory + "status", open, ThreadStatus.init)
        cpu = times?.runTime
        voluntarySwitches = status?.switches.voluntary
        involuntarySwitches = status?.switches.involuntary
    }

    private static func read<Value>(
        _ path: String, _ open: TextFileOpener,
        _ parse: (Span<UInt8>) throws(ProcFSError) -> Value
    ) -> Value? {
        var buffer = [UInt8](repeating: 0, count: 16_384)
        guard let count = try? open(path).read(into: &buffer) else { return nil }
        return try? parse(buffer.span.extracting(first: min(count, buffer.count)))
    }
}
