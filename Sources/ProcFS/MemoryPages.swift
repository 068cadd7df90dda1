/// The memory of a process in pages (/proc/PID/statm).
public struct MemoryPages: Sendable, Equatable {
    /// Pages of its address space (field 1).
    public let size: UInt64
    /// Pages held in memory (field 2); the kernel may be off by some dozens of pages a CPU.
    public let resident: UInt64

    /// Parses the file's text. Throws for a field that is missing, cut short or no number.
    public init(_ text: Span<UInt8>) throws(ProcFSError) {
        var fields = FieldScanner(file: "statm")
        size = try fields.number("size", in: text)
        resident = try fields.number("resident", in: text)
    }
}
