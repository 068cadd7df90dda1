/// What each CPU of the host did since it booted, in clock ticks (/proc/stat, lines `cpuN`).
public struct CPUTimesTable: Sendable, Equatable {
    /// One CPU.
    public struct Times: Sendable, Equatable {
        /// Ticks in interrupts, hard and soft.
        public let interrupts: UInt64
        /// Ticks spent working, those in interrupts among them.
        public let busy: UInt64
        /// All ticks.
        public let whole: UInt64
    }

    /// By the CPU's number; only CPUs that are online.
    public private(set) var cpus: [Int: Times] = [:]

    /// Parses the file's text, of which only the lines of CPUs are looked at: they come first.
    /// Throws for a field that is missing, cut short or no number, and for times that no CPU has.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "stat")
        // The first line has all CPUs together.
        fields.skipLine(in: text)
        while fields.position < text.count {
            let name = try fields.word("cpu", in: text)
            guard name.hasPrefix("cpu") else { return }
            guard let number = Int(name.dropFirst(3)), number >= 0 else {
                throw fields.error("cpu")
            }
            cpus[number] = try Self.times(&fields, in: text)
            fields.skipLine(in: text)
        }
    }

    private static func times(
        _ fields: inout FieldScanner, in text: Span<UInt8>
    ) throws(ProcFSError) -> Times {
        var (interrupts, busy, whole): (UInt64, UInt64, UInt64) = (0, 0, 0)
        for name in ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"] {
            let ticks = try fields.number(name, in: text)
            let (sum, overflows) = whole.addingReportingOverflow(ticks)
            guard !overflows else { throw fields.error(name) }
            whole = sum
            if name == "idle" || name == "iowait" { continue }
            busy += ticks
            if name == "irq" || name == "softirq" { interrupts += ticks }
        }
        return Times(interrupts: interrupts, busy: busy, whole: whole)
    }
}
