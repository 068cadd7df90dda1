internal import Kernel
internal import ProcFS
public import Telemetry

/// How busy all CPUs of the host are together (/proc/stat).
public struct HostCPU: Sendable {
    private let open: TextFileOpener
    private var file: (any TextFile)?
    private var last: HostCPUTimes?
    /// The line needed is the file's first; the rest, a line a CPU and every interrupt, is left
    /// unread.
    private var buffer = [UInt8](repeating: 0, count: 512)
    /// Why the last `sample` gave nothing, beyond being the first.
    public private(set) var unavailable: Unavailable?

    /// Nothing read yet; `open` opens the file.
    public init(open: @escaping TextFileOpener = openTextFile) { self.open = open }

    /// Percent of the host's whole CPU time spent working since the call before, 0…100.
    ///
    /// `nil` on the first call, if no tick of the kernel's clock (10 ms) has passed, if a counter
    /// went down, and if the file cannot be read, which `unavailable` then explains.
    public mutating func sample() -> Double? {
        let times: HostCPUTimes
        do {
            let file = try self.file ?? open("/proc/stat")
            self.file = file
            let count = try file.read(into: &buffer)
            times = try HostCPUTimes(buffer.span.extracting(first: min(count, buffer.count)))
        } catch {
            let remedy = (error as? KernelError)?.remedy
            unavailable = Unavailable(
                metric: "host.cpu_percent", reason: "\(error)", remedy: remedy)
            last = nil
            return nil
        }
        unavailable = nil
        defer { last = times }
        return last.flatMap { times.busyPercent(since: $0) }
    }
}
