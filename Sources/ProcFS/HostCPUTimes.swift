/// What all CPUs of the host did since it booted, in clock ticks (/proc/stat, line `cpu`).
public struct HostCPUTimes: Sendable, Equatable {
    /// Ticks spent working: `user` (guests included), `nice`, `system`, `irq`, `softirq`, and
    /// `steal`, which was wanted and went to another machine.
    public let busy: UInt64
    /// Ticks with nothing to run: `idle` and `iowait`.
    public let idle: UInt64

    /// Parses the file's text, of which only the first line is needed. Throws for a field that is
    /// missing, cut short or no number; sums that overflow are not of this world and throw too.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "stat")
        guard text.count > 4, text[0] == UInt8(ascii: "c"), text[1] == UInt8(ascii: "p"),
            text[2] == UInt8(ascii: "u"), text[3].isBlank
        else { throw fields.error("cpu") }
        fields.move(to: 3)
        var (busy, idle): (UInt64, UInt64) = (0, 0)
        for name in ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"] {
            let ticks = try fields.number(name, in: text)
            let isIdle = name == "idle" || name == "iowait"
            let (sum, overflows) = (isIdle ? idle : busy).addingReportingOverflow(ticks)
            guard !overflows else { throw fields.error(name) }
            if isIdle { idle = sum } else { busy = sum }
        }
        self.busy = busy
        self.idle = idle
    }

    /// Percent of all CPU time spent working since `previous`, 0…100; `nil` if no time has passed
    /// or a counter went down, as `iowait` at times does.
    public func busyPercent(since previous: HostCPUTimes) -> Double? {
        guard busy >= previous.busy, idle >= previous.idle else { return nil }
        let working = Double(busy - previous.busy)
        let whole = working + Double(idle - previous.idle)
        return whole > 0 ? working / whole * 100 : nil
    }
}
